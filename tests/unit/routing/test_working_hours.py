"""Working hours: by hand, on days when clocks change, and against a naive clock that is read minute by minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medic_core.domain.routing.working_hours import (
    DAYS,
    Period,
    WorkingHours,
    at_work,
    holds_until,
    is_holiday,
    period_at,
    read_ranges,
    valid_holidays,
)
from medic_core.errors import BadRequest

MINUTE = timedelta(minutes=1)
OFFICE = {day: [{"start": "09:00", "end": "17:00"}] for day in DAYS[:5]}
NIGHTS = {"monday": [{"start": "22:00", "end": "06:00"}]}


def hours(ranges: dict[str, Any], timezone: str = "UTC", *holidays: str) -> WorkingHours:
    return WorkingHours(timezone, read_ranges(ranges), valid_holidays(holidays))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "is_working"),
    [
        ("2026-03-02 08:59:59", False), ("2026-03-02 09:00", True), ("2026-03-02 16:59:59.999999", True),
        ("2026-03-02 17:00", False), ("2026-03-06 12:00", True), ("2026-03-07 12:00", False),
    ],
)  # fmt: skip
def test_the_end_is_not_in_it(at: str, is_working: bool) -> None:
    assert (period_at(hours(OFFICE), utc(at)) is Period.DURING_HOURS) is is_working


@pytest.mark.parametrize(
    ("at", "is_working"),
    [
        ("2026-03-02 05:00", False), ("2026-03-02 21:59", False), ("2026-03-02 22:00", True),
        ("2026-03-03 00:00", True),
        ("2026-03-03 05:59", True), ("2026-03-03 06:00", False), ("2026-03-03 23:00", False),
    ],
)  # fmt: skip
def test_a_range_goes_on_past_midnight(at: str, is_working: bool) -> None:
    assert (period_at(hours(NIGHTS), utc(at)) is Period.DURING_HOURS) is is_working


def test_sunday_night_runs_into_monday() -> None:
    late = hours({"sunday": [{"start": "22:00", "end": "02:00"}]})
    assert period_at(late, utc("2026-03-02 01:00")) is Period.DURING_HOURS
    assert period_at(late, utc("2026-03-08 01:00")) is Period.AFTER_HOURS


def test_a_whole_day_and_no_schedule_at_all() -> None:
    whole = hours({"monday": [{"start": "00:00", "end": "24:00"}]})
    assert period_at(whole, utc("2026-03-02 23:59:59")) is Period.DURING_HOURS
    assert period_at(whole, utc("2026-03-03 00:00")) is Period.AFTER_HOURS
    assert period_at(None, utc("2026-03-03 03:00")) is Period.DURING_HOURS
    assert holds_until(None, utc("2026-03-03 03:00")) is None
    assert period_at(hours({}), utc("2026-03-03 03:00")) is Period.AFTER_HOURS
    assert holds_until(hours({}), utc("2026-03-03 03:00")) is None


@pytest.mark.parametrize(
    ("timezone", "at", "is_working"),
    [
        # Nine in New York is 14:00 UTC in winter and 13:00 in summer.
        ("America/New_York", "2026-03-06 13:30", False), ("America/New_York", "2026-03-09 13:30", True),
        ("America/New_York", "2026-10-30 20:30", True), ("America/New_York", "2026-11-02 20:30", True),
        ("America/New_York", "2026-11-02 22:00", False),
        # 5 h 45 min and half an hour of summer time.
        ("Asia/Kathmandu", "2026-03-02 03:14", False), ("Asia/Kathmandu", "2026-03-02 03:15", True),
        ("Australia/Lord_Howe", "2026-07-06 22:29", False), ("Australia/Lord_Howe", "2026-07-06 22:30", True),
        ("Australia/Lord_Howe", "2026-01-05 21:59", False), ("Australia/Lord_Howe", "2026-01-05 22:00", True),
    ],
)  # fmt: skip
def test_hours_are_of_the_face_of_the_clock(timezone: str, at: str, is_working: bool) -> None:
    assert (period_at(hours(OFFICE, timezone), utc(at)) is Period.DURING_HOURS) is is_working


def test_on_a_holiday_nothing_begins_and_what_began_before_goes_on() -> None:
    nights = {day: [{"start": "22:00", "end": "06:00"}] for day in DAYS}
    found = hours(nights, "UTC", "2026-03-03")
    assert period_at(found, utc("2026-03-03 05:00")) is Period.DURING_HOURS
    assert period_at(found, utc("2026-03-03 23:00")) is Period.AFTER_HOURS
    assert period_at(found, utc("2026-03-04 05:00")) is Period.AFTER_HOURS
    assert period_at(found, utc("2026-03-04 22:00")) is Period.DURING_HOURS


@pytest.mark.parametrize(
    ("country", "day", "is_free"),
    [
        ("DE", date(2026, 10, 3), True), ("DE", date(2026, 10, 4), False), ("US", date(2026, 11, 26), True),
        ("US", date(2026, 10, 3), False), ("DE-BY", date(2026, 1, 6), True), ("DE-BE", date(2026, 1, 6), False),
        ("GB", date(2026, 12, 25), True), ("2026-12-31", date(2026, 12, 31), True),
        ("2026-12-31", date(2027, 12, 31), False),
    ],
)  # fmt: skip
def test_public_holidays_of_countries_and_regions(country: str, day: date, is_free: bool) -> None:
    assert is_holiday(valid_holidays([country]), day) is is_free


def test_a_country_that_is_not_known_any_more_has_no_holidays() -> None:
    assert is_holiday(["XX", "DE-ZZ"], date(2026, 12, 25)) is False


def test_a_zone_that_is_not_known_any_more_goes_by_utc() -> None:
    for at in ("2026-03-02 12:00", "2026-03-02 18:00"):
        lost, universal = (hours(OFFICE, timezone=zone) for zone in ("Mars/Olympus", "UTC"))
        assert period_at(lost, utc(at)) is period_at(universal, utc(at))
        assert holds_until(lost, utc(at)) == holds_until(universal, utc(at))


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-03-02 12:00", "2026-03-02 17:00"), ("2026-03-02 17:00", "2026-03-03 09:00"),
        ("2026-03-06 17:00", "2026-03-09 09:00"), ("2026-03-02 08:59:30", "2026-03-02 09:00"),
    ],
)  # fmt: skip
def test_until_when_it_holds(at: str, until: str) -> None:
    assert holds_until(hours(OFFICE), utc(at)) == utc(until)


def test_a_period_that_begins_in_the_hour_that_the_clocks_skip() -> None:
    early = hours({"sunday": [{"start": "02:30", "end": "05:00"}]}, "America/New_York")
    # 2026-03-08: the face goes from 01:59 EST to 03:00 EDT, which is 07:00 UTC.
    assert period_at(early, utc("2026-03-08 06:59")) is Period.AFTER_HOURS
    assert period_at(early, utc("2026-03-08 07:00")) is Period.DURING_HOURS
    assert holds_until(early, utc("2026-03-08 06:00")) == utc("2026-03-08 07:00")


ZONES = st.sampled_from(
    ["UTC", "America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]
)
FACES = st.integers(0, 1439).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
DAY_RANGES = st.tuples(FACES, FACES).filter(lambda pair: pair[0] != pair[1])


@settings(max_examples=60, deadline=None)
@given(
    ranges=st.dictionaries(st.sampled_from(DAYS), DAY_RANGES, max_size=4),
    timezone=ZONES,
    at=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_it_is_what_a_naive_clock_says(ranges: dict[str, tuple[str, str]], timezone: str, at: datetime) -> None:
    written = {day: [{"start": start, "end": end}] for day, (start, end) in ranges.items()}
    try:
        found = hours(written, timezone)
    except BadRequest:
        return

    def naive(moment: datetime) -> bool:
        face = moment.astimezone(ZoneInfo(timezone))
        today, yesterday = DAYS[face.weekday()], DAYS[(face.weekday() - 1) % 7]
        clock = f"{face:%H:%M}"
        start, end = ranges.get(today, ("", ""))
        now = bool(start) and (start <= clock < end if start < end else clock >= start)
        start, end = ranges.get(yesterday, ("", ""))
        return now or (bool(start) and end < start and clock < end)

    assert (period_at(found, at) is Period.DURING_HOURS) == naive(at)
    until = holds_until(found, at)
    if until is None:
        assert not ranges
        return
    assert naive(until) != naive(at)
    step = at.replace(second=0, microsecond=0) + MINUTE
    for _ in range(min(2000, (until - step) // MINUTE)):
        assert naive(step) == naive(at)
        step += MINUTE


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({"moonday": []}, "is no day"),
        ({"monday": [{"start": "25:00", "end": "26:00"}]}, "hours.monday.start must be a time of day"),
        ({"monday": [{"start": "9:00", "end": "17:00"}]}, "must be a time of day"),
        ({"monday": [{"start": "09:60", "end": "17:00"}]}, "must be a time of day"),
        ({"monday": [{"start": "\u0660\u0669:00", "end": "17:00"}]}, "must be a time of day"),
        ({"monday": [{"start": "24:00", "end": "03:00"}]}, "must be before 24:00"),
        ({"monday": [{"start": "09:00", "end": "09:00"}]}, "must not end where it starts"),
        ({"monday": [{"start": "09:00", "end": "12:00"}, {"start": "11:59", "end": "13:00"}]}, "overlaps"),
        ({"monday": [{"start": "22:00", "end": "06:00"}], "tuesday": [{"start": "05:00", "end": "09:00"}]}, "overlaps"),
        ({"sunday": [{"start": "22:00", "end": "06:00"}], "monday": [{"start": "05:00", "end": "09:00"}]}, "overlaps"),
    ],
)  # fmt: skip
def test_what_is_no_hours(written: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadRequest, match=problem):
        read_ranges(written)


def test_ranges_may_touch() -> None:
    lunch = [{"start": "13:00", "end": "17:00"}, {"start": "09:00", "end": "13:00"}]
    night = [{"start": "06:00", "end": "09:00"}]
    assert read_ranges({"monday": lunch, "sunday": [{"start": "22:00", "end": "06:00"}], "tuesday": night})


@pytest.mark.parametrize(
    "holiday", ["", "XX", "de", "Germany", "2026-02-30", "2026-1-1", "DE-ZZZ", "12-25", "US-", "DE BY"]
)
def test_what_is_no_holiday(holiday: str) -> None:
    with pytest.raises(BadRequest, match="neither a day"):
        valid_holidays([holiday])


def test_stretches_of_working_time_are_cut_off_where_one_stops_looking() -> None:
    nights = hours(NIGHTS, "Europe/Berlin")
    assert list(at_work(nights, utc("2026-11-22 00:00"), utc("2026-11-24 02:00"))) == [
        (utc("2026-11-23 21:00"), utc("2026-11-24 02:00"))
    ]
    assert list(at_work(nights, utc("2026-11-24 04:00"), utc("2026-11-30 21:00"))) == [
        (utc("2026-11-24 04:00"), utc("2026-11-24 05:00"))
    ]


@given(st.integers(0, 60 * 24 * 400), st.integers(1, 60 * 24 * 8))
def test_it_is_working_time_just_where_a_stretch_says_so(begins: int, lasts: int) -> None:
    office, start = hours(OFFICE, "Europe/London", "GB"), utc("2026-01-01 00:00") + begins * MINUTE
    end = start + lasts * MINUTE
    found = list(at_work(office, start, end))
    for at in (start, end - MINUTE, start + (lasts // 2) * MINUTE):
        is_within = any(first <= at < last for first, last in found)
        assert is_within == (period_at(office, at) is Period.DURING_HOURS)
