"""Ticks, on the days when clocks change above all.

Three judges: rows written out by hand, a walk over every minute of real time (cronsim reads the expressions, naively),
and cronsim's own idea of time zones, with the differences named.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from medic_core.domain.watching import cron
from medic_core.errors import BadRequest
from tests.builders import all_ticks

EARLY, LATE = datetime.fromisoformat("2000-01-01"), datetime.fromisoformat("2036-01-01")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def ticks(expression: str, zone: str, after: str, count: int) -> list[str]:
    """The next ticks after a local time, as the zone's clocks show them."""
    begin = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(zone))
    found = islice(all_ticks(expression, zone, begin), count)
    return [f"{tick.astimezone(ZoneInfo(zone)):%m-%d %H:%M %z}" for tick in found]


# fmt: off
BY_HAND = [
    # New York springs forward at 2:00 on 2026-03-08 and falls back at 2:00 on 2026-11-01.
    ("0 2 * * *", "America/New_York", "2026-03-06T12:00",
     ["03-07 02:00 -0500", "03-08 03:00 -0400", "03-09 02:00 -0400"]),
    ("30 2 * * 0", "America/New_York", "2026-03-02T00:00", ["03-08 03:00 -0400", "03-15 02:30 -0400"]),
    ("*/15 2 * * *", "America/New_York", "2026-03-08T00:00",
     ["03-08 03:00 -0400", "03-09 02:00 -0400", "03-09 02:15 -0400"]),
    ("0 2,3 * * *", "America/New_York", "2026-03-08T00:00", ["03-08 03:00 -0400", "03-09 02:00 -0400"]),
    ("0 * * * *", "America/New_York", "2026-03-08T00:30",
     ["03-08 01:00 -0500", "03-08 03:00 -0400", "03-08 04:00 -0400"]),
    ("*/15 * * * *", "America/New_York", "2026-03-08T01:40",
     ["03-08 01:45 -0500", "03-08 03:00 -0400", "03-08 03:15 -0400"]),
    ("30 1 * * *", "America/New_York", "2026-10-31T12:00", ["11-01 01:30 -0400", "11-02 01:30 -0500"]),
    ("0 2 * * *", "America/New_York", "2026-10-31T12:00", ["11-01 02:00 -0500", "11-02 02:00 -0500"]),
    ("0 * * * *", "America/New_York", "2026-11-01T00:30",
     ["11-01 01:00 -0400", "11-01 01:00 -0500", "11-01 02:00 -0500"]),
    ("*/30 1 * * *", "America/New_York", "2026-11-01T00:30",
     ["11-01 01:00 -0400", "11-01 01:30 -0400", "11-02 01:00 -0500"]),
    ("0 */2 * * *", "America/New_York", "2026-11-01T00:00", ["11-01 02:00 -0500", "11-01 04:00 -0500"]),
    # London: 1:00 on 2026-03-29, 2:00 on 2026-10-25.
    ("30 1 * * *", "Europe/London", "2026-03-28T12:00", ["03-29 02:00 +0100", "03-30 01:30 +0100"]),
    ("0 2 * * *", "Europe/London", "2026-03-28T12:00", ["03-29 02:00 +0100", "03-30 02:00 +0100"]),
    ("30 1 * * *", "Europe/London", "2026-10-24T12:00", ["10-25 01:30 +0100", "10-26 01:30 +0000"]),
    ("*/15 * * * *", "Europe/London", "2026-10-25T01:40",
     ["10-25 01:45 +0100", "10-25 01:00 +0000", "10-25 01:15 +0000"]),
    # Lord Howe moves by half an hour: 2:00 on 2026-10-04 becomes 2:30, 2:00 on 2026-04-05 becomes 1:30.
    ("0 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", ["10-04 02:30 +1100", "10-05 02:00 +1100"]),
    ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", ["10-04 02:30 +1100", "10-05 02:15 +1100"]),
    ("0 * * * *", "Australia/Lord_Howe", "2026-10-04T00:30",
     ["10-04 01:00 +1030", "10-04 03:00 +1100", "10-04 04:00 +1100"]),
    ("*/15 * * * *", "Australia/Lord_Howe", "2026-10-04T01:40",
     ["10-04 01:45 +1030", "10-04 02:30 +1100", "10-04 02:45 +1100"]),
    ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00", ["04-05 01:45 +1100", "04-06 01:45 +1030"]),
    ("*/15 * * * *", "Australia/Lord_Howe", "2026-04-05T01:40",
     ["04-05 01:45 +1100", "04-05 01:30 +1030", "04-05 01:45 +1030"]),
    # No change at all, at an odd offset.
    ("0 2 * * *", "Asia/Kathmandu", "2026-03-28T12:00", ["03-29 02:00 +0545", "03-30 02:00 +0545"]),
    ("*/15 * * * *", "Asia/Kathmandu", "2026-03-28T12:07", ["03-28 12:15 +0545", "03-28 12:30 +0545"]),
    # Casablanca leaves its summer time for Ramadan: back at 3:00 on 2026-02-15, forward at 2:00 on 2026-03-22.
    ("30 2 * * *", "Africa/Casablanca", "2026-02-14T12:00", ["02-15 02:30 +0100", "02-16 02:30 +0000"]),
    ("0 * * * *", "Africa/Casablanca", "2026-02-15T01:30",
     ["02-15 02:00 +0100", "02-15 02:00 +0000", "02-15 03:00 +0000"]),
    ("30 2 * * *", "Africa/Casablanca", "2026-03-21T12:00", ["03-22 03:00 +0100", "03-23 02:30 +0100"]),
    # Apia skipped the whole of 2011-12-30.
    ("0 2 * * *", "Pacific/Apia", "2011-12-28T12:00", ["12-29 02:00 -1000", "12-31 00:00 +1400", "12-31 02:00 +1400"]),
    ("0 0 30 * *", "Pacific/Apia", "2011-12-01T12:00", ["12-31 00:00 +1400", "01-30 00:00 +1400"]),
    ("0 0 31 12 *", "Pacific/Apia", "2011-12-01T12:00", ["12-31 00:00 +1400", "12-31 00:00 +1400"]),
    ("0 * * * *", "Pacific/Apia", "2011-12-29T22:30", ["12-29 23:00 -1000", "12-31 00:00 +1400", "12-31 01:00 +1400"]),
    # Sao Paulo changed at midnight until 2019: 2018-11-04 began at 1:00, 2019-02-17 went back from 0:00 to 23:00.
    ("0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00", ["11-04 01:00 -0200", "11-05 00:00 -0200"]),
    ("30 23 * * *", "America/Sao_Paulo", "2019-02-15T23:45", ["02-16 23:30 -0200", "02-17 23:30 -0300"]),
    ("0 0 * * *", "America/Sao_Paulo", "2019-02-16T12:00", ["02-17 00:00 -0300", "02-18 00:00 -0300"]),
    # Cairo goes forward at midnight on 2026-04-24; Havana repeats midnight on 2026-11-01.
    ("0 0 * * *", "Africa/Cairo", "2026-04-23T12:00", ["04-24 01:00 +0300", "04-25 00:00 +0300"]),
    ("0 0 * * *", "America/Havana", "2026-10-31T12:00", ["11-01 00:00 -0400", "11-02 00:00 -0500"]),
    ("30 * 1 11 *", "America/Havana", "2026-06-01T00:00",
     ["11-01 00:30 -0400", "11-01 00:30 -0500", "11-01 01:30 -0500"]),
    # Troll moves by two hours: 1:00 on 2026-03-29 becomes 3:00, 3:00 on 2026-10-25 becomes 1:00.
    ("30 2 * * *", "Antarctica/Troll", "2026-03-28T12:00", ["03-29 03:00 +0200", "03-30 02:30 +0200"]),
    ("0 * * * *", "Antarctica/Troll", "2026-10-25T01:30",
     ["10-25 02:00 +0200", "10-25 01:00 +0000", "10-25 02:00 +0000"]),
    ("0 2 * * *", "America/St_Johns", "2026-03-07T12:00", ["03-08 03:00 -0230", "03-09 02:00 -0230"]),
    ("45 2 * * *", "Pacific/Chatham", "2026-09-26T12:00", ["09-27 03:45 +1345", "09-28 02:45 +1345"]),
    # The calendar.
    ("0 0 29 2 *", "UTC", "2096-03-01T00:00", ["02-29 00:00 +0000", "02-29 00:00 +0000"]),
    ("0 0 L * *", "UTC", "2028-01-31T12:00", ["02-29 00:00 +0000", "03-31 00:00 +0000", "04-30 00:00 +0000"]),
    ("0 9 * * 1#2", "UTC", "2026-03-01T00:00", ["03-09 09:00 +0000", "04-13 09:00 +0000"]),
    ("0 9 * * L5", "UTC", "2026-03-01T00:00", ["03-27 09:00 +0000", "04-24 09:00 +0000"]),
    ("0 9 * * mon-fri", "UTC", "2026-03-06T12:00", ["03-09 09:00 +0000", "03-10 09:00 +0000"]),
    ("0 0 1 * 1", "UTC", "2026-03-30T12:00", ["04-01 00:00 +0000", "04-06 00:00 +0000"]),
    ("@hourly", "UTC", "2026-03-30T12:00", ["03-30 13:00 +0000", "03-30 14:00 +0000"]),
    ("@Daily", "UTC", "2026-03-30T12:00", ["03-31 00:00 +0000"]),
]
# fmt: on


