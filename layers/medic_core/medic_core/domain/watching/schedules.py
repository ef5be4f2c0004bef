"""How often a service must be heard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

SHORTEST_INTERVAL = timedelta(seconds=10)
LONGEST_INTERVAL = timedelta(days=365)
LONGEST_GRACE = timedelta(days=365)
MAX_THRESHOLD = 1000


@dataclass(frozen=True, slots=True)
class Interval:
    """At least `threshold` heartbeats in any window of `every`; `grace` is always added before we worry."""

    every: timedelta
    threshold: int = 1
    grace: timedelta = timedelta(0)

    @property
    def silence_allowed(self) -> timedelta:
        """How long after the heartbeat that counts silence becomes a problem."""
        return self.every + self.grace
