"""Alerts: an open problem of one kind on one service, from its opening to its end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from medic_core.domain.alerting import flapping, reminders
from medic_core.domain.alerting.flapping import STEADY, FlapLimit, Steadiness
from medic_core.domain.alerting.suppression import Circumstances, Suppressed, suppressed
from medic_core.domain.watching.deadlines import missed_since, next_missed, period
from medic_core.domain.watching.schedules import EVERY_HOUR, Schedule, Unreadable
from medic_core.domain.watching.states import Trouble

#: The one alert about Medic itself: nothing is heard from anyone.
INGEST_SILENT = "ingest_silent"


class Priority(StrEnum):
    """How urgent a service's alerts are."""

    P1 = "p1"
    P2 = "p2"
    P3 = "p3"
    P4 = "p4"
    P5 = "p5"


class AlertStatus(StrEnum):
    """Where in its life an alert is."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"


class AlertEvent(StrEnum):
    """What happened to an alert."""

    OPENED = "opened"
    REMINDED = "reminded"
    UNMUTED = "unmuted"  #: opened silently, told now that what held it back is over
    FLAPPING = "flapping"  #: its service goes down and up so often that only this is told
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    ESCALATED = "escalated"  #: a repair did not help
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Watched:
    """What alerting needs to know of a service."""

    service_id: int
    heartbeat_name: str
    priority: Priority
    schedule: Schedule
    reminder_interval: timedelta | None
    active: bool
    muted_until: datetime | None
    steadiness: Steadiness = STEADY
    flap_limit: FlapLimit | None = None
    maintenance_until: datetime | None = None

    def circumstances(self, now: datetime) -> Circumstances:
        """What the rules that hold alerts back look at."""
        flapping_until = self.steadiness.flapping_until
        return Circumstances(now, self.active, self.muted_until, flapping_until, self.maintenance_until)

    def in_maintenance(self, now: datetime) -> bool:
        """Whether its silence is expected."""
        return self.maintenance_until is not None and now < self.maintenance_until


@dataclass(frozen=True, slots=True)
class Opening:
    """An alert to open. `told` says whether people hear of it now; `next_look_at` when the monitor must look again.

    `counted_until` is the last missed deadline that is in `consecutive_failures`.
    """

    service_id: int | None
    heartbeat_name: str
    kind: str
    priority: Priority
    because: str
    overdue_since: datetime
    consecutive_failures: int
    counted_until: datetime
    told: bool
    remind_at: datetime | None
    next_look_at: datetime | None


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An open alert as the monitor finds it."""

    alert_id: int
    kind: str
    status: AlertStatus
    overdue_since: datetime
    consecutive_failures: int
    counted_until: datetime
    told_at: datetime | None
    reminders: int
    remind_at: datetime | None


@dataclass(frozen=True, slots=True)
class Look:
    """What the monitor does when it looks at an open alert: the event to record and tell, if any, and the next look."""

    alert_id: int
    status: AlertStatus
    consecutive_failures: int
    counted_until: datetime
    event: AlertEvent | None
    because: str
    reminders: int
    remind_at: datetime | None
    next_look_at: datetime | None


def open_for(
    trouble: Trouble, because: str, overdue_since: datetime, now: datetime, service: Watched, failures: int = 1
) -> Opening:
    """The alert for a trouble that was just found, silent where a rule holds it back.

    A service whose schedule cannot be read is told of with that as a reason, and looked at every hour.
    """
    try:
        return _open_for(trouble, because, overdue_since, now, service, failures)
    except Unreadable as error:
        hourly = replace(service, schedule=EVERY_HOUR)
        return _open_for(trouble, f"{because}; its schedule {error}", overdue_since, now, hourly, failures)


def _open_for(
    trouble: Trouble, because: str, overdue_since: datetime, now: datetime, service: Watched, failures: int
) -> Opening:
    held = suppressed(service.circumstances(now))
    remind_at = None if held else now + _wait(service, now, 0)
    counted = overdue_since
    if trouble is Trouble.MISSED_HEARTBEAT:
        more, counted = missed_since(overdue_since, service.schedule, now)
        failures = 1 + more
    return Opening(
        service_id=service.service_id,
        heartbeat_name=service.heartbeat_name,
        kind=trouble,
        priority=service.priority,
        because=because,
        overdue_since=overdue_since,
        consecutive_failures=failures,
        counted_until=counted,
        told=held is None,
        remind_at=remind_at,
        next_look_at=_next_look(trouble, counted, service, remind_at, held),
    )


def flapping_began(before: Watched, after: Watched, now: datetime) -> str | None:
    """What to tell where a service begins to flap with a change, None where it does not or nobody is to hear of it."""
    if after.flap_limit is None or not flapping.begins(before.steadiness, after.steadiness, now):
        return None
    around = Circumstances(now, after.active, after.muted_until, maintenance_until=after.maintenance_until)
    if suppressed(around) is not None:
        return None
    return flapping.why(after.steadiness, now, after.flap_limit)


def look(alert: OpenAlert, now: datetime, service: Watched) -> Look:
    """What is due on an open alert at `now`: a further missed period, the end of a mute or a snooze, a reminder.

    Acknowledged alerts are not reminded of; a snoozed one's next reminder is the end of its snooze, which opens it
    again. Muting silences reminders too. A schedule that cannot be read counts as one of every hour.
    """
    try:
        return _look(alert, now, service)
    except Unreadable:
        return _look(alert, now, replace(service, schedule=EVERY_HOUR))


def _look(alert: OpenAlert, now: datetime, service: Watched) -> Look:
    held = suppressed(service.circumstances(now))
    event, because = _event_due(alert, now, held)
    sent = alert.reminders + (event is AlertEvent.REMINDED)
    remind_at = alert.remind_at if event is None else now + _wait(service, now, sent)
    failures, counted = alert.consecutive_failures, alert.counted_until
    if alert.kind == Trouble.MISSED_HEARTBEAT:
        more, counted = missed_since(alert.counted_until, service.schedule, now)
        failures += more
    status = AlertStatus.OPEN if event is not None else alert.status
    waiting_for = None if status is AlertStatus.ACKNOWLEDGED else remind_at
    next_look_at = _next_look(alert.kind, counted, service, waiting_for, held)
    return Look(alert.alert_id, status, failures, counted, event, because, sent, remind_at, next_look_at)


def _wait(service: Watched, now: datetime, sent: int) -> timedelta:
    return reminders.interval_before(sent, period(service.schedule, now), service.reminder_interval)


def _event_due(alert: OpenAlert, now: datetime, held: Suppressed | None) -> tuple[AlertEvent | None, str]:
    if held is not None:
        return None, held.because
    is_time = alert.remind_at is not None and alert.remind_at <= now
    match alert.status:
        case AlertStatus.SNOOZED if is_time:
            return AlertEvent.REMINDED, "the snooze is over and it is still so"
        case AlertStatus.OPEN if alert.told_at is None:
            return AlertEvent.UNMUTED, "what held this back is over and it is still so"
        case AlertStatus.OPEN if is_time:
            return AlertEvent.REMINDED, "still so"
        case _:
            return None, ""


def _next_look(
    kind: str, counted: datetime, service: Watched, remind_at: datetime | None, held: Suppressed | None
) -> datetime | None:
    one_more = next_missed(counted, service.schedule) if kind == Trouble.MISSED_HEARTBEAT else None
    if held is not None:
        # A reminder that fell due meanwhile must not make us look at every sweep.
        remind_at = None
    hold_ends = held.until if held is not None else None
    moments = [moment for moment in (one_more, remind_at, hold_ends) if moment is not None]
    return min(moments, default=None)