@pytest.mark.parametrize(("expression", "zone", "after", "expected"), BY_HAND)
def test_ticks_as_written_out_by_hand(expression: str, zone: str, after: str, expected: list[str]) -> None:
    assert cron.valid_expression(expression) == expression
    assert cron.valid_timezone(zone) == zone
    assert ticks(expression, zone, after, len(expected)) == expected


def test_leap_days_are_waited_for_over_a_century_that_has_none() -> None:
    found = islice(all_ticks("0 0 29 2 *", "UTC", datetime(2096, 2, 1, tzinfo=UTC)), 2)
    assert [tick.year for tick in found] == [2096, 2104]


#: Zones and a year in which their clocks changed, where they ever did.
ZONES = {
    "America/New_York": 2026, "Europe/London": 2026, "Europe/Berlin": 2026, "Australia/Lord_Howe": 2026,
    "Asia/Kathmandu": 2026, "Africa/Casablanca": 2026, "Pacific/Apia": 2011, "America/Sao_Paulo": 2018,
    "UTC": 2026, "America/St_Johns": 2026, "Asia/Tehran": 2021, "Africa/Cairo": 2026, "America/Havana": 2026,
    "Pacific/Chatham": 2026, "Antarctica/Troll": 2026, "Pacific/Norfolk": 2026,
}  # fmt: skip
FIXED = [
    "0 0 * * *", "0 2 * * *", "30 2 * * 0", "30 1 * * *", "*/15 2 * * *", "0 0 29 2 *", "0 0 L * *", "0 9 * * 1#2",
    "15,45 0-3 * * *", "0 0 * * sun#1", "59 23 L 12 *",
]  # fmt: skip
EVERY_HOUR = ["0 * * * *", "*/15 * * * *", "30 */2 * * *", "* * * * *", "7 * * * 0", "0 * 25-31 * *"]


