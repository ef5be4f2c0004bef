from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.watching.deadlines import (
    deadline,
    missed_periods,
    next_missed_period,
    remembered,
    window_from,
)
from medic_core.domain.watching.schedules import Interval

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
    ("late", "periods", "next_one"),
    [
        (-5 * MINUTE, 1, 10),
        (timedelta(0), 1, 10),
        (10 * MINUTE - SECOND, 1, 10),
        (10 * MINUTE, 2, 20),
        (35 * MINUTE, 4, 40),
        (timedelta(days=7), 1009, 10_090),
    ],
)
def test_missed_periods_are_counted_from_the_deadline(late: timedelta, periods: int, next_one: int) -> None:
    assert missed_periods(START, 10 * MINUTE, START + late) == periods
    assert next_missed_period(START, 10 * MINUTE, START + late) == START + next_one * MINUTE


@given(every=st.integers(10, 10**7), late=st.integers(-(10**6), 10**9))
def test_the_next_missed_period_is_the_first_moment_at_which_there_is_one_more(every: int, late: int) -> None:
    period, now = every * SECOND, START + late * SECOND
    following = next_missed_period(START, period, now)
    assert following > now
    assert missed_periods(START, period, following) == missed_periods(START, period, now) + 1
    assert missed_periods(START, period, following - timedelta(microseconds=1)) == missed_periods(START, period, now)
