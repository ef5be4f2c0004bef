"""All numbers at once, as they are now."""

from __future__ import annotations

from datetime import timedelta

from medic_core.domain.observing.exposition import Sample
from medic_core.errors import Unavailable
from medic_core.store import counting, gauges
from medic_core.store.connection import Database
from medic_core.store.gauges import Gauges

#: Who counts is seldom in between once, and never so often.
TRIES = 5


def read_metrics(database: Database, breaker_executions: int, breaker_window: timedelta) -> tuple[Gauges, list[Sample]]:
    """Gauges and counters, in two statements; again where history was added up between them. Raises Unavailable."""
    for _ in range(TRIES):
        with database.autocommit() as connection:
            standing = gauges.read(connection, breaker_executions, breaker_window)
            counted = counting.read(connection, standing.counted_until)
        if counted is not None:
            return standing, counted
    raise Unavailable
