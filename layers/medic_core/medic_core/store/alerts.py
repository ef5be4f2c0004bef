"""Alerts and their history. What changes one writes the event, and the outbox row where people hear of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import dict_row, scalar_row

from medic_core.domain.alerting.alerts import AlertEvent, AlertStatus, Look, OpenAlert, Opening, Priority, Watched
from medic_core.domain.routing.messages import Notification
from medic_core.domain.watching.schedules import Interval
from medic_core.store import watched
from medic_core.store.connection import Transaction

#: At most one open alert per service and kind: the second of two openings finds the first and does nothing.
OPEN_ALL: Final = """
WITH wanted AS (
    SELECT * FROM unnest(
        %(service_ids)s::bigint[], %(names)s::text[], %(kinds)s::text[], %(priorities)s::text[], %(becauses)s::text[],
        %(overdue)s::timestamptz[], %(failures)s::int[], %(counted)s::timestamptz[], %(told)s::boolean[],
        %(remind)s::timestamptz[], %(looks)s::timestamptz[]
    ) AS w (service_id, heartbeat_name, kind, priority, because, overdue_since, failures, counted_until, told,
            remind_at, next_look_at)
), opened AS (
    INSERT INTO medic.alerts (service_id, heartbeat_name, kind, priority, because, overdue_since, opened_at,
                              consecutive_failures, counted_until, told_at, remind_at, next_look_at)
    SELECT service_id, heartbeat_name, kind, priority, because, overdue_since, now(),
           failures, counted_until, CASE WHEN told THEN now() END, remind_at, next_look_at
      FROM wanted
    ON CONFLICT DO NOTHING
    RETURNING alert_id, because, consecutive_failures, told_at
), history AS (
    INSERT INTO medic.alert_events (alert_id, event, at, because, consecutive_failures, swept_at, opened_together)
    SELECT alert_id, 'opened', now(), because, consecutive_failures, %(swept_at)s, %(together)s FROM opened
    RETURNING alert_event_id, alert_id
), told AS (
    INSERT INTO medic.outbox (topic, subject_id)
    SELECT 'notification', alert_event_id FROM history JOIN opened USING (alert_id) WHERE told_at IS NOT NULL
)
SELECT count(*) FROM opened
"""


@dataclass(frozen=True, slots=True)
class Together:
    """With how many others an alert was opened, and by which sweep; None where a signal opened it."""

    swept_at: datetime | None = None
    count: int = 1


def open_all(tx: Transaction, openings: Sequence[Opening], together: Together = Together()) -> int:
    """Open alerts, with their history and what people hear; returns how many were new."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(
            OPEN_ALL,
            {
                "service_ids": [opening.service_id for opening in openings],
                "names": [opening.heartbeat_name for opening in openings],
                "kinds": [opening.kind for opening in openings],
                "priorities": [opening.priority for opening in openings],
                "becauses": [opening.because for opening in openings],
                "overdue": [opening.overdue_since for opening in openings],
                "failures": [opening.consecutive_failures for opening in openings],
                "counted": [opening.counted_until for opening in openings],
                "told": [opening.told for opening in openings],
                "remind": [opening.remind_at for opening in openings],
                "looks": [opening.next_look_at for opening in openings],
                "swept_at": together.swept_at,
                "together": together.count,
            },
        ).fetchone()
    assert isinstance(found, int)
    return found


#: The end of alerts by a person's or Medic's own decision; a signal's are ended in `store.settling`.
RESOLVE: Final = """
WITH resolved AS (
    UPDATE medic.alerts
       SET status = 'resolved', resolved_at = now(), next_look_at = NULL, remind_at = NULL
     WHERE service_id IS NOT DISTINCT FROM %(service_id)s AND kind = ANY(%(kinds)s::text[]) AND resolved_at IS NULL
    RETURNING alert_id, told_at, consecutive_failures
), history AS (
    INSERT INTO medic.alert_events (alert_id, event, at, actor, because, consecutive_failures)
    SELECT alert_id, 'resolved', now(), %(actor)s, %(because)s, consecutive_failures FROM resolved
    RETURNING alert_event_id, alert_id
), told AS (
    INSERT INTO medic.outbox (topic, subject_id)
    SELECT 'notification', alert_event_id FROM history JOIN resolved USING (alert_id) WHERE told_at IS NOT NULL
)
SELECT count(*) FROM resolved
"""


