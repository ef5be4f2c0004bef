"""Promises of the brain about any playbook and whatever happens, in whatever order."""

from __future__ import annotations

import json
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from medic_core.domain.repair.execution import (
    Began,
    Cause,
    Decided,
    Died,
    Directive,
    DirectiveKind,
    Ended,
    Event,
    LookForHeartbeats,
    Lost,
    NotAnswered,
    Phase,
    Reported,
    Run,
    Seen,
    StepBegan,
    StepEnded,
    Woke,
)
from medic_core.domain.repair.orders import Verdict
from medic_core.domain.repair.playbooks import (
    Approval,
    ApprovalMode,
    Ask,
    Check,
    Condition,
    Method,
    Notify,
    OnFailure,
    OnTimeout,
    Playbook,
    Retry,
    Script,
    Wait,
    Webhook,
)
from medic_core.store.executions import directive_to_json
from tests.unit.repair.walking import MINUTE, SECOND, Walk, a_step

#: Enough for every try of every step to be looked at until its time is over, many times over.
MOST_TURNS = 3000
ACTS = {DirectiveKind.WEBHOOK, DirectiveKind.SCRIPT}

URL = "https://a.example.com"
TIMES = st.sampled_from([SECOND, 30 * SECOND, 5 * MINUTE, 3 * 60 * MINUTE])
ACTIONS = st.one_of(
    st.builds(Webhook, st.just(URL), st.sampled_from(Method), timeout=TIMES, idempotent=st.booleans()),
    st.builds(Script, st.just("s"), timeout=TIMES, idempotent=st.booleans()),
    st.builds(Wait, TIMES),
    st.builds(Condition, st.sampled_from(Check), TIMES, url=st.just(URL)),
    st.just(Notify("m")),
    st.builds(Ask, timeout=TIMES, on_timeout=st.sampled_from(OnTimeout)),
)
#: Each step registers itself, and may ask for what the first one came to.
STEPS = st.lists(
    st.builds(
        a_step,
        ACTIONS,
        only_if=st.sampled_from(["", "", "true", "false", "s0.status == 'completed'", "s0.status_code > 300"]),
        on_failure=st.sampled_from(OnFailure),
        retry=st.builds(Retry, st.integers(1, 3), st.sampled_from([timedelta(0), SECOND, 60 * MINUTE]), st.just(2.0)),
        register=st.sampled_from([None, "s0", "s1"]),
    ),
    max_size=4,
).map(tuple)
APPROVALS = st.sampled_from([Approval(), Approval(ApprovalMode.REQUIRED), Approval(ApprovalMode.TIMEOUT, 9 * MINUTE)])
PLAYBOOKS = st.builds(
    Playbook,
    st.just("p"),
    STEPS,
    approval=APPROVALS,
    finally_steps=STEPS,
    timeout=st.sampled_from([MINUTE, 120 * MINUTE]),
    verify=st.none() | TIMES,
)
RUNS = st.builds(Run, PLAYBOOKS, st.sampled_from(Cause), st.just({}))
REPORTS = st.builds(
    Reported, st.sampled_from(Verdict), st.just("o"), st.just("e"), st.sampled_from([{}, {"status_code": 500}])
)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.sampled_from([Began(), Woke(), Lost()]),
    st.builds(Decided, st.booleans(), st.sampled_from(["ann", ""])),
    st.builds(NotAnswered, st.booleans()),
    REPORTS,
    st.builds(Died, st.just("e"), st.booleans()),
    st.builds(Seen, st.booleans()),
)
#: What happens, how much later, whether the alert is over then, and whether a kill switch is thrown.
HAPPENINGS = st.lists(
    st.tuples(
        EVENTS,
        st.sampled_from([timedelta(0), SECOND, MINUTE, 60 * MINUTE]),
        st.booleans(),
        st.integers(0, 19).map(lambda number: number == 0),
    ),
    max_size=20,
)


def fitting(walk: Walk, seed: int) -> Event:
    """Something that can come of what the brain has asked for."""
    if isinstance(walk.asked, LookForHeartbeats):
        return Seen(met=seed % 3 == 0)
    match walk.kind:
        case DirectiveKind.APPROVAL:
            return (Decided(True, "ann"), Decided(False, "ann"), NotAnswered(True), NotAnswered(False))[seed % 4]
        case DirectiveKind.WEBHOOK | DirectiveKind.SCRIPT:
            verdicts = tuple(Verdict)
            return Died("e", began=seed % 2 == 0) if seed % 5 == 0 else Reported(verdicts[seed % 3], "o", "e")
        case _:
            return Woke()


