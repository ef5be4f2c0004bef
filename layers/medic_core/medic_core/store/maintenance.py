"""Maintenance windows, and what they hold back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import class_row, dict_row, scalar_row

from medic_core.domain.alerting import maintenance
from medic_core.domain.alerting.maintenance import Occurrence, Window
from medic_core.store import watched
from medic_core.store.connection import Transaction
from medic_core.store.tables import Table


@dataclass(frozen=True, slots=True)
class MaintenanceWindow:
    """A window as it is kept. From `next_start` to `next_end` is the time under way, else the next one."""

    window_id: int
    name: str
    name_key: str
    start_time: datetime
    end_time: datetime
    recurrence: str | None
    timezone: str
    service_ids: list[int]
    tags: list[str]
    notify: bool
    reason: str
    created_by: str
    next_start: datetime | None
    next_end: datetime | None
    began_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime
    now: datetime

    @property
    def window(self) -> Window:
        """The rule."""
        return Window(self.start_time, self.end_time, self.recurrence, self.timezone)

    @property
    def is_active(self) -> bool:
        """Whether a time of it is under way."""
        return maintenance.occurrence_at(self.window, self.now) is not None

    def applies(self, service_id: int, tags: Sequence[str]) -> bool:
        """Whether it is for a service."""
        return maintenance.applies(self.service_ids, self.tags, service_id, tags)


WINDOWS: Final = Table("maintenance_windows", "window_id", MaintenanceWindow, fixed=frozenset({"window_id"}))

COLUMNS: Final = """
SELECT window_id, name, name_key, start_time, end_time, recurrence, timezone, service_ids, tags, notify, reason,
       created_by, next_start, next_end, began_at, version, created_at, updated_at
"""
#: With what people call the first of the services that each lists.
LISTED: Final = (
    COLUMNS  # noqa: S608 - constants
    + """, now() AS now,
       (SELECT jsonb_object_agg(s.service_id, s.service_name) FROM medic.services s
         WHERE s.service_id = ANY(w.service_ids[:%(most_names)s::int])) AS names
  FROM medic.maintenance_windows w
 WHERE window_id > %(after)s
 ORDER BY window_id LIMIT %(limit)s
"""
)


def listed(tx: Transaction, after: int, limit: int, most_names: int) -> tuple[list[MaintenanceWindow], dict[int, str]]:
    """Windows in the order of their making, and the names of their services, as far as they are still there."""
    with tx.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(LISTED, {"after": after, "limit": limit, "most_names": most_names}).fetchall()
    names = {int(number): name for row in rows for number, name in (row.pop("names") or {}).items()}
    return [MaintenanceWindow(**row) for row in rows], names


#: One that recurs has begun by then, and may have any number of times since.
BETWEEN: Final = (
    COLUMNS
    + """, now() AS now
  FROM medic.maintenance_windows
 WHERE start_time < %(end)s AND (recurrence IS NOT NULL OR end_time > %(start)s)
 ORDER BY window_id LIMIT %(limit)s
"""
)


def between(tx: Transaction, start: datetime, end: datetime, limit: int) -> list[MaintenanceWindow]:
    """Windows that may hold at some time between two moments."""
    with tx.cursor(row_factory=class_row(MaintenanceWindow)) as cursor:
        return cursor.execute(BETWEEN, {"start": start, "end": end, "limit": limit}).fetchall()


#: A window has changed sides: its time has come or gone since the monitor looked last.
CLAIM_TURNS: Final = (
    COLUMNS
    + """, %(now)s::timestamptz AS now
  FROM medic.maintenance_windows
 WHERE next_start <= %(now)s AND (began_at IS NULL OR next_end <= %(now)s)
 ORDER BY window_id
   FOR UPDATE SKIP LOCKED
"""
)


def claim_turns(tx: Transaction, now: datetime) -> list[MaintenanceWindow]:
    """The windows of which a time has begun or ended, for this transaction alone."""
    with tx.cursor(row_factory=class_row(MaintenanceWindow)) as cursor:
        return cursor.execute(CLAIM_TURNS, {"now": now}).fetchall()


TURN: Final = """
UPDATE medic.maintenance_windows SET next_start = %(start)s, next_end = %(end)s, began_at = %(began_at)s
 WHERE window_id = %(window_id)s
"""


def turn(tx: Transaction, window_id: int, next_time: Occurrence | None, began_at: datetime | None) -> None:
    """Note which time of a window is under way or next, and when that was seen to begin."""
    start, end = (next_time.start, next_time.end) if next_time else (None, None)
    tx.execute(TURN, {"window_id": window_id, "start": start, "end": end, "began_at": began_at})


TEAMS: Final = """
SELECT DISTINCT team_id FROM medic.services
 WHERE team_id IS NOT NULL AND (service_id = ANY(%(service_ids)s::bigint[]) OR tags && %(tags)s::text[])
 ORDER BY team_id LIMIT 100
