"""Alerts as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import class_row

from medic_core.store.connection import Transaction
from medic_core.store.gathering import gathered

COLUMNS: Final = """
SELECT a.alert_id, a.service_id, a.heartbeat_name, s.service_name, s.team_id, t.name AS team, a.kind, a.status,
       a.priority, a.because, a.consecutive_failures, a.opened_at, a.told_at, a.reminders, a.acknowledged_by,
       a.acknowledged_at, a.snoozed_until, a.resolved_at,
       (SELECT max(e.at) FROM medic.alert_events e WHERE e.alert_id = a.alert_id) AS updated_at
"""
TABLES: Final = """
  FROM medic.alerts a
  LEFT JOIN medic.services s USING (service_id)
  LEFT JOIN medic.teams t USING (team_id)
"""
LIST: Final = (
    COLUMNS
    + TABLES
    + """
 WHERE (%(alert_id)s::bigint IS NULL OR a.alert_id = %(alert_id)s)
   AND (%(active)s::boolean IS NULL OR (a.resolved_at IS NULL) = %(active)s)
   AND (%(statuses)s::text[] IS NULL OR a.status = ANY(%(statuses)s))
   AND (%(kinds)s::text[] IS NULL OR a.kind = ANY(%(kinds)s))
   AND (%(priorities)s::text[] IS NULL OR a.priority = ANY(%(priorities)s))
   AND (%(service_id)s::bigint IS NULL OR a.service_id = %(service_id)s)
   AND (%(team_id)s::bigint IS NULL OR s.team_id = %(team_id)s)
   AND (%(before)s::bigint IS NULL OR a.alert_id < %(before)s)
 ORDER BY a.alert_id DESC
 LIMIT %(limit)s
"""
)


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert as it is listed."""

    alert_id: int
    service_id: int | None
    heartbeat_name: str
    service_name: str | None
    team_id: int | None
    team: str | None
    kind: str
    status: str
    priority: str
    because: str
    consecutive_failures: int
    opened_at: datetime
    told_at: datetime | None
    reminders: int
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    snoozed_until: datetime | None
    resolved_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts are listed; None does not filter."""

    alert_id: int | None = None
    active: bool | None = None
    statuses: Sequence[str] | None = None
    kinds: Sequence[str] | None = None
    priorities: Sequence[str] | None = None
    service_id: int | None = None
    team_id: int | None = None


def listed(tx: Transaction, wanted: Wanted, *, before: int | None = None, limit: int = 1) -> list[AlertRow]:
    """Alerts, newest first, from the one before `before`."""
    values: dict[str, Any] = {name: getattr(wanted, name) for name in Wanted.__dataclass_fields__}
    with tx.cursor(row_factory=class_row(AlertRow)) as cursor:
        return cursor.execute(LIST, {**values, "before": before, "limit": limit}).fetchall()


#: Its events in their order.
WITH_EVENTS: Final = (
    COLUMNS  # noqa: S608 - constants
    + """,
       ARRAY(SELECT ROW(e.alert_event_id, e.event, e.at, e.actor, e.because, e.consecutive_failures)
               FROM medic.alert_events e WHERE e.alert_id = a.alert_id
              ORDER BY e.alert_event_id LIMIT %(most)s) AS events
"""
    + TABLES
    + " WHERE a.alert_id = %(alert_id)s"
)


@dataclass(frozen=True, slots=True)
class EventRow:
    """Something that happened to an alert."""

    alert_event_id: int
    event: str
    at: datetime
    actor: str | None
    because: str
    consecutive_failures: int


def with_events(tx: Transaction, alert_id: int, most: int) -> tuple[AlertRow, list[EventRow]] | None:
    """An alert, and the first things that happened to it; None where it is not there."""
    found = gathered(tx, WITH_EVENTS, alert_id=alert_id, most=most)
    if found is None:
        return None
    events = [EventRow(*one) for one in found.pop("events")]
    return AlertRow(**found), events
