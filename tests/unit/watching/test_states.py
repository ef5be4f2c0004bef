from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from medic_core.domain.watching.schedules import Interval
from medic_core.domain.watching.signals import SignalKind
from medic_core.domain.watching.states import (
    Expectations,
    Health,
    Heard,
    State,
    Transition,
    Trouble,
    advance,
    registered,
    still_in_trouble,
    watched_again,
)

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EXPECTS = Expectations(Interval(10 * MINUTE, grace=2 * MINUTE), failure_tolerance=2, max_duration=30 * MINUTE)
UP = State(Health.UP, (START,), START, START + 12 * MINUTE)
NEW = registered(START, EXPECTS)
DOWN = replace(UP, health=Health.DOWN, alert_after=None)


def heard(
    state: State, kind: SignalKind, minute: int, *, failures: int = 0, troubles: frozenset[Trouble] = frozenset()
) -> Transition:
    at = START + minute * MINUTE
    return advance(state, Heard(kind, at, failures), at, troubles, EXPECTS)


def test_a_new_service_is_given_its_interval_and_grace() -> None:
    assert (NEW.health, NEW.alert_after) == (Health.NEW, START + 12 * MINUTE)
    assert registered(START, replace(EXPECTS, alert_when_never_reported=False)).alert_after is None


@pytest.mark.parametrize(
    ("kind", "health"),
    [(SignalKind.UP, Health.UP), (SignalKind.COMPLETED, Health.UP), (SignalKind.DEGRADED, Health.DEGRADED)],
)
@pytest.mark.parametrize("state", [NEW, UP])
def test_a_sign_of_life_moves_the_deadline(state: State, kind: SignalKind, health: Health) -> None:
    new = heard(state, kind, 5).state
    assert (new.health, new.last_heartbeat_at, new.alert_after) == (
        health,
        START + 5 * MINUTE,
        START + 17 * MINUTE,
    )


@pytest.mark.parametrize("kind", [SignalKind.LOG, SignalKind.IGNORED])
@pytest.mark.parametrize("state", [NEW, UP, DOWN])
def test_what_is_only_kept_changes_nothing(state: State, kind: SignalKind) -> None:
    assert heard(state, kind, 5) == Transition(state)


def test_down_is_told_at_once_and_waits_for_nothing() -> None:
    step = heard(UP, SignalKind.DOWN, 5)
    assert (step.opens, step.state.health, step.state.alert_after) == (Trouble.REPORTED_DOWN, Health.DOWN, None)


def test_failures_open_at_the_tolerance() -> None:
    first = heard(UP, SignalKind.FAILED, 5, failures=1)
    assert (first.opens, first.state.health, first.state.alert_after) == (None, Health.UP, START + 17 * MINUTE)
    second = heard(first.state, SignalKind.FAILED, 6, failures=2)
    assert (second.opens, second.because) == (Trouble.JOB_FAILED, "2 failed runs in a row")


@pytest.mark.parametrize("trouble", list(Trouble))
def test_a_sign_of_life_ends_every_trouble(trouble: Trouble) -> None:
    step = heard(DOWN, SignalKind.UP, 30, troubles=frozenset({trouble}))
    assert (step.ends, step.state.health) == ({trouble}, Health.UP)


def test_a_start_gives_the_run_its_longest_time_and_is_no_success() -> None:
    new = heard(UP, SignalKind.STARTED, 5).state
    assert (new.alert_after, new.last_heartbeat_at) == (START + 35 * MINUTE, START)
    assert heard(new, SignalKind.COMPLETED, 6).state.alert_after == START + 18 * MINUTE
    assert heard(DOWN, SignalKind.STARTED, 5).state.alert_after is None


def test_a_late_success_does_not_end_a_newer_trouble() -> None:
    down = heard(UP, SignalKind.DOWN, 9).state
    step = heard(down, SignalKind.UP, 5, troubles=frozenset({Trouble.REPORTED_DOWN}))
    assert (step.ends, step.state.health, step.state.last_heartbeat_at) == (set(), Health.DOWN, START + 5 * MINUTE)


@pytest.mark.parametrize("kind", [SignalKind.DOWN, SignalKind.FAILED, SignalKind.STARTED])
def test_an_old_trouble_does_not_undo_a_newer_sign_of_life(kind: SignalKind) -> None:
    up = heard(UP, SignalKind.UP, 9).state
    assert heard(up, kind, 5, failures=2) == Transition(up)


def test_a_late_success_that_is_too_old_leaves_the_silence() -> None:
    now = START + 60 * MINUTE
    missed = frozenset({Trouble.MISSED_HEARTBEAT})
    late = advance(DOWN, Heard(SignalKind.UP, START + 5 * MINUTE), now, missed, EXPECTS)
    assert (late.ends, late.state.health) == (set(), Health.DOWN)
    in_time = advance(DOWN, Heard(SignalKind.UP, START + 50 * MINUTE), now, missed, EXPECTS)
    assert (in_time.ends, in_time.state.health) == (missed, Health.UP)


def test_a_changed_schedule_counts_from_now_but_not_for_what_is_in_trouble() -> None:
    slower = replace(EXPECTS, schedule=Interval(60 * MINUTE, threshold=3))
    again = watched_again(UP, START + MINUTE, slower)
    assert (len(again.recent), again.alert_after) == (3, START + 61 * MINUTE)
    waiting = still_in_trouble(DOWN, slower)
    assert (waiting.recent, waiting.alert_after) == ((START,) * 3, None)
