from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from medic_core.domain.watching.deadlines import Extension, Reason
from medic_core.domain.watching.health import Health
from medic_core.domain.watching.runs import RunsHeard
from medic_core.domain.watching.schedules import Cron, Interval
from medic_core.domain.watching.signals import SignalKind
from medic_core.domain.watching.states import (
    OF_RUNS,
    Expectations,
    Found,
    Heard,
    State,
    Transition,
    Trouble,
    advance,
    is_sign_of_life,
    registered,
    still_in_trouble,
    watched_again,
)

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
#: Every 10 minutes and 2 of grace; two failures in a row are one too many; a run may take 30 minutes.
EXPECTS = Expectations(Interval(10 * MINUTE, grace=2 * MINUTE), failure_tolerance=2, max_duration=30 * MINUTE)
NEW = registered(START, EXPECTS)
UP = State(Health.UP, (START,), START, START + 12 * MINUTE)
DEGRADED = replace(UP, health=Health.DEGRADED)
DOWN = replace(UP, health=Health.DOWN, alert_after=None)
MISSED = frozenset({Trouble.MISSED_HEARTBEAT})
#: Those that make a service down.
OF_THE_SERVICE = [trouble for trouble in Trouble if trouble not in OF_RUNS]
STATES = {Health.NEW: NEW, Health.UP: UP, Health.DEGRADED: DEGRADED, Health.DOWN: DOWN}

#: What a signal in the 5th minute makes of each health: (health, deadline in minutes).
TABLE: dict[SignalKind, dict[Health, tuple[str, int | None]]] = {
    SignalKind.UP: {
        Health.NEW: ("up", 17), Health.UP: ("up", 17), Health.DEGRADED: ("up", 17), Health.DOWN: ("up", 17),
    },
    SignalKind.COMPLETED: {
        Health.NEW: ("up", 17), Health.UP: ("up", 17), Health.DEGRADED: ("up", 17), Health.DOWN: ("up", 17),
    },
    SignalKind.DEGRADED: {
        Health.NEW: ("degraded", 17), Health.UP: ("degraded", 17), Health.DEGRADED: ("degraded", 17),
        Health.DOWN: ("degraded", 17),
    },
    SignalKind.DOWN: {
        Health.NEW: ("down", None), Health.UP: ("down", None), Health.DEGRADED: ("down", None),
        Health.DOWN: ("down", None),
    },
    SignalKind.STARTED: {
        Health.NEW: ("new", 35), Health.UP: ("up", 35), Health.DEGRADED: ("degraded", 35), Health.DOWN: ("down", None),
    },
    SignalKind.FAILED: {
        Health.NEW: ("up", 17), Health.UP: ("up", 17), Health.DEGRADED: ("degraded", 17), Health.DOWN: ("down", None),
    },
    SignalKind.LOG: {
        Health.NEW: ("new", 12), Health.UP: ("up", 12), Health.DEGRADED: ("degraded", 12), Health.DOWN: ("down", None),
    },
    SignalKind.IGNORED: {
        Health.NEW: ("new", 12), Health.UP: ("up", 12), Health.DEGRADED: ("degraded", 12), Health.DOWN: ("down", None),
    },
}  # fmt: skip
CELLS = [(kind, health) for kind in SignalKind for health in Health]


def heard(
    state: State,
    kind: SignalKind,
    minute: int,
    *,
    failures: int = 0,
    troubles: frozenset[Trouble] = frozenset(),
    expects: Expectations = EXPECTS,
) -> Transition:
    """What a signal changes that is received at its own time."""
    at = START + minute * MINUTE
    return advance(state, Heard(kind, at, failures), at, troubles, expects)


def in_trouble(trouble: Trouble) -> State:
    """The state of a service with that alert open."""
    return replace(NEW, alert_after=None) if trouble is Trouble.NEVER_REPORTED else DOWN


def minute(moment: datetime | None) -> int | None:
    return None if moment is None else int((moment - START) / MINUTE)