def is_over(walk: Walk) -> bool:
    return walk.progress.phase is Phase.OVER


def goes_by_itself(walk: Walk, seeds: list[int]) -> None:
    """To its end, with nothing happening but what was asked for."""
    for turn in range(MOST_TURNS):
        if is_over(walk):
            return
        if isinstance(walk.asked, Directive) and walk.kind is DirectiveKind.WAIT:
            walk.sleeps()
        elif isinstance(walk.asked, Directive) and walk.kind is DirectiveKind.APPROVAL:
            walk.hears(fitting(walk, seeds[turn % len(seeds)]), timedelta(seconds=walk.directive.seconds or 0))
        else:
            walk.hears(fitting(walk, seeds[turn % len(seeds)]))
    raise AssertionError("it does not end")


def keeps_its_promises(walk: Walk) -> None:
    """What is so after every turn."""
    ended = [(one.index, one.attempt) for one in walk.effects if isinstance(one, StepEnded)]
    begun = walk.begun
    assert len(set(ended)) == len(ended)
    assert len(set(begun)) == len(begun)
    assert begun == sorted(begun)
    tries = [(type(one), one.index, one.attempt) for one in walk.effects if isinstance(one, StepBegan | StepEnded)]
    assert all(tries.index((StepBegan, *one)) < tries.index((StepEnded, *one)) for one in ended)
    assert len([one for one in walk.effects if isinstance(one, Ended)]) == is_over(walk)
    if isinstance(walk.asked, Directive):
        ids = {"execution_id": 2**63 - 1, "engine_name": "medic-" + "f" * 36, "seq": 2**31 - 1, "outcome": {}}
        assert len(json.dumps({**directive_to_json(walk.asked), **ids})) < 1024
        assert (walk.kind in {DirectiveKind.SUCCEED, DirectiveKind.FAIL}) is is_over(walk)


@settings(max_examples=400, deadline=None)
@given(run=RUNS, happenings=HAPPENINGS, seeds=st.lists(st.integers(0, 99), min_size=1, max_size=20))
def test_whatever_happens_it_never_fails_and_it_ends(
    run: Run, happenings: list[tuple[Event, timedelta, bool, bool]], seeds: list[int]
) -> None:
    walk = Walk(run).hears(Began())
    for event, after, recovered, is_stopped in happenings:
        walk.alert_over, walk.stopped_by = recovered, "a kill switch" if is_stopped else None
        was_over = is_over(walk)
        walk.hears(event, after)
        keeps_its_promises(walk)
        acts = isinstance(walk.asked, Directive) and walk.kind in ACTS
        assert not (acts and (is_stopped or was_over))
        assert not (was_over and walk.new)
    walk.stopped_by = None
    goes_by_itself(walk, seeds)
    keeps_its_promises(walk)


@settings(max_examples=200, deadline=None)
@given(run=RUNS, turns=st.integers(0, 12), seeds=st.lists(st.integers(0, 99), min_size=1, max_size=20))
def test_under_a_kill_switch_nothing_acts_any_more_wherever_it_stood(run: Run, turns: int, seeds: list[int]) -> None:
    walk = Walk(run).hears(Began())
    for turn in range(turns):
        if not is_over(walk):
            walk.hears(fitting(walk, seeds[turn % len(seeds)]), SECOND)
    walk.stopped_by, at = "a kill switch", len(walk.begun)
    for turn in range(MOST_TURNS):
        if is_over(walk):
            break
        walk.hears(fitting(walk, seeds[turn % len(seeds)]), 5 * SECOND)
        assert not (isinstance(walk.asked, Directive) and walk.kind in ACTS)
    assert is_over(walk)
    assert len(walk.begun) == at
    keeps_its_promises(walk)


@settings(max_examples=200, deadline=None)
@given(run=RUNS, seeds=st.lists(st.integers(0, 99), min_size=1, max_size=20))
def test_every_try_that_began_has_ended_when_it_is_over(run: Run, seeds: list[int]) -> None:
    walk = Walk(run).hears(Began())
    goes_by_itself(walk, seeds)
    assert sorted((index, attempt) for index, attempt, _ in walk.ended) == walk.begun
