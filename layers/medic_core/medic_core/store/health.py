"""What a health check asks of the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from psycopg.rows import class_row

from medic_core.store.connection import Transaction

#: The newest migration that this code was written for; a contract test compares it with the files.
NEWEST_MIGRATION: Final = "0005.management"
#: The migration library's own table; it lies in `public` (adapters.migrations says why).
CHECK: Final = """
SELECT now() - last_sweep_at AS since_sweep,
       (SELECT max(migration_id) FROM public._yoyo_migration) AS newest_migration
  FROM medic.monitor_state
"""


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """That it answers, how long ago a sweep was completed (None: never), and how far its schema is."""

    since_sweep: timedelta | None
    newest_migration: str | None

    @property
    def is_current(self) -> bool:
        """Whether the schema is what this code knows, or newer: a deploy migrates before it replaces the code."""
        return (self.newest_migration or "") >= NEWEST_MIGRATION


def check(tx: Transaction) -> DatabaseHealth:
    """Ask the cheapest question that needs our own tables."""
    with tx.cursor(row_factory=class_row(DatabaseHealth)) as cursor:
        found = cursor.execute(CHECK).fetchone()
    assert found is not None
    return found