#: Those whose every change is looked at: half an hour, a month of fasting that moves, the other hemisphere, none.
WALKED = ["America/New_York", "Europe/London", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]
YEARS = range(2020, 2036)
NIGHTLY = ["0 2 * * *", "30 2 * * *", "30 1 * * *"]


def changes(zone: str, year: int) -> list[datetime]:
    """The minutes at which the clocks of a zone change in a year, and one at which they do not where they never do."""
    found = []
    hour = datetime(year, 1, 1, tzinfo=UTC)
    while hour.year == year:
        if offset(zone, hour) != offset(zone, hour + HOUR):
            found.append(next(at for at in minutes(hour, hour + HOUR) if offset(zone, at) != offset(zone, at - MINUTE)))
        hour += HOUR
    return found or [datetime(year, 3, 1, tzinfo=UTC)]


def offset(zone: str, moment: datetime) -> timedelta:
    found = moment.astimezone(ZoneInfo(zone)).utcoffset()
    assert found is not None
    return found


def minutes(start: datetime, end: datetime) -> Iterator[datetime]:
    at = start
    while at < end:
        at += MINUTE
        yield at


Stretch = list[tuple[datetime, datetime]]


@lru_cache(maxsize=64)
def walk(zone: str, year: int) -> list[Stretch]:
    """Two days around each change: every minute of real time, and what the clock shows then."""
    around = [(change - DAY, change + DAY) for change in changes(zone, year)]
    local = ZoneInfo(zone)
    return [[(at, at.astimezone(local).replace(tzinfo=None)) for at in minutes(*stretch)] for stretch in around]


def faces(expression: str, first: datetime, last: datetime) -> list[datetime]:
    """What the clock must show, by cronsim, without any zone."""
    found, source = [], CronSim(expression, first - MINUTE)
    for face in source:
        if face > last:
            break
        found.append(face)
    return found


