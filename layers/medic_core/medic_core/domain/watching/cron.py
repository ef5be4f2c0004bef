"""When a cron expression ticks in a time zone, on the days when clocks change too.

croniter reads expressions, and is asked about the face of a clock only. Which moment in the world a time on the
face is, is decided here:

- A job at fixed hours (`30 2 * * *`) runs once for each time on the face: one that the clocks skip at the first
  moment after the gap, one that they show twice when they show it first.
- A job at every hour (`*` or `*/n` in the hour field) keeps ticking through both: whenever the face matches.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter
from croniter.croniter import CroniterBadDateError

from medic_core.domain.watching.schedules import Unreadable
from medic_core.errors import BadRequest

MAX_EXPRESSION_LENGTH = 200
FIELDS = ("minute", "hour", "day of month", "month", "day of week")
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
#: croniter's hashed and random fields: another time on every reading is no schedule.
CHANCE = re.compile(r"(^|[,/-])[hr](\(|[,/-]|$)", re.IGNORECASE)
#: Abbreviations mean another zone in another country, and the few that IANA keeps know no summer time.
ABBREVIATION = re.compile(r"[A-Z]{2,5}([+-]?\d{1,2}([A-Z]{3})?)?")
NOT_OF_A_PLACE = ("posix/", "right/", "posixrules", "localtime", "Factory", "leap")
UNIVERSAL = frozenset({"UTC", "GMT"})
#: The longest wait of an expression that ticks at all is from one 29 February to another, over a year like 2100.
YEARS_AHEAD = 9
#: What a reader of expressions and zones says of those that it cannot read.
CANNOT_BE_READ = (ValueError, LookupError, AttributeError, TypeError, OSError)
#: Any stretch of that length holds whatever can happen in a calendar.
PROBE = datetime(2000, 1, 1)  # noqa: DTZ001
#: Of expressions in their zones: whether they can be read is asked with every heartbeat.
MOST_REMEMBERED = 1000
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def valid_expression(expression: str, field: str = "expression") -> str:
    """The expression, if it ticks and can be trusted to. Raises BadRequest that names the field."""
    expression = expression.strip()
    if len(expression) > MAX_EXPRESSION_LENGTH:
        raise BadRequest(f"{field} must have at most {MAX_EXPRESSION_LENGTH} characters.")
    fields = _fields(expression)
    if len(fields) != len(FIELDS):
        raise BadRequest(f"{field} must have five fields ({', '.join(FIELDS)}), or be one of {', '.join(NICKNAMES)}.")
    if any(CHANCE.search(one) for one in fields):
        raise BadRequest(f"{field} must not leave anything to chance: H and R are not taken.")
    try:
        _next_on_the_face(expression, PROBE)
    except CroniterBadDateError:
        raise BadRequest(f"{field} never comes: {expression!r} has no tick in any year.") from None
    except CANNOT_BE_READ as error:
        raise BadRequest(f"{field} is no cron expression: {_plain(error)}.") from None
    return expression


def valid_timezone(name: str, field: str = "timezone") -> str:
    """The name, if it is a zone of the IANA database. Raises BadRequest that names the field."""
    if name in UNIVERSAL:
        return name
    if ABBREVIATION.fullmatch(name):
        raise BadRequest(f"{field} must be a place, like America/Chicago, or UTC: {name!r} is an abbreviation.")
    try:
        if name.startswith(NOT_OF_A_PLACE):
            raise ZoneInfoNotFoundError
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadRequest(f"{field} must be a zone of the IANA database, like Europe/London.") from None
    return name


def next_tick(expression: str, timezone: str, after: datetime) -> datetime:
    """The first tick after a moment, in UTC. Raises Unreadable for what was valid once and is not any more."""
    try:
        zone = ZoneInfo(timezone)
        hour = _fields(expression)[1]
        following = _keeping_on if hour.startswith("*") or hour == "?" else _once_each
        return following(expression, zone, after.astimezone(UTC))
    except CANNOT_BE_READ as error:
        raise Unreadable(f"{expression!r} in {timezone!r} cannot be read: {_plain(error)}") from error


@lru_cache(MOST_REMEMBERED)
def why_unreadable(expression: str, timezone: str) -> str:
    """What keeps it from being read, empty where nothing does. What is readable stays so while a process runs."""
    try:
        next_tick(expression, timezone, PROBE.replace(tzinfo=UTC))
    except Unreadable as error:
        return str(error)
    return ""


def _fields(expression: str) -> list[str]:
    return NICKNAMES.get(expression.lower(), expression).split()


def _next_on_the_face(expression: str, face: datetime) -> datetime:
    found: datetime = croniter(" ".join(_fields(expression)), face, max_years_between_matches=YEARS_AHEAD).get_next(
        datetime
    )
    return found


def _once_each(expression: str, zone: ZoneInfo, after: datetime) -> datetime:
    """Faces in their order are moments in their order, so the first one that lies after it is the one."""
    face = _face(zone, after)
    while True:
        face = _next_on_the_face(expression, face)
        moment = _moment_of(zone, face)
        if moment > after:
            return moment


def _keeping_on(expression: str, zone: ZoneInfo, after: datetime) -> datetime:
    """Between two changes the clock runs evenly: look there, and go on behind the change if nothing was found."""
    face = _face(zone, after)
    while True:
        moment = (_next_on_the_face(expression, face) - _offset(zone, after)).replace(tzinfo=UTC)
        change = _first_change(zone, after, moment)
        if change is None:
            return moment
        after, face = change, _face(zone, change) - SECOND


def _moment_of(zone: ZoneInfo, face: datetime) -> datetime:
    """When the clock shows this: the first time if twice, the first moment after the gap if never."""
    by_the_old_clock = face.replace(tzinfo=zone, fold=0).astimezone(UTC)
    by_the_new_clock = face.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if by_the_new_clock < by_the_old_clock:
        change = _first_change(zone, by_the_new_clock, by_the_old_clock)
        assert change is not None
        return change
    return by_the_old_clock


def _first_change(zone: ZoneInfo, start: datetime, end: datetime) -> datetime | None:
    """The first moment after `start`, up to `end`, from which on the clock runs by another offset."""
    while start < end:
        sooner = min(start + DAY, end)
        if _offset(zone, sooner) != _offset(zone, start):
            return _change_between(zone, start, sooner)
        start = sooner
    return None


def _change_between(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Clocks change on whole seconds."""
    offset = _offset(zone, before)
    before, after = before.replace(microsecond=0), after.replace(microsecond=0)
    while after - before > SECOND:
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if _offset(zone, middle) == offset:
            before = middle
        else:
            after = middle
    return after


def _face(zone: ZoneInfo, moment: datetime) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _plain(error: Exception) -> str:
    # A KeyError's own text is the quoted one of what it holds.
    said = error.args[0] if isinstance(error, LookupError) and error.args else error
    return str(said).rstrip(".").replace("\n", " ")[:200]
