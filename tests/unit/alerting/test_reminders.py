from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.alerting.reminders import interval_before

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
intervals = st.timedeltas(min_value=timedelta(seconds=10), max_value=timedelta(days=365))


@pytest.mark.parametrize(
    ("every", "chosen", "first"),
    [
        (timedelta(seconds=10), None, 5 * MINUTE),
        (MINUTE, None, 5 * MINUTE),
        (5 * MINUTE, None, 5 * MINUTE),
        (6 * MINUTE, None, 6 * MINUTE),
        (3 * HOUR, None, 3 * HOUR),
        (DAY, None, DAY),
        (2 * DAY, None, DAY),
        (MINUTE, 2 * MINUTE, 2 * MINUTE),
        (3 * HOUR, MINUTE, MINUTE),
        (MINUTE, 12 * HOUR, 12 * HOUR),
    ],
)
def test_the_first_comes_after_one_period_of_at_least_5_minutes_or_as_chosen(
    every: timedelta, chosen: timedelta | None, first: timedelta
) -> None:
    assert interval_before(0, every, chosen) == first


def test_each_waits_twice_as_long_as_the_one_before_up_to_a_day() -> None:
    waits = [interval_before(sent, MINUTE, None) / MINUTE for sent in range(11)]
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440]


@given(sent=st.integers(0, 10**9), every=intervals, chosen=st.none() | intervals)
def test_the_wait_never_shrinks_and_is_a_day_at_most(sent: int, every: timedelta, chosen: timedelta | None) -> None:
    wait = interval_before(sent, every, chosen)
    assert timedelta(0) < wait <= interval_before(sent + 1, every, chosen) <= DAY