def resolve(tx: Transaction, service_id: int | None, kinds: Collection[str], because: str, actor: str | None) -> int:
    """End a service's open alerts of these kinds; those who were told of one are told. Returns how many."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(
            RESOLVE, {"service_id": service_id, "kinds": sorted(kinds), "because": because, "actor": actor}
        ).fetchone()
    assert isinstance(found, int)
    return found


CLAIM_LOOKS: Final = (
    watched.SELECT  # noqa: S608 - two constants
    + """, a.alert_id, a.kind, a.status, a.overdue_since, a.consecutive_failures, a.counted_until, a.told_at,
       a.reminders, a.remind_at, a.heartbeat_name AS name, a.priority AS urgency
  FROM medic.alerts a LEFT JOIN medic.services s USING (service_id) LEFT JOIN medic.service_state st USING (service_id)
 WHERE a.next_look_at <= %(now)s
 ORDER BY a.next_look_at
 LIMIT %(batch)s
   FOR UPDATE OF a SKIP LOCKED
"""
)


def claim_looks(tx: Transaction, now: datetime, batch: int, of_medic: Interval) -> list[tuple[OpenAlert, Watched]]:
    """The next open alerts to look at, each with its service. `of_medic` is the schedule of those that have none."""
    with tx.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(CLAIM_LOOKS, {"now": now, "batch": batch}).fetchall()
    return [
        (_open_alert(row), _of_medic(row, of_medic) if row["service_id"] is None else watched.read(row)) for row in rows
    ]


def _open_alert(row: dict[str, Any]) -> OpenAlert:
    return OpenAlert(
        alert_id=row["alert_id"],
        kind=row["kind"],
        status=AlertStatus(row["status"]),
        overdue_since=row["overdue_since"],
        consecutive_failures=row["consecutive_failures"],
        counted_until=row["counted_until"],
        told_at=row["told_at"],
        reminders=row["reminders"],
        remind_at=row["remind_at"],
    )


def _of_medic(row: dict[str, Any], schedule: Interval) -> Watched:
    return Watched(0, row["name"], Priority(row["urgency"]), schedule, None, active=True, muted_until=None)


SAVE_LOOKS: Final = """
WITH looked AS (
    SELECT * FROM unnest(
        %(alert_ids)s::bigint[], %(statuses)s::text[], %(failures)s::int[], %(counted)s::timestamptz[],
        %(events)s::text[], %(becauses)s::text[], %(reminders)s::int[], %(remind)s::timestamptz[],
        %(looks)s::timestamptz[]
    ) AS l (alert_id, status, failures, counted_until, event, because, reminders, remind_at, next_look_at)
), saved AS (
    UPDATE medic.alerts a
       SET status = l.status, snoozed_until = CASE WHEN l.status = 'snoozed' THEN a.snoozed_until END,
           consecutive_failures = l.failures, counted_until = l.counted_until, reminders = l.reminders,
           remind_at = l.remind_at,
           next_look_at = l.next_look_at,
           told_at = CASE WHEN l.event IS NULL THEN a.told_at ELSE COALESCE(a.told_at, now()) END
      FROM looked l WHERE a.alert_id = l.alert_id
), history AS (
    INSERT INTO medic.alert_events (alert_id, event, at, because, consecutive_failures)
    SELECT alert_id, event, now(), because, failures FROM looked WHERE event IS NOT NULL
    RETURNING alert_event_id
), told AS (
    INSERT INTO medic.outbox (topic, subject_id) SELECT 'notification', alert_event_id FROM history
)
SELECT count(*) FROM history
"""


def save_looks(tx: Transaction, looks: Sequence[Look]) -> int:
    """Write what came of looking at claimed alerts; returns how many people are told of."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(
            SAVE_LOOKS,
            {
                "alert_ids": [look.alert_id for look in looks],
                "statuses": [look.status for look in looks],
                "failures": [look.consecutive_failures for look in looks],
                "counted": [look.counted_until for look in looks],
                "events": [look.event for look in looks],
                "becauses": [look.because for look in looks],
                "reminders": [look.reminders for look in looks],
                "remind": [look.remind_at for look in looks],
                "looks": [look.next_look_at for look in looks],
            },
        ).fetchone()
    assert isinstance(found, int)
    return found


LOOK_SOON: Final = """
UPDATE medic.alerts SET next_look_at = now() WHERE service_id = %(service_id)s AND resolved_at IS NULL
"""


def look_soon(tx: Transaction, service_id: int) -> None:
    """Have the next sweep look at a service's open alerts: something that holds them back has changed."""
    tx.execute(LOOK_SOON, {"service_id": service_id})


COUNT_FAILURES: Final = """
UPDATE medic.alerts SET consecutive_failures = %(failures)s
 WHERE service_id = %(service_id)s AND kind = %(kind)s AND resolved_at IS NULL
"""


def count_failures(tx: Transaction, service_id: int, kind: str, failures: int) -> None:
    """Note on an open alert how many runs are meant by it now."""
    tx.execute(COUNT_FAILURES, {"service_id": service_id, "kind": kind, "failures": failures})


