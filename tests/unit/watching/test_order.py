"""Promise 8, as far as it is pure: late and reordered signals leave the state that the ordered ones would have left."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from medic_core.domain.watching.health import Health
from medic_core.domain.watching.schedules import Interval
from medic_core.domain.watching.signals import SignalKind
from medic_core.domain.watching.states import (
    Expectations,
    Heard,
    State,
    Trouble,
    advance,
    is_sign_of_life,
    registered,
)

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
#: All have arrived by then; what was heard in the first minutes alone is a silence by then.
NOW = START + 60 * MINUTE
HOURLY = Expectations(Interval(50 * MINUTE, grace=2 * MINUTE), failure_tolerance=2)
UP, DEGRADED, FAILED, STARTED = SignalKind.UP, SignalKind.DEGRADED, SignalKind.FAILED, SignalKind.STARTED
History = list[tuple[SignalKind, int]]


@dataclass
class Service:
    """Plays the part of `flows.settle`: counts failures, keeps what is open and what was heard."""

    expects: Expectations
    state: State
    troubles: frozenset[Trouble] = frozenset()
    failed_at: list[datetime] = field(default_factory=list)

    def hears(self, kind: SignalKind, minute: int) -> None:
        at = START + minute * MINUTE
        heard = Heard(kind, at, self._failures(kind, at))
        step = advance(self.state, heard, NOW, self.troubles, self.expects)
        if kind is FAILED:
            self.failed_at.append(at)
        self.state = step.state
        self.troubles = (self.troubles - step.ends) | {found.trouble for found in step.opens}

    def _failures(self, kind: SignalKind, at: datetime) -> int:
        if kind is FAILED:
            return self.state.failures + 1
        if not is_sign_of_life(kind):
            return self.state.failures
        last_alive = max(at, self.state.last_heartbeat_at or at)
        return sum(failed > last_alive for failed in self.failed_at) if self.state.failures else 0

    def seen(self) -> dict[str, Any]:
        """All that can be seen of it from outside, in minutes."""
        state = self.state
        return {
            "health": str(state.health),
            "alerts": sorted(self.troubles),
            "last heard": _minute(state.last_heartbeat_at),
            "deadline": _minute(state.alert_after),
            "window": [_minute(moment) for moment in state.recent],
            "failures": state.failures,
        }


def _minute(moment: datetime | None) -> int | None:
    return None if moment is None else int((moment - START) / MINUTE)


def a_new_one(expects: Expectations) -> Service:
    return Service(expects, registered(START, expects))


def one_that_is_up(expects: Expectations) -> Service:
    return Service(expects, replace(registered(START, expects), health=Health.UP, last_heartbeat_at=START))


def one_that_fell_silent(expects: Expectations) -> Service:
    state = replace(registered(START, expects), health=Health.DOWN, last_heartbeat_at=START, alert_after=None)
    return Service(expects, state, frozenset({Trouble.MISSED_HEARTBEAT}))


def one_that_never_reported(expects: Expectations) -> Service:
    return Service(expects, replace(registered(START, expects), alert_after=None), frozenset({Trouble.NEVER_REPORTED}))


def after(service: Service, history: History) -> dict[str, Any]:
    for kind, minute in history:
        service.hears(kind, minute)
    return service.seen()


histories = st.dictionaries(st.integers(1, 59), st.sampled_from(SignalKind), min_size=1, max_size=8).map(
    lambda found: [(kind, minute) for minute, kind in sorted(found.items())]
)
longest_runs = st.sampled_from([None, 30 * MINUTE, 300 * MINUTE])


@pytest.mark.parametrize("tolerance", [1, 2, 3])
@pytest.mark.parametrize("kind_of_service", [a_new_one, one_that_is_up, one_that_fell_silent, one_that_never_reported])
@settings(max_examples=200)
@given(history=histories, order=st.randoms(use_true_random=False), longest_run=longest_runs)
def test_any_order_with_repetitions_of_success_ends_as_the_ordered_one(
    kind_of_service: Any, tolerance: int, history: History, order: Random, longest_run: timedelta | None
) -> None:
    expects = replace(HOURLY, failure_tolerance=tolerance, max_duration=longest_run)
    shuffled = history + [signal for signal in history if signal[0] is UP]
    order.shuffle(shuffled)
    assert after(kind_of_service(expects), shuffled) == after(kind_of_service(expects), history), shuffled


@pytest.mark.parametrize("threshold", [2, 3])
@pytest.mark.parametrize("kind_of_service", [a_new_one, one_that_is_up, one_that_fell_silent])
@settings(max_examples=200)
@given(history=histories, order=st.randoms(use_true_random=False), longest_run=longest_runs)
@example([(UP, 3), (DEGRADED, 9), (UP, 27)], Random(1), None)
def test_any_order_fills_the_same_window(
    kind_of_service: Any, threshold: int, history: History, order: Random, longest_run: timedelta | None
) -> None:
    expects = replace(HOURLY, schedule=replace(HOURLY.schedule, threshold=threshold), max_duration=longest_run)
    shuffled = list(history)
    order.shuffle(shuffled)
    assert after(kind_of_service(expects), shuffled) == after(kind_of_service(expects), history), shuffled


SLOW = replace(HOURLY, max_duration=300 * MINUTE)
TWICE = replace(HOURLY, schedule=replace(HOURLY.schedule, threshold=2))


@pytest.mark.parametrize(
    ("service", "expects", "late", "others"),
    [
        pytest.param(
            one_that_is_up, SLOW, (UP, 30), [(STARTED, 10), (FAILED, 40)],
            id="a late success takes away the time of the start before it, not of the failure after it",
        ),
        pytest.param(
            one_that_is_up, TWICE, (UP, 35), [(FAILED, 5), (STARTED, 53)],
            id="a late success takes away the time of the failure before it, not of the start after it",
        ),
        pytest.param(
            one_that_fell_silent, HOURLY, (UP, 3), [(FAILED, 58)],
            id="a late success that is too old ends a silence no more than it would have in time",
        ),
        pytest.param(
            one_that_fell_silent, TWICE, (UP, 20), [(DEGRADED, 32)],
            id="a late success that ends a silence does not hide that the newest report was degraded",
        ),
    ],
)  # fmt: skip
def test_what_comes_late_leaves_what_it_would_have_left_in_time(
    service: Any, expects: Expectations, late: tuple[SignalKind, int], others: History
) -> None:
    in_order = sorted([late, *others], key=lambda signal: signal[1])
    assert after(service(expects), [*others, late]) == after(service(expects), in_order)
