"""What an instance has counted and not written yet."""

from __future__ import annotations

import time
from collections.abc import Callable

from medic_core.domain.observing.exposition import Sample
from medic_core.domain.observing.metrics import Family, bucket
from medic_core.errors import Unavailable
from medic_core.store import counters
from medic_core.store.connection import Database

Key = tuple[str, tuple[tuple[str, str], ...]]


class Tally:
    """Counts in memory, written with one statement every few seconds at most, and only while there is something.

    The first is written at once, so who is seldom asked is exact; of an instance that ends while it is busy, the last
    seconds are missing. Counting never fails what is counted.
    """

    def __init__(self, database: Database, every: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._every = every
        self._clock = clock
        self._counts: dict[Key, float] = {}
        self._next = 0.0

    def count(self, family: Family, value: float = 1, **labels: str) -> None:
        """Count something of a counter's series."""
        self._add(family.name, value, labels)

    def observe(self, family: Family, value: float, **labels: str) -> None:
        """Count one value of a histogram."""
        self._add(family.name, 1, {**labels, "le": bucket(family, value)})
        self._add(family.sum_name, value, labels)

    def write_if_due(self) -> None:
        """Write what was counted, if the last time is long enough ago."""
        if self._clock() >= self._next:
            self.write()

    def write(self) -> None:
        """Write what was counted now. What the database does not take is kept for the next time."""
        if not self._counts:
            return
        self._next = self._clock() + self._every
        try:
            with self._database.autocommit() as connection:
                counters.add(connection, [Sample(name, dict(labels), n) for (name, labels), n in self._counts.items()])
        except Unavailable:
            return
        self._counts.clear()

    def _add(self, name: str, value: float, labels: dict[str, str]) -> None:
        key = (name, tuple(sorted(labels.items())))
        self._counts[key] = self._counts.get(key, 0.0) + value