@pytest.mark.parametrize(("kind", "health"), CELLS)
def test_every_signal_makes_what_the_table_says_of_every_health(kind: SignalKind, health: Health) -> None:
    troubles = MISSED if health is Health.DOWN else frozenset()
    failures = 1 if kind is SignalKind.FAILED else 0
    new = heard(STATES[health], kind, 5, failures=failures, troubles=troubles).state
    assert (new.health, minute(new.alert_after)) == TABLE[kind][health]


@pytest.mark.parametrize(("kind", "health"), CELLS)
def test_only_a_sign_of_life_says_when_it_was_last_heard(kind: SignalKind, health: Health) -> None:
    before = STATES[health]
    new = heard(before, kind, 5).state
    assert new.last_heartbeat_at == (START + 5 * MINUTE if is_sign_of_life(kind) else before.last_heartbeat_at)
    assert (new.recent == before.recent) is not is_sign_of_life(kind)


@pytest.mark.parametrize(("kind", "health"), CELLS)
def test_only_down_and_too_many_failures_open_an_alert(kind: SignalKind, health: Health) -> None:
    expected = {SignalKind.DOWN: Trouble.REPORTED_DOWN, SignalKind.FAILED: Trouble.JOB_FAILED}.get(kind)
    step = heard(STATES[health], kind, 5, failures=2)
    assert [found.trouble for found in step.opens] == ([expected] if expected else [])
    assert bool(step.because) is is_sign_of_life(kind)
    assert all(found.because for found in step.opens)


@pytest.mark.parametrize("trouble", OF_THE_SERVICE)
@pytest.mark.parametrize("kind", list(SignalKind))
def test_a_sign_of_life_ends_every_trouble_and_nothing_else_ends_any(kind: SignalKind, trouble: Trouble) -> None:
    step = heard(in_trouble(trouble), kind, 30, troubles=frozenset({trouble}))
    assert step.ends == ({trouble} if is_sign_of_life(kind) else frozenset())


@pytest.mark.parametrize("trouble", OF_THE_SERVICE)
@pytest.mark.parametrize("kind", list(SignalKind))
@pytest.mark.parametrize("failures", [1, 2])
def test_no_service_is_well_or_waited_for_while_one_of_its_alerts_is_open(
    kind: SignalKind, trouble: Trouble, failures: int
) -> None:
    open_before = frozenset({trouble})
    step = heard(in_trouble(trouble), kind, 5, failures=failures, troubles=open_before)
    still_open = (open_before - step.ends) | {found.trouble for found in step.opens}
    if still_open:
        assert step.state.health in {Health.NEW, Health.DOWN}
        assert step.state.alert_after is None
    else:
        assert step.state.health in {Health.UP, Health.DEGRADED}


def test_a_sign_of_life_ends_all_troubles_at_once() -> None:
    step = heard(DOWN, SignalKind.UP, 30, troubles=frozenset(Trouble))
    assert (step.ends, step.state.health, step.because) == (set(OF_THE_SERVICE), Health.UP, "reported UP")


def test_a_new_service_is_given_its_interval_and_grace() -> None:
    assert (NEW.health, NEW.alert_after, NEW.last_heartbeat_at) == (Health.NEW, START + 12 * MINUTE, None)
    assert registered(START, replace(EXPECTS, alert_when_never_reported=False)).alert_after is None
    assert registered(START, replace(EXPECTS, schedule=Interval(MINUTE, threshold=3))).recent == (START,) * 3


def test_a_service_that_was_not_waited_for_is_once_it_was_heard() -> None:
    quiet = registered(START, replace(EXPECTS, alert_when_never_reported=False))
    assert minute(heard(quiet, SignalKind.UP, 5).state.alert_after) == 17
    assert minute(heard(quiet, SignalKind.FAILED, 5, failures=1).state.alert_after) == 17
    assert heard(quiet, SignalKind.STARTED, 5).state.alert_after is None


