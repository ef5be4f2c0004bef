"""Working hours: when a team is at work, by the face of its own clock.

A range belongs to the day on which it begins: on a holiday none begins, and one that began the evening before runs to
its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from medic_core.errors import BadRequest

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MOST_RANGES_A_DAY = 24
MOST_HOLIDAYS = 400
#: Two ranges a week apart at most, and the longest run of holidays that anybody has.
LOOK_AHEAD = timedelta(days=45)
MINUTE = timedelta(minutes=1)
MINUTES_A_DAY = 24 * 60
FACE = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00", re.ASCII)
COUNTRY = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,10})?", re.ASCII)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Period(StrEnum):
    """When a target is told."""

    ALWAYS = "always"
    DURING_HOURS = "during_hours"
    AFTER_HOURS = "after_hours"


@dataclass(frozen=True, slots=True)
class Range:
    """From `start` until just before `end`, in minutes of the day that it begins on; past midnight it goes on."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """The ranges of each weekday (0 is Monday) in a zone, and the days on which none begins."""

    timezone: str
    ranges: tuple[tuple[Range, ...], ...]
    holidays: tuple[str, ...] = ()


def period_at(hours: WorkingHours | None, at: datetime) -> Period:
    """During or after hours. Without a schedule it is always during hours."""
    if hours is None:
        return Period.DURING_HOURS
    face = at.astimezone(_zone(hours.timezone)).replace(tzinfo=None)
    today, minute = face.date(), face.hour * 60 + face.minute
    is_within = _covers(hours, today, minute) or _covers(hours, today - timedelta(days=1), minute + MINUTES_A_DAY)
    return Period.DURING_HOURS if is_within else Period.AFTER_HOURS


def holds_until(hours: WorkingHours | None, at: datetime) -> datetime | None:
    """When the period that is now gives way to the other; None where it does not within weeks."""
    if hours is None:
        return None
    now = period_at(hours, at)
    for boundary in _boundaries(hours, at):
        if period_at(hours, boundary) is not now:
            return _first_minute_of(hours, boundary, at)
    return None


def at_work(hours: WorkingHours, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The stretches of working time between two moments, cut off there."""
    at = start
    while at < end:
        until = min(holds_until(hours, at) or end, end)
        if period_at(hours, at) is Period.DURING_HOURS:
            yield at, until
        at = until


def _zone(name: str) -> ZoneInfo:
    """UTC for a zone that is not known any more: that must keep nobody from being told."""
    try:
        return ZoneInfo(name)
    except (ValueError, LookupError, OSError):
        return ZoneInfo("UTC")


def _first_minute_of(hours: WorkingHours, found: datetime, after: datetime) -> datetime:
    """On a day when clocks change a period can begin where no boundary is written: go back to its first minute."""
    period = period_at(hours, found)
    while found - MINUTE > after and period_at(hours, found - MINUTE) is period:
        found -= MINUTE
    return found


def _boundaries(hours: WorkingHours, after: datetime) -> Iterator[datetime]:
    zone = _zone(hours.timezone)
    first = after.astimezone(zone).date() - timedelta(days=1)
    for number in range(LOOK_AHEAD.days):
        midnight = datetime.combine(first + timedelta(days=number), time())
        minutes = {minute for one in hours.ranges[midnight.weekday()] for minute in (one.start, one.end)}
        faces = [midnight + minute * MINUTE for minute in minutes]
        moments = {face.replace(tzinfo=zone, fold=fold).astimezone(UTC) for face in faces for fold in (0, 1)}
        yield from sorted(moment for moment in moments if moment > after)


def _covers(hours: WorkingHours, day: date, minute: int) -> bool:
    return any(one.start <= minute < one.end for one in hours.ranges[day.weekday()]) and not is_holiday(
        hours.holidays, day
    )


def is_holiday(holidays: Sequence[str], day: date) -> bool:
    """Whether a day is one of the listed ones, or a public holiday of a listed country or region."""
    written = day.isoformat()
    return any(one == written if one[0].isdigit() else day in _public(one, day.year) for one in holidays)


@lru_cache(maxsize=512)
def _public(country: str, year: int) -> frozenset[date]:
    """No days for a country that the library does not know any more: that must keep nobody from being told."""
    try:
        return _known(country, year)
    except NotImplementedError:
        return frozenset()


def _known(country: str, year: int) -> frozenset[date]:
    """Raises NotImplementedError for a country or region that the library does not know."""
    # Only schedules that name a country pay for the library.
    import holidays  # noqa: PLC0415

    code, _, region = country.partition("-")
    return frozenset(holidays.country_holidays(code, subdiv=region or None, years=year))


def read_ranges(hours: Mapping[str, Sequence[Mapping[str, str]]]) -> tuple[tuple[Range, ...], ...]:
    """Ranges as they are stored and sent. Raises BadRequest that names the field."""
    unknown = sorted(set(hours) - set(DAYS))
    if unknown:
        raise BadRequest(f"hours: {unknown[0][:50]!r} is no day; those are {', '.join(DAYS)}.")
    found = tuple(
        tuple(sorted((_range(one, f"hours.{day}") for one in hours.get(day, ())), key=lambda one: one.start))
        for day in DAYS
    )
    _refuse_overlaps(found)
    return found


def _range(sent: Mapping[str, str], field: str) -> Range:
    start, end = _minute(sent["start"], f"{field}.start"), _minute(sent["end"], f"{field}.end")
    if start == MINUTES_A_DAY:
        raise BadRequest(f"{field}.start must be before 24:00.")
    if start == end:
        raise BadRequest(f"{field}: a range must not end where it starts; a whole day is 00:00 to 24:00.")
    return Range(start, end if end > start else end + MINUTES_A_DAY)


def _minute(face: str, field: str) -> int:
    if not FACE.fullmatch(face):
        raise BadRequest(f"{field} must be a time of day like 09:30.")
    hour, minute = face.split(":")
    return int(hour) * 60 + int(minute)


def _refuse_overlaps(ranges: Sequence[Sequence[Range]]) -> None:
    """A week is a circle: what begins on Sunday night may run into Monday."""
    week = len(DAYS) * MINUTES_A_DAY
    laid = sorted(
        (day * MINUTES_A_DAY + one.start, day * MINUTES_A_DAY + one.end, DAYS[day])
        for day, of_day in enumerate(ranges)
        for one in of_day
    )
    for (_, end, day), (start, _, next_day) in pairwise(laid):
        if start < end:
            raise BadRequest(f"hours: a range of {day} overlaps one of {next_day}.")
    if laid and laid[-1][1] > laid[0][0] + week:
        raise BadRequest(f"hours: a range of {laid[-1][2]} overlaps one of {laid[0][2]}.")


def valid_holidays(holidays: Sequence[str]) -> tuple[str, ...]:
    """Days and countries, each once, sorted. Raises BadRequest that names the field."""
    if len(holidays) > MOST_HOLIDAYS:
        raise BadRequest(f"holidays must be at most {MOST_HOLIDAYS}.")
    return tuple(sorted({_valid_holiday(one) for one in holidays}))


def _valid_holiday(written: str) -> str:
    try:
        if DAY.fullmatch(written):
            return date.fromisoformat(written).isoformat()
        if COUNTRY.fullmatch(written):
            _known(written, 2026)
            return written
    except (ValueError, NotImplementedError, KeyError):
        pass
    raise BadRequest(
        f"holidays: {written[:50]!r} is neither a day like 2026-12-31 nor a country whose holidays are known, "
        "like DE or US-CA."
    )