def whenever_the_clock_shows_it(expression: str, stretch: Stretch) -> list[datetime]:
    shown = {face for _, face in stretch}
    wanted = set(faces(expression, min(shown), max(shown)))
    return [at for at, face in stretch if face in wanted]


def when_the_clock_first_shows_it_or_more(expression: str, stretch: Stretch) -> list[datetime]:
    latest, expected = datetime.min, []  # noqa: DTZ901
    wanted = faces(expression, stretch[0][1], max(face for _, face in stretch))
    for at, face in stretch:
        if any(latest < one <= face for one in wanted) and face > latest:
            expected.append(at)
        latest = max(latest, face)
    return expected


def first_ticks(expression: str, zone: str, stretch: Stretch, count: int) -> list[datetime]:
    return list(islice(all_ticks(expression, zone, stretch[0][0] - MINUTE), count))


@pytest.mark.parametrize("zone", list(ZONES))
@pytest.mark.parametrize("expression", EVERY_HOUR)
def test_every_hour_means_whenever_the_clock_shows_it(zone: str, expression: str) -> None:
    for stretch in walk(zone, ZONES[zone]):
        expected = whenever_the_clock_shows_it(expression, stretch)
        assert first_ticks(expression, zone, stretch, len(expected)) == expected


@pytest.mark.parametrize("zone", list(ZONES))
@pytest.mark.parametrize("expression", FIXED)
def test_a_fixed_hour_means_when_the_clock_first_shows_it_or_more(zone: str, expression: str) -> None:
    for stretch in walk(zone, ZONES[zone]):
        expected = when_the_clock_first_shows_it_or_more(expression, stretch)
        assert first_ticks(expression, zone, stretch, len(expected)) == expected


@pytest.mark.parametrize("zone", WALKED)
def test_each_run_is_expected_once_at_every_change_of_sixteen_years(zone: str) -> None:
    stretches = [stretch for year in YEARS for stretch in walk(zone, year)]
    ticks = 0
    for stretch in stretches:
        for expression in NIGHTLY:
            expected = when_the_clock_first_shows_it_or_more(expression, stretch)
            assert first_ticks(expression, zone, stretch, len(expected)) == expected
            ticks += len(expected)
        hourly = whenever_the_clock_shows_it("0 * * * *", stretch)
        assert first_ticks("0 * * * *", zone, stretch, len(hourly)) == hourly
        ticks += len(hourly)
    print(f"\n{zone}: {len(stretches)} stretches of two days from 2020 to 2035, {ticks} ticks")


#: Where the two differ: cronsim follows Debian's cron, to which `*` in the minute makes a job an interval too.
NOT_ALIKE = {"*/15 2 * * *"}


@pytest.mark.parametrize("zone", list(ZONES))
@pytest.mark.parametrize("expression", sorted({*FIXED, *EVERY_HOUR} - NOT_ALIKE))
def test_cronsim_agrees_in_every_zone(zone: str, expression: str) -> None:
    """Over a year, or two days around each change; over decades where it ticks once in four years."""
    local = ZoneInfo(zone)
    begin = datetime(ZONES[zone], 1, 2, tzinfo=local)
    starts = (
        [begin] if expression in FIXED else [change.astimezone(local) - DAY for change in changes(zone, ZONES[zone])]
    )
    for start in starts:
        theirs = [one.astimezone(UTC) for one in islice(CronSim(expression, start), 5 if "29 2" in expression else 200)]
        assert list(islice(all_ticks(expression, zone, start), len(theirs))) == theirs


def test_where_cronsim_differs_a_job_of_the_night_is_not_left_out() -> None:
    """DESIGN goes by the hour field alone: a job of 2 o'clock is expected in the night that has none too."""
    start = datetime(2026, 3, 8, tzinfo=ZoneInfo("America/New_York"))
    assert [f"{one:%d %H:%M}" for one in islice(CronSim("*/15 2 * * *", start), 2)] == ["09 02:00", "09 02:15"]
    assert ticks("*/15 2 * * *", "America/New_York", "2026-03-08T00:00", 2) == [
        "03-08 03:00 -0400",
        "03-09 02:00 -0400",
    ]


