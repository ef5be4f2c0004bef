"""When silence becomes a problem: exact, and without counting events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from medic_core.domain.watching.schedules import Interval


def window_from(start: datetime, schedule: Interval) -> tuple[datetime, ...]:
    """The heartbeats of a service whose watch begins at `start`: a beginning counts as all that are needed."""
    return (start,) * schedule.threshold


def remembered(recent: Sequence[datetime], heard_at: datetime, schedule: Interval) -> tuple[datetime, ...]:
    """The heartbeats that still matter once one more was heard: newest first, `threshold` of them.

    Sorted, so that late and reordered heartbeats leave the same window as ordered ones.
    """
    return tuple(sorted((*recent, heard_at), reverse=True)[: schedule.threshold])


def deadline(recent: Sequence[datetime], schedule: Interval) -> datetime:
    """The N-th most recent heartbeat + interval + grace.

    Up to that moment every window of the interval's length holds at least N heartbeats; past it one does not.
    """
    return recent[schedule.threshold - 1] + schedule.silence_allowed


def missed_periods(overdue_since: datetime, every: timedelta, now: datetime) -> int:
    """Whole expected periods missed so far: 1 at the deadline, one more each `every` after it."""
    return 1 + max(0, (now - overdue_since) // every)


def next_missed_period(overdue_since: datetime, every: timedelta, now: datetime) -> datetime:
    """When `missed_periods` will next be one more."""
    return overdue_since + missed_periods(overdue_since, every, now) * every
