"""What a health check asks of the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from psycopg.rows import class_row

from medic_core.store.connection import Transaction

CHECK: Final = "SELECT now() - last_sweep_at AS since_sweep FROM medic.monitor_state"


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """That it answers, and how long ago a sweep was completed (None: never)."""

    since_sweep: timedelta | None


def check(tx: Transaction) -> DatabaseHealth:
    """Ask the cheapest question that needs our own tables."""
    with tx.cursor(row_factory=class_row(DatabaseHealth)) as cursor:
        found = cursor.execute(CHECK).fetchone()
    assert found is not None
    return found
