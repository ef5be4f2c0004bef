from __future__ import annotations

from datetime import UTC, datetime, timedelta

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
MINUTE = timedelta(minutes=1)


def first_thin_window(heard: list[datetime], schedule: Interval) -> datetime:
    """By counting: the first moment at which the interval behind it holds fewer heartbeats than are wanted.

    The window is open at its old end. It can only become thinner when a heartbeat leaves it.
    """
    for left in sorted(heard):
        moment = left + schedule.every
        inside = [at for at in heard if moment - schedule.every < at <= moment]
        if len(inside) < schedule.threshold:
            return moment
    raise AssertionError("the last heartbeat's window is always thin")


@given(
    minutes=st.lists(st.integers(0, 500), max_size=30),
    every=st.integers(1, 120),
    threshold=st.integers(1, 6),
    order=st.randoms(use_true_random=False),
)
def test_it_is_what_counting_would_say_in_any_order_of_arrival(
    minutes: list[int], every: int, threshold: int, order: object
) -> None:
    schedule = Interval(every * MINUTE, threshold)
    heard = [START + minute * MINUTE for minute in minutes]
    order.shuffle(heard)  # type: ignore[attr-defined]
    recent = window_from(START, schedule)
    for at in heard:
        recent = remembered(recent, at, schedule)
    newest = sorted([*window_from(START, schedule), *heard], reverse=True)[:threshold]
    assert deadline(recent, schedule) == first_thin_window(newest, schedule)


def test_registration_counts_as_all_heartbeats_that_are_needed() -> None:
    schedule = Interval(60 * MINUTE, threshold=3, grace=5 * MINUTE)
    assert deadline(window_from(START, schedule), schedule) == START + 65 * MINUTE


@pytest.mark.parametrize(
    ("minutes_late", "periods", "next_one"), [(0, 1, 10), (9, 1, 10), (10, 2, 20), (35, 4, 40), (-5, 1, 10)]
)
def test_missed_periods_are_counted_from_the_deadline(minutes_late: int, periods: int, next_one: int) -> None:
    now, every = START + minutes_late * MINUTE, 10 * MINUTE
    assert missed_periods(START, every, now) == periods
    assert next_missed_period(START, every, now) == START + next_one * MINUTE
