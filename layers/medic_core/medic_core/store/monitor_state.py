"""What the monitor remembers between two sweeps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg.rows import class_row

from medic_core.store.connection import Transaction

LOCK: Final = (
    "SELECT now() AS now, last_sweep_at, spool_waiting_since, gap_start, gap_end FROM medic.monitor_state FOR UPDATE"
)


@dataclass(frozen=True, slots=True)
class MonitorState:
    """The database's time, the last sweep, since when the spool has not been empty, and a gap yet to be judged."""

    now: datetime
    last_sweep_at: datetime | None
    spool_waiting_since: datetime | None
    gap_start: datetime | None
    gap_end: datetime | None


def lock(tx: Transaction) -> MonitorState:
    """Read it; other monitors wait until the transaction ends."""
    with tx.cursor(row_factory=class_row(MonitorState)) as cursor:
        found = cursor.execute(LOCK).fetchone()
    assert found is not None
    return found


SPOOL: Final = """
UPDATE medic.monitor_state
   SET spool_waiting_since = CASE WHEN %(waiting)s THEN COALESCE(spool_waiting_since, now()) END
 WHERE (spool_waiting_since IS NOT NULL) <> %(waiting)s
"""


def note_spool(tx: Transaction, *, waiting: bool) -> None:
    """Remember since when heartbeats wait in the spool, or that none do."""
    tx.execute(SPOOL, {"waiting": waiting})


GAP: Final = "UPDATE medic.monitor_state SET gap_start = %(start)s, gap_end = %(end)s"


def note_gap(tx: Transaction, start: datetime | None, end: datetime | None) -> None:
    """Remember a gap that must still be judged, or that there is none."""
    tx.execute(GAP, {"start": start, "end": end})


SWEPT: Final = "UPDATE medic.monitor_state SET last_sweep_at = GREATEST(last_sweep_at, %(at)s)"


def note_sweep(tx: Transaction, at: datetime) -> None:
    """The monitor was there at `at`, and looked at what was due or held it back."""
    tx.execute(SWEPT, {"at": at})
