"""A service's past as people see it at a glance: one mark for each of its last periods."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from medic_core.domain.watching import deadlines
from medic_core.domain.watching.schedules import EVERY_HOUR, Schedule, Unreadable

#: How many are shown.
PERIODS = 90


class PeriodState(StrEnum):
    """What is known of a period."""

    UP = "up"
    TROUBLED = "troubled"  #: an alert was open for a part of it, or it was no silence
    DOWN = "down"  #: silent throughout
    UNKNOWN = "unknown"  #: before it was registered


@dataclass(frozen=True, slots=True)
class Outage:
    """A stretch with an open alert; it has no end while that is open."""

    began: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class Slot:
    """A period and what it was like."""

    began: datetime
    state: PeriodState


def period_of(schedule: Schedule, now: datetime) -> timedelta:
    """How long a period is: of a cron schedule, as long as the one that comes next; an hour where it cannot be read."""
    try:
        return deadlines.period(schedule, now)
    except Unreadable:
        return EVERY_HOUR.every


def slots(
    period: timedelta, now: datetime, registered_at: datetime, outages: Iterable[Outage], count: int = PERIODS
) -> list[Slot]:
    """The last `count` periods up to `now`, oldest first."""
    known = list(outages)
    return [
        Slot(began, _state(began, began + period, now, registered_at, known))
        for began in (now - period * (count - index) for index in range(count))
    ]


def _state(
    began: datetime, ended: datetime, now: datetime, registered_at: datetime, outages: list[Outage]
) -> PeriodState:
    if ended <= registered_at:
        return PeriodState.UNKNOWN
    troubled = [one for one in outages if _touches(one, began, ended)]
    if not troubled:
        return PeriodState.UP
    covered = any(one.began <= began and (one.ended or now) >= ended for one in troubled)
    return PeriodState.DOWN if covered else PeriodState.TROUBLED


def _touches(outage: Outage, began: datetime, ended: datetime) -> bool:
    """Whether a part of it lies in the period, or all of it where it is over in an instant."""
    if outage.ended == outage.began:
        return began <= outage.began < ended
    return outage.began < ended and (outage.ended is None or outage.ended > began)


def availability(now: datetime, since: datetime, outages: Iterable[Outage]) -> float | None:
    """The share of the time since then, from 0 to 1, in which no alert was open; None for no time at all."""
    whole = (now - since).total_seconds()
    if whole <= 0:
        return None
    down, reached = 0.0, since
    for one in sorted(outages, key=lambda outage: outage.began):
        start, end = max(one.began, reached), min(one.ended or now, now)
        if end > start:
            down += (end - start).total_seconds()
            reached = end
    return 1 - down / whole
