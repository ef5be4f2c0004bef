"""How often a service must be heard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

SHORTEST_INTERVAL = timedelta(seconds=10)
LONGEST_INTERVAL = timedelta(days=365)
LONGEST_GRACE = timedelta(days=365)
MAX_THRESHOLD = 1000
DEFAULT_EARLY_TOLERANCE = timedelta(seconds=60)
LONGEST_EARLY_TOLERANCE = timedelta(hours=12)


class ScheduleKind(StrEnum):
    """The kinds of schedule that a service may have."""

    INTERVAL = "interval"
    CRON = "cron"


@dataclass(frozen=True, slots=True)
class Interval:
    """At least `threshold` heartbeats in any window of `every`; `grace` is always added before we worry."""

    every: timedelta
    threshold: int = 1
    grace: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Cron:
    """A success after each tick of `expression` in the IANA zone `timezone`; `grace` is added before we worry.

    A success up to `early_tolerance` before a tick counts for it.
    """

    expression: str
    timezone: str = "UTC"
    grace: timedelta = timedelta(0)
    early_tolerance: timedelta = DEFAULT_EARLY_TOLERANCE


Schedule = Interval | Cron


class Unreadable(ValueError):
    """A schedule that nobody can reckon with any more: its zone was given up, say."""


#: What counts in place of one that cannot be read: nobody else may have to wait for it.
EVERY_HOUR = Interval(timedelta(hours=1))
