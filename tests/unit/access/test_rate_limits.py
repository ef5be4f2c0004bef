from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.access.rate_limits import DEFAULTS, WINDOW_SECONDS, Endpoints, SlidingWindow, Verdict

limits = st.integers(1, 5)
#: Gaps that fall within, on and beyond a window.
gaps = st.lists(st.sampled_from([0.0, 0.5, 7.0, 20.0, 59.999, WINDOW_SECONDS, 61.0]), max_size=40)


def moments(found: list[float]) -> list[float]:
    now, seen = 1000.0, []
    for gap in found:
        now += gap
        seen.append(now)
    return seen


@given(limit=limits, found=gaps)
def test_no_window_holds_more_than_the_limit_and_an_idle_caller_is_not_refused(limit: int, found: list[float]) -> None:
    window, admitted = SlidingWindow(), []
    for now in moments(found):
        counted = [moment for moment in admitted if moment > now - WINDOW_SECONDS]
        verdict = window.ask(now, limit)
        assert verdict.admitted == (len(counted) < limit)
        admitted += [now] if verdict.admitted else []
        assert verdict.remaining == limit - len(counted) - verdict.admitted
    for start in admitted:
        assert sum(start <= moment < start + WINDOW_SECONDS for moment in admitted) <= limit


@given(limit=limits, found=gaps)
def test_looking_takes_nothing(limit: int, found: list[float]) -> None:
    looked, left_alone = SlidingWindow(), SlidingWindow()
    for now in moments(found):
        seen = looked.ask(now, limit, takes=False)
        assert looked.ask(now, limit).admitted == left_alone.ask(now, limit).admitted == seen.admitted


@given(limit=limits, found=gaps)
def test_waiting_as_long_as_it_says_is_enough_and_no_longer_than_needed(limit: int, found: list[float]) -> None:
    window = SlidingWindow()
    for now in moments(found):
        verdict = window.ask(now, limit)
        if not verdict.admitted:
            assert window.ask(now + verdict.reset_seconds, limit, takes=False).admitted
            return


def test_a_limit_that_is_lowered_or_raised_holds_at_once() -> None:
    window = SlidingWindow()
    assert [window.ask(0.0, 3).admitted for _ in range(4)] == [True, True, True, False]
    assert window.ask(1.0, 4).admitted
    lowered = window.ask(2.0, 1)
    assert (lowered.admitted, lowered.remaining) == (False, 0)


def test_a_clock_that_steps_back_frees_nothing() -> None:
    window = SlidingWindow()
    assert window.ask(1000.0, 1).admitted
    assert not window.ask(10.0, 1).admitted


@pytest.mark.parametrize(("seconds", "wait"), [(0.0, 1), (0.2, 1), (1.0, 1), (1.1, 2), (59.5, 60)])
def test_whole_seconds_to_wait(seconds: float, wait: int) -> None:
    assert Verdict(admitted=False, limit=1, remaining=0, reset_seconds=seconds).retry_after == wait


def test_the_defaults_are_those_that_were_promised() -> None:
    assert DEFAULTS == {
        Endpoints.HEARTBEAT: 100,
        Endpoints.MANAGEMENT: 20,
        Endpoints.HEALTH: 1000,
        Endpoints.DOCS: 60,
        Endpoints.EXECUTION: 10,
        Endpoints.PAGE: 300,
        Endpoints.METRICS: 100,
    }
