"""Batches: many services of a trigger failed at once, and one decision is waited for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from psycopg.rows import class_row

from medic_core.store.connection import Transaction


class BatchStatus(StrEnum):
    """What became of a batch."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it is kept."""

    batch_id: int
    trigger_id: int
    playbook_id: int
    status: str
    because: str
    created_at: datetime
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    services: int


#: The update that changes nothing makes the statement return the batch that is open.
OPEN: Final = """
INSERT INTO medic.repair_batches (trigger_id, because, expires_at)
VALUES (%(trigger_id)s, %(because)s, now() + %(expires_after)s)
ON CONFLICT (trigger_id) WHERE status = 'pending' DO UPDATE SET trigger_id = EXCLUDED.trigger_id
RETURNING batch_id, xmax = 0
"""


def open_for(tx: Transaction, trigger_id: int, because: str, expires_after: timedelta) -> tuple[int, bool]:
    """The trigger's open batch, made where there is none; and whether it was."""
    values = {"trigger_id": trigger_id, "because": because, "expires_after": expires_after}
    row = tx.execute(OPEN, values).fetchone()
    assert row is not None
    return row[0], row[1]


READ: Final = """
SELECT b.batch_id, b.trigger_id, t.playbook_id, b.status, b.because, b.created_at, b.expires_at, b.decided_by,
       b.decided_at,
       (SELECT count(*)::int FROM medic.trigger_firings f WHERE f.batch_id = b.batch_id) AS services
  FROM medic.repair_batches b JOIN medic.playbook_triggers t USING (trigger_id)
 WHERE (%(batch_id)s::bigint IS NULL OR b.batch_id = %(batch_id)s)
   AND (%(status)s::text IS NULL OR b.status = %(status)s)
   AND (%(before)s::bigint IS NULL OR b.batch_id < %(before)s)
 ORDER BY b.batch_id DESC LIMIT %(limit)s
"""


def listed(
    tx: Transaction, batch_id: int | None = None, status: str | None = None, before: int | None = None, limit: int = 1
) -> list[Batch]:
    """Batches, newest first; None does not filter."""
    values = {"batch_id": batch_id, "status": status, "before": before, "limit": limit}
    with tx.cursor(row_factory=class_row(Batch)) as cursor:
        return cursor.execute(READ, values).fetchall()


DECIDE: Final = """
UPDATE medic.repair_batches SET status = %(status)s, decided_by = %(decided_by)s, decided_at = now()
 WHERE batch_id = %(batch_id)s AND status = 'pending' AND expires_at > now()
RETURNING batch_id
"""


def decide(tx: Transaction, batch_id: int, status: str, decided_by: str) -> bool:
    """Take a decision; False where there is none to take (any more)."""
    values = {"batch_id": batch_id, "status": status, "decided_by": decided_by}
    return tx.execute(DECIDE, values).fetchone() is not None


@dataclass(frozen=True, slots=True)
class Expired:
    """A batch that nobody decided in time, and for how many services it was."""

    batch_id: int
    trigger_id: int
    playbook_id: int
    services: int


#: What was held for it is held no longer. One that somebody else ends or decides at this moment is theirs.
EXPIRE: Final = """
WITH due AS (
    SELECT batch_id FROM medic.repair_batches
     WHERE status = 'pending' AND expires_at <= now()
       AND (%(trigger_id)s::bigint IS NULL OR trigger_id = %(trigger_id)s)
       FOR UPDATE SKIP LOCKED
), expired AS (
    UPDATE medic.repair_batches b SET status = 'expired', decided_at = now()
      FROM due WHERE b.batch_id = due.batch_id
    RETURNING b.batch_id, b.trigger_id
), released AS (
    UPDATE medic.trigger_firings f SET decision = 'blocked', because = 'nobody decided about the batch in time'
      FROM expired WHERE f.batch_id = expired.batch_id AND f.decision = 'held'
    RETURNING f.batch_id
)
SELECT e.batch_id, e.trigger_id, t.playbook_id,
       (SELECT count(*)::int FROM released r WHERE r.batch_id = e.batch_id) AS services
  FROM expired e JOIN medic.playbook_triggers t USING (trigger_id)
 ORDER BY e.batch_id
"""


def expire(tx: Transaction, trigger_id: int | None = None) -> list[Expired]:
    """End batches that nobody decided in time, of one trigger or of all; those that ended here."""
    with tx.cursor(row_factory=class_row(Expired)) as cursor:
        return cursor.execute(EXPIRE, {"trigger_id": trigger_id}).fetchall()


RELEASE: Final = """
UPDATE medic.trigger_firings SET decision = %(decision)s, because = %(because)s, execution_id = %(execution_id)s
 WHERE firing_id = %(firing_id)s
"""


def release(tx: Transaction, firing_id: int, decision: str, because: str, execution_id: int | None) -> None:
    """Write what came of a firing that was held."""
    values = {"firing_id": firing_id, "decision": decision, "because": because, "execution_id": execution_id}
    tx.execute(RELEASE, values)
