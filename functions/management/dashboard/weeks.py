"""A week as a picture: where working time and maintenance stand in each of its days, in UTC."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from medic_core.domain.alerting.maintenance import Occurrence
from medic_core.errors import BadRequest

WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})", re.ASCII)
EARLIEST_YEAR, LATEST_YEAR = 1970, 9000
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
#: A day is as high as it has minutes, and as wide as it has percent.
WIDTH, HEIGHT = 100.0, 1440
#: What lasts a moment is seen too.
LEAST_HEIGHT = 12.0


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days from a Monday on."""

    start: datetime

    @property
    def end(self) -> datetime:
        return self.start + 7 * DAY

    @property
    def name(self) -> str:
        """As a browser's field of a week has it."""
        year, number, _ = self.start.isocalendar()
        return f"{year:04}-W{number:02}"

    def moved(self, weeks: int) -> Week:
        """The week so many later."""
        return Week(self.start + weeks * 7 * DAY)


@dataclass(frozen=True, slots=True)
class Band:
    """Working time in a day."""

    y: float
    height: float
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """A window's time in a day, beside those that hold at the same time."""

    name: str
    x: float
    y: float
    width: float
    height: float
    text: str


@dataclass(frozen=True, slots=True)
class Day:
    """One day with all that stands in it."""

    date: date
    bands: list[Band]
    blocks: list[Block]


def week_named(name: str) -> Week:
    """The week of a name like 2026-W48. Raises BadRequest."""
    match = WEEK.fullmatch(name)
    try:
        if match is not None and EARLIEST_YEAR <= int(match[1]) <= LATEST_YEAR:
            return _beginning(date.fromisocalendar(int(match[1]), int(match[2]), 1))
    except ValueError:
        pass
    raise BadRequest("week: must be a week like 2026-W48.")


def week_of(moment: datetime) -> Week:
    """The week that a moment lies in."""
    today = moment.astimezone(UTC).date()
    return _beginning(today - timedelta(days=today.weekday()))


def days(week: Week, at_work: Iterable[tuple[datetime, datetime]], held: Iterable[tuple[str, Occurrence]]) -> list[Day]:
    """The week's days: working time, and named times of maintenance."""
    work, times = list(at_work), list(held)
    return [_day(week.start + number * DAY, work, times) for number in range(7)]


def _beginning(day: date) -> Week:
    return Week(datetime.combine(day, time(), UTC))


def _day(start: datetime, at_work: Sequence[tuple[datetime, datetime]], held: Sequence[tuple[str, Occurrence]]) -> Day:
    bands = [
        Band(first, last - first, _text(first, last))
        for begins, ends in at_work
        if (found := _within(start, begins, ends)) is not None
        for first, last in (found,)
    ]
    parts = [(*found, name) for name, one in held if (found := _within(start, one.start, one.end)) is not None]
    return Day(start.date(), bands, _beside(sorted(parts)))


def _within(day: datetime, begins: datetime, ends: datetime) -> tuple[float, float] | None:
    """From which minute of a day to which something lasts, if it does in it at all."""
    first, last = max(begins, day), min(ends, day + DAY)
    return ((first - day) / MINUTE, (last - day) / MINUTE) if first < last else None


def _beside(parts: Sequence[tuple[float, float, str]]) -> list[Block]:
    """Each in the first lane that is free."""
    ends: list[float] = []
    lanes: list[int] = []
    for first, last, _ in parts:
        lane = next((number for number, end in enumerate(ends) if end <= first), len(ends))
        ends[lane : lane + 1] = [last]
        lanes.append(lane)
    width = WIDTH / max(1, len(ends))
    return [
        Block(name, round(lane * width, 2), first, round(width, 2), max(LEAST_HEIGHT, last - first), _text(first, last))
        for (first, last, name), lane in zip(parts, lanes, strict=True)
    ]


def _text(first: float, last: float) -> str:
    return f"{_face(first)}–{_face(last)}"


def _face(minute: float) -> str:
    return f"{int(minute) // 60:02}:{int(minute) % 60:02}"