#: Told with the service's newest alert, open or just over. That alert is told from then on, and its end is owed.
TELL_FLAPPING: Final = """
WITH newest AS (
    SELECT w.because, a.alert_id
      FROM unnest(%(service_ids)s::bigint[], %(becauses)s::text[]) AS w (service_id, because),
           LATERAL (SELECT alert_id FROM medic.alerts a WHERE a.service_id = w.service_id
                     ORDER BY alert_id DESC LIMIT 1) AS a
), owed AS (
    UPDATE medic.alerts a
       SET told_at = COALESCE(a.told_at, now()), recovery_held = a.resolved_at IS NOT NULL
      FROM newest WHERE a.alert_id = newest.alert_id
    RETURNING a.alert_id, a.consecutive_failures
), history AS (
    INSERT INTO medic.alert_events (alert_id, event, at, because, consecutive_failures)
    SELECT alert_id, 'flapping', now(), because, consecutive_failures FROM newest JOIN owed USING (alert_id)
    RETURNING alert_event_id
), told AS (
    INSERT INTO medic.outbox (topic, subject_id) SELECT 'notification', alert_event_id FROM history
)
SELECT count(*) FROM history
"""


def tell_flapping(tx: Transaction, becauses: Mapping[int, str]) -> int:
    """Tell people that these services flap, and why; returns how many notifications that makes."""
    if not becauses:
        return 0
    with tx.cursor(row_factory=scalar_row) as cursor:
        values = {"service_ids": list(becauses), "becauses": list(becauses.values())}
        found = cursor.execute(TELL_FLAPPING, values).fetchone()
    assert isinstance(found, int)
    return found


TELL_HELD: Final = """
WITH settled AS (
    UPDATE medic.alerts SET recovery_held = false WHERE service_id = ANY(%(service_ids)s::bigint[]) AND recovery_held
    RETURNING alert_id, service_id
), told AS (
    INSERT INTO medic.outbox (topic, subject_id)
    SELECT 'notification', e.alert_event_id
      FROM settled JOIN medic.alert_events e USING (alert_id)
     WHERE e.event = 'resolved' AND settled.service_id = ANY(%(recovered)s::bigint[])
    ON CONFLICT DO NOTHING
    RETURNING subject_id
), still_so AS (
    UPDATE medic.alerts
       SET next_look_at = now(),
           remind_at = CASE WHEN status = 'open' AND told_at IS NOT NULL THEN now() ELSE remind_at END
     WHERE service_id = ANY(%(service_ids)s::bigint[]) AND resolved_at IS NULL
)
SELECT count(*) FROM told
"""


def tell_held(tx: Transaction, service_ids: Collection[int], recovered: Collection[int]) -> int:
    """Services have stopped flapping: the ends that were held are told of those that recovered.

    What is open is looked at again, and so told. Returns how many notifications were made.
    """
    with tx.cursor(row_factory=scalar_row) as cursor:
        values = {"service_ids": list(service_ids), "recovered": list(recovered)}
        found = cursor.execute(TELL_HELD, values).fetchone()
    assert isinstance(found, int)
    return found


TOLD: Final = """
SELECT e.alert_event_id, e.alert_id, e.event, e.at, e.because, e.consecutive_failures, e.actor, a.kind,
       a.heartbeat_name, a.priority, a.opened_at, a.overdue_since, a.service_id,
       COALESCE(s.service_name, '') AS service_name, COALESCE(t.name, '') AS team, COALESCE(s.runbook, '') AS runbook,
       e.swept_at, COALESCE(e.opened_together, 1) AS opened_together
  FROM medic.alert_events e
  JOIN medic.alerts a USING (alert_id)
  LEFT JOIN medic.services s USING (service_id)
  LEFT JOIN medic.teams t USING (team_id)
"""
NOTIFICATION: Final = TOLD + " WHERE e.alert_event_id = %(alert_event_id)s"
NOTIFICATIONS: Final = TOLD + " WHERE e.alert_event_id = ANY(%(alert_event_ids)s::bigint[]) ORDER BY e.alert_event_id"


def notification(tx: Transaction, alert_event_id: int) -> tuple[Notification, Together] | None:
    """What there is to tell about an event, and what was opened with it; None where it is gone."""
    with tx.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(NOTIFICATION, {"alert_event_id": alert_event_id}).fetchone()
    return _notification(row) if row else None


def notifications(tx: Transaction, alert_event_ids: Sequence[int]) -> list[Notification]:
    """What there is to tell about several events, in order."""
    with tx.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(NOTIFICATIONS, {"alert_event_ids": list(alert_event_ids)}).fetchall()
    return [_notification(row)[0] for row in rows]


def _notification(row: dict[str, Any]) -> tuple[Notification, Together]:
    together = Together(row.pop("swept_at"), row.pop("opened_together"))
    known = {**row, "event": AlertEvent(row["event"]), "priority": Priority(row["priority"])}
    return Notification(**known), together