def test_failures_open_at_the_tolerance() -> None:
    first = heard(UP, SignalKind.FAILED, 5, failures=1)
    assert (first.opens, first.state.health, first.state.failures) == ((), Health.UP, 1)
    second = heard(first.state, SignalKind.FAILED, 6, failures=2)
    assert second.opens == (Found(Trouble.JOB_FAILED, "2 failed runs in a row"),)
    assert (second.state.health, second.state.alert_after) == (Health.DOWN, None)


def test_without_tolerance_the_first_failure_is_told() -> None:
    step = heard(UP, SignalKind.FAILED, 5, failures=1, expects=replace(EXPECTS, failure_tolerance=1))
    assert step.opens == (Found(Trouble.JOB_FAILED, "the run failed"),)


def test_a_sign_of_life_begins_the_count_of_failures_anew() -> None:
    failed = heard(UP, SignalKind.FAILED, 5, failures=1).state
    assert heard(failed, SignalKind.UP, 6).state.failures == 0


@pytest.mark.parametrize(
    ("max_duration", "deadline"), [(None, 12), (5 * MINUTE, 13), (30 * MINUTE, 38), (180 * MINUTE, 188)]
)
def test_a_start_gives_the_run_its_longest_time_and_never_takes_any_away(
    max_duration: timedelta | None, deadline: int
) -> None:
    new = heard(UP, SignalKind.STARTED, 8, expects=replace(EXPECTS, max_duration=max_duration)).state
    assert (minute(new.alert_after), new.last_heartbeat_at) == (deadline, START)


def test_a_start_without_a_longest_time_adds_the_grace() -> None:
    new = heard(UP, SignalKind.STARTED, 11, expects=replace(EXPECTS, max_duration=None)).state
    assert minute(new.alert_after) == 13


def test_the_end_of_a_run_takes_its_time_away_again() -> None:
    running = heard(UP, SignalKind.STARTED, 5).state
    assert minute(heard(running, SignalKind.COMPLETED, 6).state.alert_after) == 18


def test_two_runs_at_once_have_the_time_of_the_longer() -> None:
    first = heard(UP, SignalKind.STARTED, 5).state
    assert minute(heard(first, SignalKind.STARTED, 9).state.alert_after) == 39


def test_a_late_success_does_not_end_a_newer_report_of_being_down() -> None:
    down = heard(UP, SignalKind.DOWN, 9).state
    step = heard(down, SignalKind.UP, 5, troubles=frozenset({Trouble.REPORTED_DOWN}))
    assert (step.ends, step.state.health, step.state.alert_after) == (frozenset(), Health.DOWN, None)
    assert step.state.last_heartbeat_at == START + 5 * MINUTE


def test_a_late_success_does_not_end_newer_failures() -> None:
    step = heard(DOWN, SignalKind.UP, 5, failures=2, troubles=frozenset({Trouble.JOB_FAILED}))
    assert (step.ends, step.state.health, step.state.failures) == (frozenset(), Health.DOWN, 2)
    enough = heard(DOWN, SignalKind.UP, 5, failures=1, troubles=frozenset({Trouble.JOB_FAILED}))
    assert (enough.ends, enough.state.failures) == (frozenset({Trouble.JOB_FAILED}), 1)


@pytest.mark.parametrize("kind", [SignalKind.DOWN, SignalKind.FAILED, SignalKind.STARTED])
def test_an_old_trouble_does_not_undo_a_newer_sign_of_life(kind: SignalKind) -> None:
    up = heard(UP, SignalKind.UP, 9).state
    assert heard(up, kind, 5, failures=2) == Transition(up)


def test_what_was_last_heard_never_moves_backwards() -> None:
    up = heard(UP, SignalKind.UP, 9).state
    late = heard(up, SignalKind.DEGRADED, 5).state
    assert (late.last_heartbeat_at, late.health, late.alert_after) == (up.last_heartbeat_at, Health.UP, up.alert_after)


@pytest.mark.parametrize(("at", "over"), [(5, False), (47, False), (48, False), (49, True), (60, True)])
def test_a_late_success_ends_a_silence_only_where_it_came_in_time(at: int, over: bool) -> None:
    now = START + 60 * MINUTE
    step = advance(DOWN, Heard(SignalKind.UP, START + at * MINUTE), now, MISSED, EXPECTS)
    assert (step.ends == MISSED, step.state.health is Health.UP) == (over, over)


