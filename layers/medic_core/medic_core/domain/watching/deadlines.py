"""When silence becomes a problem: exact, and without counting events.

A deadline is put together from terms, each with its reason, and the latest one decides. What decides is what
`explanations` shows. A schedule that cannot be read counts as one of every hour: its service is heard and watched on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from medic_core.domain.watching.schedules import EVERY_HOUR, Cron, Interval, Schedule, Unreadable

if TYPE_CHECKING:
    from types import ModuleType


#: Ticks are counted one by one: so many in one look, the others in the next.
MOST_PERIODS_AT_ONCE = 1000
#: Two ticks are a minute apart at least.
SHORTEST_GAP = timedelta(minutes=1)
RESOLUTION = timedelta(microseconds=1)


class Reason(StrEnum):
    """What else than a sign of life can hold a deadline back."""

    BEGAN = "began"  #: the watch of a cron schedule began
    STARTED = "started"  #: a run is under way
    FAILED = "failed"  #: a run failed within the tolerance: that was no silence


@dataclass(frozen=True, slots=True)
class Extension:
    """Something else than a sign of life that was heard at `since`: the deadline is not before `until`.

    It counts as long as no sign of life is newer than `since`.
    """

    since: datetime
    until: datetime
    reason: Reason = Reason.STARTED


def in_force(extensions: Iterable[Extension], last_heartbeat_at: datetime | None) -> tuple[Extension, ...]:
    """Those that no sign of life has ended. An ordinary heartbeat leaves all in the row: it writes times only.

    A watch that began in the very instant of one still waits for its first tick: else nothing would be waited for.
    """
    return tuple(
        one
        for one in extensions
        if last_heartbeat_at is None
        or one.since > last_heartbeat_at
        or (one.reason is Reason.BEGAN and one.since == last_heartbeat_at)
    )


def window_from(start: datetime, schedule: Schedule) -> tuple[datetime, ...]:
    """The heartbeats of a service whose watch begins at `start`: a beginning counts as all that an interval needs.

    For a cron schedule it is no success: the tick right after it is expected (`beginning`).
    """
    return (start,) * schedule.threshold if isinstance(schedule, Interval) else ()


def beginning(start: datetime, schedule: Schedule) -> tuple[Extension, ...]:
    """What a cron schedule whose watch begins at `start` is waited for: its first tick."""
    if isinstance(schedule, Interval):
        return ()
    try:
        until = next_tick(start, schedule) + schedule.grace
    except Unreadable:
        until = expected_after(start, EVERY_HOUR)
    return (Extension(start, until, Reason.BEGAN),)


def remembered(recent: Sequence[datetime], heard_at: datetime, schedule: Schedule) -> tuple[datetime, ...]:
    """The heartbeats that still matter once one more was heard: newest first, as many as the schedule wants.

    Sorted, so that late and reordered heartbeats leave the same window as ordered ones.
    """
    wanted = schedule.threshold if isinstance(schedule, Interval) else 1
    return tuple(sorted((*recent, heard_at), reverse=True)[:wanted])


@dataclass(frozen=True, slots=True)
class Term:
    """What was heard at `since` allows silence `until` then. No reason is the usual one: signs of life."""

    since: datetime
    until: datetime
    reason: Reason | None = None


def terms(recent: Sequence[datetime], schedule: Schedule, extensions: Sequence[Extension] = ()) -> tuple[Term, ...]:
    """All that a deadline is put together from."""
    heard = [Term(recent[-1], expected_after(recent[-1], schedule))] if recent else []
    return (*heard, *(Term(one.since, one.until, one.reason) for one in extensions))


def deadline(recent: Sequence[datetime], schedule: Schedule, extensions: Sequence[Extension] = ()) -> datetime:
    """The latest of its terms. There must be one."""
    return max(term.until for term in terms(recent, schedule, extensions))


def expected_after(heard_at: datetime, schedule: Schedule) -> datetime:
    """How long the heartbeat that counts allows to be silent: for an interval the N-th most recent, for cron the last.

    Interval: up to that moment every window of its length holds at least N heartbeats; past it one does not.
    Cron: the grace after the first tick that this success does not count for.
    """
    if isinstance(schedule, Interval):
        return heard_at + schedule.every + schedule.grace
    try:
        return _tick_wanted_after(heard_at, schedule) + schedule.grace
    except Unreadable:
        return expected_after(heard_at, EVERY_HOUR)


def _tick_wanted_after(success: datetime, schedule: Cron) -> datetime:
    """A success shortly before a tick counts for it; from more than half the gap before it, for the one before."""
    tick = next_tick(success, schedule)
    early = tick - success
    if early > schedule.early_tolerance or next_tick(success - early, schedule) <= success:
        return tick
    return next_tick(tick, schedule)


def next_tick(after: datetime, schedule: Cron) -> datetime:
    """The first tick after a moment."""
    tick: datetime = _cron().next_tick(schedule.expression, schedule.timezone, after)
    return tick


def period(schedule: Schedule, at: datetime) -> timedelta:
    """How far apart two heartbeats are expected at a time: the interval, or the gap between the next two ticks."""
    if isinstance(schedule, Interval):
        return schedule.every
    tick = next_tick(at, schedule)
    return next_tick(tick, schedule) - tick


@dataclass(frozen=True, slots=True)
class Expected:
    """A heartbeat that will be expected: when, from when on one counts for it, and when its silence is a problem."""

    at: datetime
    counts_from: datetime | None
    deadline: datetime


def upcoming(schedule: Schedule, after: datetime, count: int) -> list[Expected]:
    """The next heartbeats that are expected after a moment, each as if the one before had come just in time."""
    if isinstance(schedule, Interval):
        return [
            Expected(at, None, at + schedule.grace) for at in (after + n * schedule.every for n in range(1, count + 1))
        ]
    found, tick = [], after
    for _ in range(count):
        tick = next_tick(tick, schedule)
        found.append(Expected(tick, tick - _early_at(tick, schedule), tick + schedule.grace))
    return found


def _early_at(tick: datetime, schedule: Cron) -> timedelta:
    """How long before a tick a success counts for it: up to half the gap to the tick before it."""
    back, farthest = SHORTEST_GAP, 2 * schedule.early_tolerance
    while back < farthest and next_tick(tick - back, schedule) == tick:
        back = min(2 * back, farthest)
    before = tick - back - RESOLUTION
    while (one := next_tick(before, schedule)) < tick:
        before = one
    return min(schedule.early_tolerance, (tick - before) / 2)


def silence_allowed(schedule: Schedule, at: datetime) -> timedelta:
    """One expected period and the grace."""
    try:
        return period(schedule, at) + schedule.grace
    except Unreadable:
        return silence_allowed(EVERY_HOUR, at)


def why_unreadable(schedule: Schedule) -> str:
    """Why a schedule counts as one of every hour, empty where it can be read."""
    if isinstance(schedule, Interval):
        return ""
    found: str = _cron().why_unreadable(schedule.expression, schedule.timezone)
    return found


def next_missed(counted: datetime, schedule: Schedule) -> datetime:
    """When one more expected period will have been missed after the deadline that was `counted` last."""
    if isinstance(schedule, Interval):
        return counted + schedule.every
    return next_tick(counted - schedule.grace, schedule) + schedule.grace


def missed_since(counted: datetime, schedule: Schedule, now: datetime) -> tuple[int, datetime]:
    """How many expected periods were missed after the deadline that was `counted` last, and the last of them."""
    if isinstance(schedule, Interval):
        more = max(0, (now - counted) // schedule.every)
        return more, counted + more * schedule.every
    more = 0
    while more < MOST_PERIODS_AT_ONCE and (following := next_missed(counted, schedule)) <= now:
        more, counted = more + 1, following
    return more, counted


def _cron() -> ModuleType:
    # The hot path knows intervals only, and must not pay for croniter.
    from medic_core.domain.watching import cron  # noqa: PLC0415

    return cron
