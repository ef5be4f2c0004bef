"""Maintenance windows: times in which silence is expected.

A window is one stretch of time, or one that recurs: it then begins at each tick of its cron expression, from its first
start on, and lasts as long as it was defined to, whatever clocks do meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from medic_core.domain.watching.schedules import Unreadable
from medic_core.errors import BadRequest

LONGEST = timedelta(days=366)
#: Ticks are compared over so many of them, and so long: a pattern of days has shown itself by then.
TICKS_COMPARED = 400
COMPARED_OVER = timedelta(days=800)
RESOLUTION = timedelta(microseconds=1)
#: Windows may follow one another without a gap; past so many of them nobody looks.
MOST_IN_A_ROW = 100


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A time in which a window holds: `end` is the first moment after it."""

    start: datetime
    end: datetime

    def holds(self, at: datetime) -> bool:
        """Whether a moment lies in it."""
        return self.start <= at < self.end


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` to `end`, or as long as that at each tick of `recurrence` in `timezone`."""

    start: datetime
    end: datetime
    recurrence: str | None = None
    timezone: str = "UTC"

    @property
    def length(self) -> timedelta:
        """What a recurring window keeps."""
        return self.end - self.start


def occurrence_from(window: Window, at: datetime) -> Occurrence | None:
    """The time of a window that is under way at a moment, else the next one; None when there is none any more."""
    if window.recurrence is None:
        return Occurrence(window.start, window.end) if at < window.end else None
    begins = _next_tick(window, max(at - window.length, window.start - RESOLUTION))
    return Occurrence(begins, begins + window.length)


def occurrence_at(window: Window, at: datetime) -> Occurrence | None:
    """The time of a window that a moment lies in, if any."""
    found = occurrence_from(window, at)
    return found if found is not None and found.holds(at) else None


def occurrences(window: Window, start: datetime, end: datetime) -> Iterator[Occurrence]:
    """The times of a window of which some part lies between two moments, in their order. None of an unreadable one."""
    at = start
    with suppress(Unreadable):
        while at < end and (found := occurrence_from(window, at)) is not None and found.start < end:
            yield found
            at = found.end


def until(windows: Sequence[Window], at: datetime) -> datetime | None:
    """When the windows that hold at a moment are over, also those that follow them without a gap; None if none does."""
    end = None
    for _ in range(MOST_IN_A_ROW):
        found = [one.end for window in windows if (one := occurrence_at(window, end or at)) is not None]
        if not found:
            break
        end = max(found)
    return end


def applies(service_ids: Iterable[int], tags: Iterable[str], service_id: int, its_tags: Iterable[str]) -> bool:
    """Whether a window is for a service: it lists it or one of its tags, or lists nothing at all."""
    listed, tagged = set(service_ids), set(tags)
    return not (listed or tagged) or service_id in listed or bool(tagged & set(its_tags))


def valid(window: Window) -> Window:
    """The window, if it can be kept; its recurrence must be a valid expression. Raises BadRequest naming the field."""
    if window.end <= window.start:
        raise BadRequest("end_time must lie after start_time.")
    if window.length > LONGEST:
        raise BadRequest(f"end_time must lie at most {LONGEST.days} days after start_time.")
    if window.recurrence is not None and _shortest_gap(window) <= window.length:
        raise BadRequest("recurrence: the window would begin again before it is over, and nothing would ever be told.")
    return window


def _shortest_gap(window: Window) -> timedelta:
    tick = first = _next_tick(window, window.start - RESOLUTION)
    shortest = COMPARED_OVER
    for _ in range(TICKS_COMPARED):
        following = _next_tick(window, tick)
        shortest = min(shortest, following - tick)
        tick = following
        if shortest <= window.length or tick - first > COMPARED_OVER:
            break
    return shortest


def _next_tick(window: Window, after: datetime) -> datetime:
    # Heartbeats that open an alert may come here, and must not pay for croniter where nothing recurs.
    from medic_core.domain.watching import cron  # noqa: PLC0415

    assert window.recurrence is not None
    return cron.next_tick(window.recurrence, window.timezone, after)