def test_one_heartbeat_is_too_few_where_more_are_wanted() -> None:
    hourly = replace(EXPECTS, schedule=Interval(60 * MINUTE, threshold=2))
    silent = replace(DOWN, recent=(START, START))
    first = heard(silent, SignalKind.UP, 300, troubles=MISSED, expects=hourly)
    assert (first.ends, first.state.health) == (frozenset(), Health.DOWN)
    second = heard(first.state, SignalKind.UP, 301, troubles=MISSED, expects=hourly)
    assert (second.ends, minute(second.state.alert_after)) == (MISSED, 360)


def test_a_service_heard_for_the_first_time_begins_its_window_then() -> None:
    hourly = replace(EXPECTS, schedule=Interval(60 * MINUTE, threshold=3))
    silent = replace(registered(START, hourly), alert_after=None)
    step = heard(silent, SignalKind.UP, 300, troubles=frozenset({Trouble.NEVER_REPORTED}), expects=hourly)
    assert (step.ends, minute(step.state.alert_after)) == (frozenset({Trouble.NEVER_REPORTED}), 360)


def test_a_changed_schedule_counts_from_now() -> None:
    slower = replace(EXPECTS, schedule=Interval(60 * MINUTE, threshold=3))
    again = watched_again(UP, START + MINUTE, slower)
    assert (again.health, len(again.recent), minute(again.alert_after)) == (Health.UP, 3, 61)
    assert again.last_heartbeat_at == START


def test_a_service_that_was_never_heard_is_new_again() -> None:
    assert watched_again(NEW, START + MINUTE, EXPECTS) == registered(START + MINUTE, EXPECTS)


def test_a_changed_schedule_leaves_a_run_that_is_under_way_its_time() -> None:
    running = heard(UP, SignalKind.STARTED, 5).state
    assert minute(running.alert_after) == 35
    again = watched_again(running, START + 6 * MINUTE, EXPECTS)
    assert minute(again.alert_after) == 35


@pytest.mark.parametrize("threshold", [1, 2, 5])
def test_what_is_in_trouble_waits_to_be_heard_whatever_its_schedule(threshold: int) -> None:
    changed = replace(EXPECTS, schedule=Interval(60 * MINUTE, threshold))
    waiting = still_in_trouble(replace(DOWN, recent=(START + MINUTE, START)), START + HOUR, changed)
    assert (len(waiting.recent), waiting.recent[0], waiting.alert_after) == (threshold, START + MINUTE, None)
    assert waiting.health is Health.DOWN


NIGHTLY = replace(EXPECTS, schedule=Cron("0 2 * * *", "UTC", grace=10 * MINUTE))
LONG, SHORT = 31 * MINUTE, 30 * MINUTE
EXCEEDED, STALE = Trouble.DURATION_EXCEEDED, Trouble.STALE_RUN


@pytest.mark.parametrize(
    ("kind", "runs", "open_before", "opens", "ends"),
    [
        (SignalKind.COMPLETED, RunsHeard(LONG, is_latest=True), set(), {EXCEEDED}, set()),
        (SignalKind.COMPLETED, RunsHeard(SHORT, is_latest=True), {EXCEEDED}, set(), {EXCEEDED}),
        (SignalKind.COMPLETED, RunsHeard(SHORT, is_latest=False), {EXCEEDED}, set(), set()),
        (SignalKind.COMPLETED, RunsHeard(LONG, is_latest=False), set(), set(), set()),
        (SignalKind.COMPLETED, RunsHeard(SHORT, is_latest=True), {STALE}, set(), {STALE}),
        (SignalKind.COMPLETED, RunsHeard(SHORT, is_latest=True, stale=1), {STALE}, set(), set()),
        (SignalKind.FAILED, RunsHeard(stale=0), {STALE, EXCEEDED}, set(), {STALE}),
        (SignalKind.STARTED, RunsHeard(stale=0), {STALE}, set(), {STALE}),
        (SignalKind.STARTED, RunsHeard(LONG, is_latest=True), set(), {EXCEEDED}, set()),
        (SignalKind.UP, None, {STALE, EXCEEDED}, set(), set()),
        (SignalKind.DOWN, None, {STALE}, {Trouble.REPORTED_DOWN}, set()),
    ],
)
def test_durations_open_and_end_their_own_alerts(
    kind: SignalKind, runs: RunsHeard | None, open_before: set[Trouble], opens: set[Trouble], ends: set[Trouble]
) -> None:
    troubles = frozenset(open_before)
    step = advance(UP, Heard(kind, START + 5 * MINUTE, 1, runs), START + 5 * MINUTE, troubles, EXPECTS)
    assert {found.trouble for found in step.opens} == opens
    assert step.ends & troubles == ends