#: An expression of five fields that both read alike: `*/2` beside a weekday is not (Debian's cron wants both to match).
numbers = st.one_of(
    st.just("*"),
    st.integers(0, 23).map(str),
    st.tuples(st.integers(0, 11), st.integers(12, 23)).map(lambda pair: f"{pair[0]}-{pair[1]}"),
    st.lists(st.integers(0, 23), min_size=1, max_size=3).map(lambda found: ",".join(map(str, found))),
)
days = st.one_of(st.just("*"), st.integers(1, 28).map(str), st.just("L"))
months = st.one_of(st.just("*"), st.integers(1, 12).map(str), st.just("jan-mar"))
weekdays = st.one_of(st.just("*"), st.integers(0, 7).map(str), st.just("mon-fri"))


@settings(max_examples=300)
@given(
    minute=numbers, hour=numbers, day=days, month=months, weekday=weekdays,
    after=st.datetimes(EARLY, LATE),
)  # fmt: skip
def test_croniter_and_cronsim_read_alike(
    minute: str, hour: str, day: str, month: str, weekday: str, after: datetime
) -> None:
    expression = f"{minute} {hour} {day} {month} {weekday}"
    theirs = list(islice(CronSim(expression, after), 5))
    ours = [tick.replace(tzinfo=None) for tick in islice(all_ticks(expression, "UTC", after.replace(tzinfo=UTC)), 5)]
    assert ours == theirs


@settings(max_examples=200)
@given(
    expression=st.sampled_from([*FIXED, *EVERY_HOUR]),
    zone=st.sampled_from(sorted(ZONES)),
    after=st.datetimes(EARLY, LATE, timezones=st.just(UTC)),
)
def test_the_next_tick_is_the_next_one_from_any_moment_before_it(expression: str, zone: str, after: datetime) -> None:
    tick = cron.next_tick(expression, zone, after)
    assert tick > after
    middle = after + (tick - after) / 2
    assert cron.next_tick(expression, zone, middle) == tick
    assert cron.next_tick(expression, zone, tick - timedelta(microseconds=1)) == tick
    assert cron.next_tick(expression, zone, tick) > tick


@pytest.mark.parametrize(
    ("expression", "because"),
    [
        ("* * * * * *", "five fields"),
        ("* * * *", "five fields"),
        ("", "five fields"),
        ("@reboot", "five fields"),
        ("0 0 31 2 *", "never comes"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 4,6,9,11 *", "never comes"),
        ("60 * * * *", "no cron expression"),
        ("*/0 * * * *", "no cron expression"),
        ("a b c d e", "no cron expression"),
        ("0 0 * * 1#6", "no cron expression"),
        ("\u0661 * * * *", "no cron expression"),
        ("H * * * *", "chance"),
        ("R * * * *", "chance"),
        ("0 h(1-5) * * *", "chance"),
        ("0 0 r/2 * *", "chance"),
        (",".join(map(str, range(1_000_000))) + " * * * *", "200 characters"),
    ],
)
def test_what_does_not_tick_is_refused_when_it_is_saved(expression: str, because: str) -> None:
    with pytest.raises(BadRequest, match=because) as refused:
        cron.valid_expression(expression, "schedule.expression")
    assert refused.value.message.startswith("schedule.expression")


@pytest.mark.parametrize("expression", ["0 0 * * thu", "0 0 * mar fri", "0 0 * APR *"])
def test_names_with_an_h_or_an_r_are_names(expression: str) -> None:
    assert cron.valid_expression(expression) == expression


@pytest.mark.parametrize(
    "zone",
    ["CST", "EST", "PST8PDT", "EST5EDT", "CET", "UTC+3", "GMT-5", "Mars/Olympus", "america/new_york", "America", "",
     "../../etc/passwd", "/etc/localtime", "posix/UTC", "right/UTC", "posixrules", "Factory", "a" * 5000, "A/\0B",
     "Europe/London ", "UTC\n"],
)  # fmt: skip
def test_what_is_no_zone_is_refused(zone: str) -> None:
    with pytest.raises(BadRequest) as refused:
        cron.valid_timezone(zone, "schedule.timezone")
    assert refused.value.message.startswith("schedule.timezone")


@pytest.mark.parametrize(
    "zone", ["UTC", "GMT", "Etc/GMT+5", "America/Argentina/Buenos_Aires", "Asia/Kathmandu", "Japan"]
)
def test_zones_of_the_database_are_zones(zone: str) -> None:
    assert cron.valid_timezone(zone) == zone
