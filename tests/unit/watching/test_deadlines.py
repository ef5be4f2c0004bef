from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import takewhile
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medic_core.domain.watching.deadlines import (
    MOST_PERIODS_AT_ONCE,
    Extension,
    Reason,
    beginning,
    deadline,
    expected_after,
    in_force,
    missed_since,
    next_missed,
    period,
    remembered,
    silence_allowed,
    upcoming,
    why_unreadable,
    window_from,
)
from medic_core.domain.watching.schedules import Cron, Interval
from tests.builders import all_ticks

START = datetime(2026, 3, 1, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
randoms = st.randoms(use_true_random=False)


def arrived(heard: list[datetime], schedule: Interval) -> tuple[datetime, ...]:
    """The window that is kept once these were heard, in this order of arrival."""
    recent = window_from(START, schedule)
    for at in heard:
        recent = remembered(recent, at, schedule)
    return recent


def enough_in_the_window(heard: list[datetime], schedule: Interval, moment: datetime) -> bool:
    """By counting: whether the interval that ends now holds all heartbeats that are wanted."""
    registration = [START] * schedule.threshold
    inside = [at for at in (*registration, *heard) if moment - schedule.every < at <= moment]
    return len(inside) >= schedule.threshold


@given(
    minutes=st.lists(st.integers(0, 500), max_size=30),
    every=st.integers(1, 120),
    threshold=st.integers(1, 6),
    later=st.integers(0, 200),
    order=randoms,
)
def test_it_is_what_counting_would_say_in_any_order_of_arrival(
    minutes: list[int], every: int, threshold: int, later: int, order: Random
) -> None:
    schedule = Interval(every * MINUTE, threshold)
    heard = [START + minute * MINUTE for minute in minutes]
    order.shuffle(heard)
    limit = deadline(arrived(heard, schedule), schedule)
    newest = max((START, *heard))
    for moment in {newest, newest + later * MINUTE, max(newest, limit - SECOND), max(newest, limit)}:
        assert (moment < limit) == enough_in_the_window(heard, schedule, moment)


@given(
    minutes=st.lists(st.integers(0, 500), max_size=30),
    threshold=st.integers(1, 6),
    grace=st.integers(0, 60),
    order=randoms,
)
def test_what_is_remembered_does_not_depend_on_the_order_of_arrival(
    minutes: list[int], threshold: int, grace: int, order: Random
) -> None:
    schedule = Interval(HOUR, threshold, grace * MINUTE)
    ordered = [START + minute * MINUTE for minute in sorted(minutes)]
    shuffled = list(ordered)
    order.shuffle(shuffled)
    recent = arrived(shuffled, schedule)
    assert recent == arrived(ordered, schedule)
    assert recent == tuple(sorted(recent, reverse=True))
    assert len(recent) == threshold


@pytest.mark.parametrize(
    ("threshold", "grace", "heard", "expected"),
    [
        (1, 0, [], 60),
        (3, 0, [], 60),
        (3, 5, [], 65),
        (1, 0, [10], 70),
        (1, 5, [10, 20], 85),
        (2, 0, [10], 60),
        (2, 0, [10, 20], 70),
        (2, 5, [10, 20, 50], 85),
        (3, 0, [10, 20, 50], 70),
        (2, 0, [500], 60),
    ],
)
def test_it_is_the_nth_most_recent_heartbeat_and_the_interval_and_the_grace(
    threshold: int, grace: int, heard: list[int], expected: int
) -> None:
    schedule = Interval(HOUR, threshold, grace * MINUTE)
    recent = arrived([START + minute * MINUTE for minute in heard], schedule)
    assert deadline(recent, schedule) == START + expected * MINUTE


def test_a_heartbeat_older_than_all_that_matter_changes_nothing() -> None:
    schedule = Interval(HOUR, threshold=2)
    recent = (START + 20 * MINUTE, START + 10 * MINUTE)
    assert remembered(recent, START + 5 * MINUTE, schedule) == recent


@pytest.mark.parametrize(
    ("late", "missed"),
    [
        (-5 * MINUTE, 0),
        (timedelta(0), 0),
        (10 * MINUTE - SECOND, 0),
        (10 * MINUTE, 1),
        (35 * MINUTE, 3),
        (timedelta(days=7), 1008),
    ],
)
def test_missed_periods_are_counted_from_the_deadline(late: timedelta, missed: int) -> None:
    assert missed_since(START, Interval(10 * MINUTE), START + late) == (missed, START + missed * 10 * MINUTE)
    assert next_missed(START + missed * 10 * MINUTE, Interval(10 * MINUTE)) == START + (missed + 1) * 10 * MINUTE


@given(every=st.integers(10, 10**7), looks=st.lists(st.integers(-(10**6), 10**9), max_size=10))
def test_periods_are_counted_once_however_often_and_in_whatever_order_one_looks(every: int, looks: list[int]) -> None:
    schedule, total, counted = Interval(every * SECOND), 0, START
    for late in looks:
        more, counted = missed_since(counted, schedule, START + late * SECOND)
        total += more
    assert total == max([0, *(late // every for late in looks)])
    assert counted == START + total * every * SECOND


NIGHTLY = Cron("0 2 * * *", "Europe/London", 10 * MINUTE)
MIDNIGHT = datetime(2026, 3, 28, tzinfo=UTC)
TICK = MIDNIGHT + 2 * HOUR
#: London's clocks go forward in the second night: the ticks are at 2:00, at 1:00 and at 1:00 UTC.
NEXT_TICK = MIDNIGHT + 25 * HOUR


@pytest.mark.parametrize(
    ("schedule", "success", "expected"),
    [
        (NIGHTLY, MIDNIGHT, TICK + 10 * MINUTE),
        (NIGHTLY, TICK - 61 * SECOND, TICK + 10 * MINUTE),
        (NIGHTLY, TICK - 60 * SECOND, NEXT_TICK + 10 * MINUTE),
        (NIGHTLY, TICK - SECOND, NEXT_TICK + 10 * MINUTE),
        (NIGHTLY, TICK, NEXT_TICK + 10 * MINUTE),
        (NIGHTLY, TICK + 9 * MINUTE, NEXT_TICK + 10 * MINUTE),
        (Cron("0 2 * * *", early_tolerance=timedelta(0)), TICK - SECOND, TICK),
        (Cron("0 2 * * *", early_tolerance=12 * HOUR), MIDNIGHT - 10 * HOUR, TICK + 24 * HOUR),
        # Never more than half the gap: a success at 12:00:29 is late for 12:00, one at 12:00:30 is early for 12:01.
        (Cron("* * * * *"), MIDNIGHT + 29 * SECOND, MIDNIGHT + MINUTE),
        (Cron("* * * * *"), MIDNIGHT + 30 * SECOND, MIDNIGHT + 2 * MINUTE),
        # The gap before the tick counts, not the one after it.
        (Cron("0 9,10 * * *", early_tolerance=12 * HOUR), MIDNIGHT + 9 * HOUR + 5 * MINUTE, MIDNIGHT + 10 * HOUR),
        (Cron("0 9,10 * * *", early_tolerance=12 * HOUR), MIDNIGHT + 9 * HOUR + 30 * MINUTE, MIDNIGHT + 33 * HOUR),
    ],
)
def test_a_success_shortly_before_a_tick_counts_for_it(schedule: Cron, success: datetime, expected: datetime) -> None:
    assert expected_after(success, schedule) == expected


crons = st.builds(
    Cron,
    st.sampled_from(["* * * * *", "*/15 * * * *", "0 * * * *", "0 2 * * *", "30 2 * * 0", "0 9,10 * * *", "0 0 L * *"]),
    st.sampled_from(["UTC", "Europe/London", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]),
    st.integers(0, 7200).map(lambda seconds: seconds * SECOND),
    st.integers(0, 7200).map(lambda seconds: seconds * SECOND),
)
moments = st.datetimes(datetime(2011, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(crons, moments, st.integers(1, 10**6))
def test_a_later_success_never_has_an_earlier_deadline(schedule: Cron, success: datetime, later: int) -> None:
    assert success < expected_after(success, schedule) <= expected_after(success + later * SECOND, schedule)


@given(crons, moments)
def test_the_preview_and_the_deadline_agree_from_when_on_a_success_counts(schedule: Cron, after: datetime) -> None:
    first, second = upcoming(schedule, after, 2)
    assert first.counts_from is not None
    assert expected_after(first.counts_from, schedule) == second.deadline
    assert expected_after(first.at, schedule) == second.deadline
    just_before = first.counts_from - timedelta(microseconds=1)
    if just_before > after:
        assert expected_after(just_before, schedule) == first.deadline


@given(crons, moments, st.lists(st.integers(0, 100_000), max_size=5))
@settings(max_examples=60, deadline=None)
def test_missed_ticks_are_counted_once_however_often_one_looks(
    schedule: Cron, begins: datetime, looks: list[int]
) -> None:
    limit = expected_after(begins, schedule)
    total, counted = 0, limit
    for late in sorted(looks):
        more, counted = missed_since(counted, schedule, limit + late * SECOND)
        total += more
    end = limit + max([0, *looks]) * SECOND
    following = all_ticks(schedule.expression, schedule.timezone, limit - schedule.grace)
    passed = len(list(takewhile(lambda tick: tick + schedule.grace <= end, following)))
    # So many are counted in one look at most; the others in the next.
    assert total == passed or MOST_PERIODS_AT_ONCE <= total < passed


def test_an_interval_is_expected_again_and_again() -> None:
    found = upcoming(Interval(HOUR, grace=MINUTE), START, 2)
    assert [(one.at, one.counts_from, one.deadline) for one in found] == [
        (START + HOUR, None, START + HOUR + MINUTE),
        (START + 2 * HOUR, None, START + 2 * HOUR + MINUTE),
    ]


def test_a_period_of_ticks_is_the_gap_between_the_next_two() -> None:
    assert period(NIGHTLY, MIDNIGHT) == 23 * HOUR
    assert period(NIGHTLY, TICK + HOUR) == 24 * HOUR
    assert silence_allowed(NIGHTLY, MIDNIGHT) == 23 * HOUR + 10 * MINUTE
    assert silence_allowed(Interval(HOUR, grace=MINUTE), MIDNIGHT) == HOUR + MINUTE


@pytest.mark.parametrize(("reason", "stays"), [(Reason.BEGAN, True), (Reason.STARTED, False), (Reason.FAILED, False)])
def test_a_watch_that_begins_in_the_instant_of_a_heartbeat_still_waits_for_its_first_tick(
    reason: Reason, stays: bool
) -> None:
    one = Extension(START, START + MINUTE, reason)
    assert (in_force([one], START) == (one,)) == stays
    assert in_force([one], START + SECOND) == ()
    assert in_force([one], START - SECOND) == (one,)


class TestAScheduleThatCannotBeReadCountsAsOneOfEveryHour:
    GONE = (Cron("0 4 * * *", "Mars/Olympus", 5 * MINUTE), Cron("61 * * * *", "UTC"), Cron("no cron", "UTC"))

    @pytest.mark.parametrize("schedule", GONE)
    def test_it_is_awaited_an_hour_after_what_was_heard_or_its_beginning(self, schedule: Cron) -> None:
        assert expected_after(START, schedule) == START + HOUR
        assert deadline((START,), schedule) == START + HOUR
        assert beginning(START, schedule) == (Extension(START, START + HOUR, Reason.BEGAN),)
        assert silence_allowed(schedule, START) == HOUR

    @pytest.mark.parametrize("schedule", GONE)
    def test_what_keeps_it_from_being_read_is_said(self, schedule: Cron) -> None:
        assert why_unreadable(schedule).startswith(f"{schedule.expression!r} in {schedule.timezone!r} cannot be read: ")

    def test_one_that_can_be_read_is_none_of_them(self) -> None:
        assert why_unreadable(Cron("0 4 * * *", "Europe/Berlin")) == why_unreadable(Interval(MINUTE)) == ""
