"""What was found of targets when they were last tried: rows only for those that were not well."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from psycopg.rows import class_row

from medic_core.store.connection import Transaction

NOTE_TROUBLE: Final = """
INSERT INTO medic.target_health AS known (target_key, failing_since, slow_until, throttled_until)
VALUES (%(target_key)s, CASE WHEN %(failed)s THEN now() END, now() + %(slow_for)s::interval,
        now() + %(throttled_for)s::interval)
ON CONFLICT (target_key) DO UPDATE
   SET failing_since = COALESCE(known.failing_since, EXCLUDED.failing_since),
       slow_until = COALESCE(EXCLUDED.slow_until, known.slow_until),
       throttled_until = COALESCE(EXCLUDED.throttled_until, known.throttled_until)
RETURNING now() AS now, failing_since
"""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Since when a target takes nothing."""

    now: datetime
    failing_since: datetime | None

    @property
    def failing_for(self) -> timedelta:
        """How long it has taken nothing."""
        return self.now - self.failing_since if self.failing_since is not None else timedelta(0)


def note_trouble(
    tx: Transaction,
    target_key: str,
    *,
    failed: bool,
    slow_for: timedelta | None = None,
    throttled_for: timedelta | None = None,
) -> Trouble:
    """Note that a target refused what it was sent for good, answered too late, or asked to be left alone."""
    values = {"target_key": target_key, "failed": failed, "slow_for": slow_for, "throttled_for": throttled_for}
    with tx.cursor(row_factory=class_row(Trouble)) as cursor:
        found = cursor.execute(NOTE_TROUBLE, values).fetchone()
    assert found is not None
    return found


NOTE_TOLD: Final = """
UPDATE medic.target_health SET failure_told_at = now() WHERE target_key = %(target_key)s AND failure_told_at IS NULL
"""


def note_told(tx: Transaction, target_key: str) -> bool:
    """Note that people hear of its failing; False where they did already."""
    return tx.execute(NOTE_TOLD, {"target_key": target_key}).rowcount == 1


NOTE_WELL: Final = """
UPDATE medic.target_health SET failing_since = NULL, failure_told_at = NULL, throttled_until = NULL
 WHERE target_key = %(target_key)s AND failing_since IS NOT NULL
"""


def note_well(tx: Transaction, target_key: str) -> None:
    """It took something."""
    tx.execute(NOTE_WELL, {"target_key": target_key})


#: The row is the lock: of all who want to group at the same time one may.
MAY_GROUP: Final = """
INSERT INTO medic.target_health AS known (target_key, grouped_at) VALUES (%(target_key)s, now())
ON CONFLICT (target_key) DO UPDATE SET grouped_at = now()
 WHERE known.grouped_at IS NULL OR known.grouped_at <= now() - %(every)s::interval
RETURNING true
"""


def may_group(tx: Transaction, target_key: str, every: timedelta) -> bool:
    """Whether a message that lists several alerts may be sent to a target now; if so, the next one waits."""
    return tx.execute(MAY_GROUP, {"target_key": target_key, "every": every}).fetchone() is not None


FORGET: Final = """
DELETE FROM medic.target_health
 WHERE failing_since IS NULL AND GREATEST(slow_until, throttled_until, grouped_at) < now() - interval '1 day'
"""


def forget(tx: Transaction) -> int:
    """Remove what is over; returns how many."""
    return tx.execute(FORGET).rowcount
