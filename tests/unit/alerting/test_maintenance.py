"""Maintenance windows: by hand, on days when clocks change, and against ticks that are walked one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medic_core.domain.alerting.maintenance import (
    LONGEST,
    Occurrence,
    Window,
    applies,
    occurrence_at,
    occurrence_from,
    occurrences,
    until,
    valid,
)
from medic_core.domain.watching import cron
from medic_core.errors import BadRequest

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


ONCE = Window(utc("2026-03-01 02:00"), utc("2026-03-01 04:00"))
SUNDAYS = Window(utc("2026-03-01 07:00"), utc("2026-03-01 09:00"), "0 2 * * 0", "America/New_York")


def test_once() -> None:
    assert occurrence_at(ONCE, ONCE.start - MINUTE) is None
    assert occurrence_from(ONCE, ONCE.start - MINUTE) == Occurrence(ONCE.start, ONCE.end)
    assert occurrence_at(ONCE, ONCE.start) == Occurrence(ONCE.start, ONCE.end)
    assert occurrence_at(ONCE, ONCE.end - timedelta(microseconds=1)) is not None
    assert occurrence_at(ONCE, ONCE.end) is None
    assert occurrence_from(ONCE, ONCE.end) is None


@pytest.mark.parametrize(
    ("at", "start", "end"),
    [
        ("2026-03-01 07:30", "2026-03-01 07:00", "2026-03-01 09:00"),
        # The face skips 02:00 on 8 March: it begins when the clocks say 03:00, and lasts two hours.
        ("2026-03-08 06:30", "2026-03-08 07:00", "2026-03-08 09:00"),
        ("2026-03-15 06:00", "2026-03-15 06:00", "2026-03-15 08:00"),
        # 1 November has 25 hours; 02:00 comes after the repeated hour.
        ("2026-11-01 07:00", "2026-11-01 07:00", "2026-11-01 09:00"),
        ("2026-11-01 09:00", "2026-11-08 07:00", "2026-11-08 09:00"),
    ],
)
def test_a_recurring_window_keeps_its_length_whatever_clocks_do(at: str, start: str, end: str) -> None:
    assert occurrence_from(SUNDAYS, utc(at)) == Occurrence(utc(start), utc(end))


def test_in_the_repeated_hour_it_begins_once() -> None:
    nightly = Window(utc("2026-10-31 05:30"), utc("2026-10-31 06:30"), "30 1 * * *", "America/New_York")
    # 01:30 is shown at 05:30 and at 06:30 UTC.
    assert occurrence_at(nightly, utc("2026-11-01 05:45")) == Occurrence(
        utc("2026-11-01 05:30"), utc("2026-11-01 06:30")
    )
    assert occurrence_at(nightly, utc("2026-11-01 06:45")) is None


def test_nothing_recurs_before_the_first_start() -> None:
    from_today = Window(utc("2026-03-04 00:00"), utc("2026-03-04 02:00"), "0 2 * * 0")
    assert occurrence_at(from_today, utc("2026-03-04 01:00")) is None
    assert occurrence_from(from_today, utc("2026-01-01 00:00")) == Occurrence(
        utc("2026-03-08 02:00"), utc("2026-03-08 04:00")
    )


def test_windows_that_follow_one_another_are_one_wait() -> None:
    following = Window(ONCE.end, ONCE.end + HOUR)
    apart = Window(following.end + MINUTE, following.end + HOUR)
    assert until([ONCE, following, apart], ONCE.start) == following.end
    assert until([ONCE, following, apart], following.end) is None
    assert until([], ONCE.start) is None


@pytest.mark.parametrize(
    ("listed", "tags", "is_meant"),
    [
        ((), (), True),
        ((7,), (), True),
        ((8,), (), False),
        ((), ("eu",), True),
        ((), ("us",), False),
        ((8,), ("eu",), True),
    ],
)
def test_whom_it_is_for(listed: tuple[int, ...], tags: tuple[str, ...], is_meant: bool) -> None:
    assert applies(listed, tags, 7, ["eu", "batch"]) is is_meant


@pytest.mark.parametrize(
    ("window", "problem"),
    [
        (Window(ONCE.start, ONCE.start), "end_time must lie after"),
        (Window(ONCE.end, ONCE.start), "end_time must lie after"),
        (Window(ONCE.start, ONCE.start + LONGEST + MINUTE), "at most 366 days"),
        (Window(ONCE.start, ONCE.start + HOUR, "0 * * * *"), "begin again before it is over"),
        (Window(ONCE.start, ONCE.start + MINUTE, "* * * * *"), "begin again before it is over"),
        (Window(ONCE.start, ONCE.start + timedelta(hours=30), "0 2 * * *"), "begin again before it is over"),
        # Once a year the day has 23 hours.
        (Window(ONCE.start, ONCE.start + timedelta(hours=23), "0 1 * * *", "Europe/London"), "begin again before"),
        (Window(ONCE.start, ONCE.start + timedelta(days=2), "0 0 1,2 * *"), "begin again before it is over"),
    ],
)
def test_what_is_no_window(window: Window, problem: str) -> None:
    with pytest.raises(BadRequest, match=problem):
        valid(window)


@pytest.mark.parametrize(
    "window", [ONCE, SUNDAYS, Window(ONCE.start, ONCE.start + timedelta(hours=22), "0 1 * * *", "Europe/London")]
)
def test_what_is_one(window: Window) -> None:
    assert valid(window) is window


@settings(max_examples=60, deadline=None)
@given(
    expression=st.sampled_from(["0 2 * * *", "30 2 * * 0", "15 */6 * * *", "0 0 1 * *", "30 1 * * *", "0 22 * * 5"]),
    timezone=st.sampled_from(["UTC", "America/New_York", "Europe/London", "Australia/Lord_Howe", "Africa/Casablanca"]),
    length=st.integers(1, 300).map(lambda minutes: minutes * MINUTE),
    at=st.datetimes(datetime(2026, 2, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_it_is_what_walking_over_the_ticks_finds(
    expression: str, timezone: str, length: timedelta, at: datetime
) -> None:
    start = utc("2026-01-15 12:34")
    window = Window(start, start + length, expression, timezone)
    held = None
    tick = start - timedelta(microseconds=1)
    while (tick := cron.next_tick(expression, timezone, tick)) <= at:
        if tick <= at < tick + length:
            held = Occurrence(tick, tick + length)
    assert occurrence_at(window, at) == held


def test_times_between_two_moments_are_all_that_touch_them() -> None:
    nightly = Window(utc("2026-03-01 22:00"), utc("2026-03-02 01:00"), "0 22 * * *")
    found = list(occurrences(nightly, utc("2026-03-02 00:59"), utc("2026-03-04 22:00")))
    assert [one.start for one in found] == [utc("2026-03-01 22:00"), utc("2026-03-02 22:00"), utc("2026-03-03 22:00")]
    assert next(occurrences(nightly, utc("2026-03-02 01:00"), utc("2026-03-04 22:00"))).start.day == 2
    assert list(occurrences(nightly, utc("2026-02-01 00:00"), nightly.start)) == []


def test_a_window_that_does_not_recur_has_one_time() -> None:
    assert list(occurrences(ONCE, ONCE.start - HOUR, ONCE.end + HOUR)) == [Occurrence(ONCE.start, ONCE.end)]
    assert list(occurrences(ONCE, ONCE.end, ONCE.end + HOUR)) == []
    assert list(occurrences(ONCE, ONCE.start - HOUR, ONCE.start)) == []