@pytest.mark.parametrize("trouble", sorted(OF_RUNS))
def test_a_service_whose_run_takes_too_long_lives(trouble: Trouble) -> None:
    step = heard(UP, SignalKind.UP, 5, troubles=frozenset({trouble}))
    assert (step.state.health, step.ends) == (Health.UP, frozenset())
    assert minute(step.state.alert_after) == 17


def test_without_a_limit_nothing_takes_too_long() -> None:
    runs = RunsHeard(timedelta(days=9), is_latest=True)
    unlimited = replace(EXPECTS, max_duration=None)
    step = advance(UP, Heard(SignalKind.COMPLETED, START, 0, runs), START, frozenset({EXCEEDED}), unlimited)
    assert (step.opens, step.ends & {EXCEEDED}) == ((), {EXCEEDED})


def test_a_cron_service_is_expected_at_the_first_tick_after_its_watch_begins() -> None:
    state = registered(START, NIGHTLY)
    tick = datetime(2026, 3, 2, 2, 10, tzinfo=UTC)
    assert (state.recent, state.alert_after, state.extensions) == ((), tick, (Extension(START, tick, Reason.BEGAN),))
    just_before = datetime(2026, 3, 2, 1, 59, 59, tzinfo=UTC)
    assert registered(just_before, NIGHTLY).alert_after == tick


def test_an_edit_just_before_a_tick_is_no_success_even_where_an_older_success_arrives_late() -> None:
    edited_at = datetime(2026, 3, 2, 1, 59, 30, tzinfo=UTC)
    edited = watched_again(UP, edited_at, NIGHTLY)
    late = advance(edited, Heard(SignalKind.UP, START), edited_at, frozenset(), NIGHTLY)
    assert late.state.alert_after == edited.alert_after == datetime(2026, 3, 2, 2, 10, tzinfo=UTC)
    heard_now = advance(edited, Heard(SignalKind.UP, edited_at), edited_at, frozenset(), NIGHTLY)
    assert heard_now.state.alert_after == datetime(2026, 3, 3, 2, 10, tzinfo=UTC)


@pytest.mark.parametrize("before", [Interval(MINUTE, threshold=3), Cron("* * * * *")])
@pytest.mark.parametrize("after", [Interval(HOUR, threshold=5), Interval(HOUR), Cron("0 2 * * *")])
@pytest.mark.parametrize("is_down", [False, True])
def test_a_schedule_of_another_kind_leaves_a_window_of_its_own(
    before: Interval | Cron, after: Interval | Cron, *, is_down: bool
) -> None:
    state = replace(registered(START, replace(EXPECTS, schedule=before)), last_heartbeat_at=START, health=Health.UP)
    changed = (still_in_trouble if is_down else watched_again)(state, START + HOUR, replace(EXPECTS, schedule=after))
    if isinstance(after, Interval):
        assert len(changed.recent) == after.threshold
    else:
        # What was heard while it was down stays known; the next success is the one that counts.
        assert is_down or changed.recent == ()
    next_one = advance(changed, Heard(SignalKind.UP, START + 2 * HOUR), START + 2 * HOUR, MISSED, NIGHTLY)
    assert next_one.state.health is Health.UP