"""


def teams_of(tx: Transaction, service_ids: Sequence[int], tags: Sequence[str]) -> list[int]:
    """The teams whose services a window lists, 100 at most; none for a window that is for all."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(TEAMS, {"service_ids": list(service_ids), "tags": list(tags)}).fetchall()


EXISTING: Final = "SELECT service_id FROM medic.services WHERE service_id = ANY(%(service_ids)s::bigint[])"


def existing_services(tx: Transaction, service_ids: Sequence[int]) -> set[int]:
    """Those of these ids that are services."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return set(cursor.execute(EXISTING, {"service_ids": list(service_ids)}).fetchall())


#: Deadlines that passed while their service is in maintenance: to the end of it, which is then looked at again.
DEFER: Final = (
    """
WITH due AS (
    SELECT st.service_id, held.until
      FROM medic.service_state st JOIN medic.services s USING (service_id),
           LATERAL (SELECT max(w.next_end) AS until FROM medic.maintenance_windows w
                     WHERE w.next_start <= %(now)s AND w.next_end > %(now)s AND """  # noqa: S608 - constants
    + watched.FOR_SERVICE
    + """) AS held
     WHERE st.alert_after <= %(now)s AND held.until IS NOT NULL
     ORDER BY st.alert_after LIMIT %(batch)s
       FOR UPDATE OF st SKIP LOCKED
)
UPDATE medic.service_state st SET alert_after = due.until FROM due WHERE st.service_id = due.service_id
"""
)
ANY_HOLDS: Final = """
SELECT EXISTS (SELECT FROM medic.maintenance_windows WHERE next_start <= %(now)s AND next_end > %(now)s)
"""


def defer(tx: Transaction, now: datetime, batch: int) -> int:
    """Move deadlines that passed in maintenance to its end; returns how many, `batch` at most."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        if not cursor.execute(ANY_HOLDS, {"now": now}).fetchone():
            return 0
    return tx.execute(DEFER, {"now": now, "batch": batch}).rowcount


#: A window is no more what it was: who waits for its end is found by that end.
HELD_BY: Final = """
SELECT st.service_id
  FROM medic.service_state st JOIN medic.services s USING (service_id)
 WHERE st.alert_after = %(end)s AND st.service_id > %(after)s
   AND (%(service_ids)s::bigint[] = '{}' AND %(tags)s::text[] = '{}' OR s.service_id = ANY(%(service_ids)s)
        OR s.tags && %(tags)s)
 ORDER BY st.service_id LIMIT %(batch)s
"""


def held_by(tx: Transaction, window: MaintenanceWindow, after: int, batch: int) -> list[int]:
    """Services whose deadline is the end of a window's time, from the one after `after`."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(
            HELD_BY, _whom(window) | {"end": window.next_end, "after": after, "batch": batch}
        ).fetchall()


LOOK_SOON: Final = """
UPDATE medic.alerts a SET next_look_at = now()
  FROM medic.services s
 WHERE a.service_id = s.service_id AND a.resolved_at IS NULL
   AND (%(service_ids)s::bigint[] = '{}' AND %(tags)s::text[] = '{}' OR s.service_id = ANY(%(service_ids)s)
        OR s.tags && %(tags)s)
"""


def look_soon(tx: Transaction, window: MaintenanceWindow) -> None:
    """Have the next sweep look at the open alerts that a window was for."""
    tx.execute(LOOK_SOON, _whom(window))


def _whom(window: MaintenanceWindow) -> dict[str, Any]:
    return {"service_ids": window.service_ids, "tags": window.tags}


AWAIT: Final = """
UPDATE medic.service_state st SET alert_after = found.alert_after
  FROM unnest(%(service_ids)s::bigint[], %(moments)s::timestamptz[]) AS found (service_id, alert_after)
 WHERE st.service_id = found.service_id AND st.alert_after > found.alert_after
"""


def await_again(tx: Transaction, deadlines: dict[int, datetime]) -> None:
    """Give services back the deadlines that they had without maintenance."""
    tx.execute(AWAIT, {"service_ids": list(deadlines), "moments": list(deadlines.values())})


FORGET: Final = """
DELETE FROM medic.maintenance_windows WHERE recurrence IS NULL AND end_time < now() - %(days)s * interval '1 day'
"""


def forget(tx: Transaction, days: int) -> int:
    """Remove windows that were over so long ago; returns how many."""
    return tx.execute(FORGET, {"days": days}).rowcount
