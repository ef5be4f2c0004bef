"""What a health check asks of the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from psycopg.rows import class_row

from medic_core.store.connection import Transaction

#: The newest migration that this code was written for; a contract test compares it with the files.
NEWEST_MIGRATION: Final = "0013.heartbeats"
#: The migration library's own table; it lies in `public` (adapters.migrations says why).
CHECK: Final = """
SELECT now() - state.last_sweep_at AS since_sweep,
       now() - schema.installed_at AT TIME ZONE 'UTC' AS since_installation,
       schema.newest_migration
  FROM medic.monitor_state state,
       (SELECT max(migration_id) AS newest_migration, min(applied_at_utc) AS installed_at
          FROM public._yoyo_migration) AS schema
"""


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """That it answers, when a sweep was last completed (None: never), when it was set up, and how far its schema is."""

    since_sweep: timedelta | None
    since_installation: timedelta | None
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
