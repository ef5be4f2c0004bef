"""How the brain walks steps: which it takes, what it makes of their results, and how long it waits for them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from medic_core.domain.repair.advance import MOST_REPEATS
from medic_core.domain.repair.execution import (
    Began,
    Cause,
    DirectiveKind,
    Event,
    LookForHeartbeats,
    Lost,
    Outcome,
    Reported,
    Seen,
    StepEnded,
    StepStatus,
    Tell,
    Woke,
)
from medic_core.domain.repair.orders import Verdict
from medic_core.domain.repair.playbooks import (
    Action,
    Check,
    Condition,
    Method,
    Notify,
    OnFailure,
    Retry,
    Script,
    Step,
    Wait,
    Webhook,
)
from medic_core.domain.repair.walk_ending import poll_interval
from tests.unit.repair.walking import (
    CALL,
    DIED,
    DONE,
    FAILED,
    HOUR,
    IN_DOUBT,
    MINUTE,
    NEVER_BEGAN,
    NOON,
    PAUSE,
    SCRIPT,
    SECOND,
    Walk,
    a_step,
    begun,
)

HEARD = Condition(Check.HEARTBEAT_RECEIVED)
ANSWERS = Condition(Check.HTTP_OK, url="https://a.example.com/health")
OVER = Condition(Check.ALERT_RESOLVED)
SAFE = [Webhook("https://a.example.com", Method.PUT), Webhook("https://a.example.com", idempotent=True)]
SAFE_STEPS: list[Action] = [*SAFE, Webhook("https://a.example.com", Method.DELETE), Script("s", idempotent=True)]
UNSAFE_STEPS: list[Action] = [CALL, Webhook("https://a.example.com", Method.PATCH), SCRIPT]


def test_steps_are_taken_one_after_the_other() -> None:
    walk = begun(CALL, Notify("half of it is done"), SCRIPT, PAUSE)
    assert (walk.kind, walk.directive.seconds) == (DirectiveKind.WEBHOOK, 60)
    assert (walk.hears(DONE).kind, walk.directive.seconds) == (DirectiveKind.SCRIPT, 90)
    assert Tell(1) in walk.new
    assert walk.hears(DONE).waits == MINUTE
    assert (walk.sleeps().kind, walk.outcome) == (DirectiveKind.SUCCEED, Outcome.SUCCEEDED)
    assert walk.begun == [(0, 1), (1, 1), (2, 1), (3, 1)]
    assert walk.ended == [(at, 1, "completed") for at in range(4)]


def test_what_a_runner_says_is_kept_with_its_step() -> None:
    said = [one for one in begun(CALL).hears(FAILED).new if isinstance(one, StepEnded)]
    assert said == [StepEnded(0, 1, StepStatus.FAILED, "so it says", "answered 500, not 200")]
    said = [one for one in begun(CALL).hears(IN_DOUBT).new if isinstance(one, StepEnded)]
    assert said == [StepEnded(0, 1, StepStatus.UNKNOWN, "half of it", "no answer")]


def test_one_that_is_over_is_told_so_again_and_nothing_follows() -> None:
    for last, kind in ((DONE, DirectiveKind.SUCCEED), (FAILED, DirectiveKind.FAIL)):
        walk = begun(CALL).hears(last)
        walk.stopped_by = "a kill switch"
        for event in (Began(), Woke(), Lost(), DONE, DIED):
            assert (walk.hears(event).kind, walk.new) == (kind, ())


# if and register.


def test_a_step_whose_if_is_not_so_is_skipped() -> None:
    walk = begun(a_step(CALL, only_if="LEVEL > 3"), a_step(PAUSE, only_if="LEVEL == 3"), context={"LEVEL": "3"})
    assert walk.ended == [(0, 1, "skipped")]
    assert walk.waits == MINUTE


def test_what_a_step_has_registered_decides_about_a_later_one() -> None:
    steps = (a_step(CALL, "call", register="call"), a_step(SCRIPT, only_if="call.status_code == 409"), PAUSE)
    assert begun(*steps).hears(DONE).kind is DirectiveKind.WAIT
    conflict = Reported(Verdict.DONE, data={"status_code": 409})
    assert begun(*steps).hears(conflict).kind is DirectiveKind.SCRIPT


@pytest.mark.parametrize(
    ("step", "event", "status"),
    [
        (a_step(CALL, register="it"), DONE, "completed"),
        (a_step(CALL, register="it", on_failure=OnFailure.CONTINUE), FAILED, "failed"),
        (a_step(CALL, register="it", only_if="false"), None, "skipped"),
        (a_step(CALL, register="it"), Reported(Verdict.DONE, data={"status": "mine", "error": "mine"}), "completed"),
    ],
)
def test_a_registered_step_says_how_it_ended(step: Step, event: Event | None, status: str) -> None:
    walk = begun(step, PAUSE)
    outputs = (walk.hears(event) if event else walk).progress.outputs["it"]
    assert (outputs["status"], outputs["error"]) == (status, FAILED.error if status == "failed" else "")


@pytest.mark.parametrize(
    ("action", "event", "output"),
    [
        (
            CALL,
            Reported(Verdict.DONE, "POST x answered 200", data={"status_code": 200, "body": {"open": 3}}),
            {"open": 3},
        ),
        (CALL, Reported(Verdict.DONE, "POST x answered 200", data={"status_code": 200, "body": "fine"}), "fine"),
        (SCRIPT, Reported(Verdict.DONE, '{"open": 3}', data={"exit_code": 0, "output": {"open": 3}}), {"open": 3}),
        (HEARD, Seen(met=True, detail="3 heartbeats"), "3 heartbeats"),
    ],
)
def test_whatever_a_step_is_its_output_is_called_output(action: Action, event: Event, output: object) -> None:
    walk = begun(a_step(action, register="it"), PAUSE).hears(event)
    assert walk.progress.outputs["it"]["output"] == output


# Failures.


@pytest.mark.parametrize(
    ("on_failure", "outcome", "escalations"),
    [(OnFailure.FAIL, Outcome.FAILED, 0), (OnFailure.ESCALATE, Outcome.ESCALATED, 1), (OnFailure.CONTINUE, None, 0)],
)
def test_a_failure_does_what_the_step_says(on_failure: OnFailure, outcome: Outcome | None, escalations: int) -> None:
    walk = begun(a_step(CALL, on_failure=on_failure), PAUSE).hears(FAILED)
    assert (walk.outcome, len(walk.escalated)) == (outcome, escalations)
    assert walk.kind is (DirectiveKind.WAIT if outcome is None else DirectiveKind.FAIL)
    assert walk.ended == [(0, 1, "failed")]


def test_a_failed_step_is_tried_again_after_ever_longer_waits() -> None:
    walk = begun(a_step(CALL, retry=Retry(attempts=4, delay=10 * SECOND, backoff=3)))
    waits = []
    for _ in range(3):
        waits.append(walk.hears(FAILED).waits)
        assert walk.hears(Woke(), waits[-1] / 2).waits == waits[-1] / 2
        assert walk.sleeps().kind is DirectiveKind.WEBHOOK
    assert waits == [10 * SECOND, 30 * SECOND, 90 * SECOND]
    assert walk.hears(DONE).outcome is Outcome.SUCCEEDED
    assert walk.begun == [(0, attempt) for attempt in (1, 2, 3, 4)]
    assert walk.ended == [(0, 1, "failed"), (0, 2, "failed"), (0, 3, "failed"), (0, 4, "completed")]
    assert [one.again for one in walk.effects if isinstance(one, StepEnded)] == [True, True, True, False]


def test_the_last_try_that_fails_is_the_failure_of_the_step() -> None:
    walk = begun(a_step(CALL, retry=Retry(attempts=2))).hears(FAILED).sleeps().hears(FAILED)
    assert (walk.outcome, walk.ended) == (Outcome.FAILED, [(0, 1, "failed"), (0, 2, "failed")])


def test_nobody_waits_longer_than_an_hour_for_a_further_try() -> None:
    assert Retry(attempts=10, delay=HOUR, backoff=10).wait_before(10) == HOUR


# Doubt.


@pytest.mark.parametrize("action", UNSAFE_STEPS)
@pytest.mark.parametrize("on_failure", OnFailure)
@pytest.mark.parametrize("event", [DIED, IN_DOUBT, Lost(), Woke()])
def test_a_step_that_may_have_had_its_effect_stops_it_all(action: Action, on_failure: OnFailure, event: Event) -> None:
    walk = begun(a_step(action, on_failure=on_failure, retry=Retry(attempts=5)), CALL).hears(event)
    assert (walk.outcome, walk.kind) == (Outcome.UNKNOWN, DirectiveKind.FAIL)
    assert walk.ended == [(0, 1, "unknown")]
    assert len(walk.escalated) == 1


@pytest.mark.parametrize("action", SAFE_STEPS)
@pytest.mark.parametrize("event", [DIED, IN_DOUBT, Lost()])
def test_what_can_do_no_harm_is_sent_again_as_the_same_try(action: Action, event: Event) -> None:
    walk = begun(action)
    kind = walk.kind
    for _ in range(MOST_REPEATS):
        assert (walk.hears(event).kind, walk.new) == (kind, ())
    assert walk.hears(event).outcome is Outcome.FAILED
    assert (walk.begun, walk.ended) == ([(0, 1)], [(0, 1, "failed")])


def test_each_try_may_be_repeated_anew() -> None:
    walk = begun(a_step(SAFE_STEPS[0], retry=Retry(attempts=2)))
    for _ in range(MOST_REPEATS + 1):
        walk.hears(DIED)
    walk.sleeps().hears(DIED)
    assert (walk.kind, walk.progress.attempt, walk.progress.repeats) == (DirectiveKind.WEBHOOK, 2, 1)


@pytest.mark.parametrize("action", [*SAFE_STEPS, *UNSAFE_STEPS])
def test_a_runner_that_never_began_is_asked_again(action: Action) -> None:
    walk = begun(action)
    kind = walk.kind
    assert (walk.hears(NEVER_BEGAN).kind, walk.new) == (kind, ())
    assert walk.hears(DONE).outcome is Outcome.SUCCEEDED


def test_a_runner_that_never_begins_fails_the_step() -> None:
    walk = begun(CALL)
    for _ in range(MOST_REPEATS + 1):
        walk.hears(NEVER_BEGAN)
    assert (walk.outcome, walk.escalated) == (Outcome.FAILED, [])


# Conditions.


def test_a_look_for_heartbeats_says_which() -> None:
    asked = begun(
        Condition(Check.HEARTBEAT_RECEIVED, min_count=3, status="failed", service="other", service_id=7)
    ).asked
    assert asked == LookForHeartbeats(NOON, 3, "failed", "other", 7)
    assert begun(PAUSE, HEARD).sleeps().asked == LookForHeartbeats(NOON + MINUTE)


def test_a_condition_is_looked_at_until_it_is_met() -> None:
    walk = begun(HEARD).hears(Seen(met=False))
    assert walk.waits == 5 * SECOND
    assert walk.hears(Woke(), 2 * SECOND).waits == 3 * SECOND
    assert isinstance(walk.sleeps().asked, LookForHeartbeats)
    assert walk.hears(Seen(met=True, detail="1 heartbeat")).outcome is Outcome.SUCCEEDED
    assert (walk.begun, walk.ended) == ([(0, 1)], [(0, 1, "completed")])


def test_a_condition_that_is_not_met_fails_when_its_time_is_over_and_not_before() -> None:
    walk = begun(HEARD).hears(Seen(met=False))
    while walk.outcome is None:
        assert walk.now < NOON + 5 * MINUTE
        walk.sleeps().hears(Seen(met=False))
    assert (walk.outcome, walk.now) == (Outcome.FAILED, NOON + 5 * MINUTE)


def test_looks_become_rarer_up_to_one_a_minute() -> None:
    every = [poll_interval(polls, 5 * MINUTE) for polls in range(30)]
    assert every[0] == 5 * SECOND
    assert every == sorted(every)
    assert every[-1] == MINUTE
    assert poll_interval(10**9, 24 * HOUR) == MINUTE
    # Who waits for hours does not need to know within seconds.
    assert poll_interval(0, 5 * HOUR) == 36 * SECOND


def test_a_condition_of_a_day_fits_the_history_of_one_run() -> None:
    walk = begun(Condition(Check.HEARTBEAT_RECEIVED, 24 * HOUR), timeout=48 * HOUR).hears(Seen(met=False))
    looks = 1
    while walk.outcome is None:
        walk.sleeps().hears(Seen(met=False))
        looks += 1
    assert (walk.outcome, walk.now) == (Outcome.FAILED, NOON + 24 * HOUR)
    assert looks <= 1500


def test_a_condition_over_http_is_a_call_that_nobody_has_to_fear() -> None:
    walk = begun(ANSWERS, cause=Cause.ALERT)
    assert (walk.kind, walk.directive.seconds) == (DirectiveKind.WEBHOOK, 60)
    assert walk.hears(FAILED).waits == 5 * SECOND
    assert walk.sleeps().kind is DirectiveKind.WEBHOOK
    # Nothing was changed by it, so nothing is to be proved.
    assert walk.hears(DONE).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("event", [FAILED, IN_DOUBT, DIED, NEVER_BEGAN, Lost(), Woke()])
def test_a_look_over_http_that_nobody_answers_is_repeated_until_the_condition_is_over(event: Event) -> None:
    walk = begun(ANSWERS)
    for _ in range(MOST_REPEATS * 3):
        assert walk.hears(event).kind is DirectiveKind.WAIT
        walk.sleeps()
    walk.now = NOON + 5 * MINUTE
    assert walk.hears(event).outcome is Outcome.FAILED
    assert walk.escalated == []


def test_a_condition_can_wait_for_the_end_of_the_alert() -> None:
    walk = begun(OVER)
    assert walk.waits == 5 * SECOND
    walk.alert_over = True
    assert walk.sleeps().outcome is Outcome.SUCCEEDED
    assert begun(OVER, alert_over=True).outcome is Outcome.SUCCEEDED


def test_of_an_alert_that_goes_on_nobody_says_that_it_is_over() -> None:
    walk = begun(OVER)
    walk.hears(Woke(), 5 * MINUTE)
    assert [one.output for one in walk.new if isinstance(one, StepEnded)] == ["the alert is not over"]


def test_a_condition_can_be_tried_again_from_its_beginning() -> None:
    walk = begun(a_step(HEARD, retry=Retry(attempts=2, delay=MINUTE))).hears(Seen(met=False), 5 * MINUTE)
    assert walk.sleeps().asked == LookForHeartbeats(NOON + 6 * MINUTE)
    assert walk.begun == [(0, 1), (0, 2)]


# Time.


def test_a_wait_that_is_woken_early_goes_on() -> None:
    walk = begun(PAUSE)
    assert walk.hears(Woke(), 58 * SECOND).waits == 2 * SECOND
    assert walk.hears(Lost()).waits == 2 * SECOND
    # Two clocks agree within a second.
    assert walk.hears(Woke(), 1.5 * SECOND).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    ("step", "event"),
    [
        (a_step(Wait(2 * HOUR)), None),
        (a_step(CALL, retry=Retry(attempts=2, delay=2 * HOUR)), FAILED),
        (a_step(Condition(Check.HEARTBEAT_RECEIVED, 2 * HOUR)), Seen(met=False)),
        (a_step(Condition(Check.ALERT_RESOLVED, 2 * HOUR)), None),
        (a_step(Condition(Check.HTTP_OK, 2 * HOUR, url="https://a.example.com")), FAILED),
    ],
)
@pytest.mark.parametrize("on_failure", OnFailure)
def test_nothing_is_waited_for_when_the_time_of_the_whole_is_over(
    step: Step, event: Event | None, on_failure: OnFailure
) -> None:
    step = a_step(step.action, on_failure=on_failure, retry=step.retry)
    walk = begun(step, CALL, timeout=HOUR)
    walk = walk.hears(event) if event else walk
    while walk.outcome is None and walk.now < NOON + 2 * HOUR:
        if isinstance(walk.asked, LookForHeartbeats):
            walk.hears(Seen(met=False))
        elif walk.kind is DirectiveKind.WAIT:
            walk.sleeps()
        else:
            walk.hears(FAILED)
    assert (walk.outcome, walk.now) == (Outcome.TIMED_OUT, NOON + HOUR)
    assert walk.ended == [(0, 1, "failed")]


@pytest.mark.parametrize("event", [DONE, FAILED, NEVER_BEGAN])
def test_what_ends_too_late_is_followed_by_nothing(event: Event) -> None:
    walk = begun(a_step(CALL, on_failure=OnFailure.CONTINUE), CALL, timeout=HOUR).hears(event, 2 * HOUR)
    assert (walk.outcome, walk.begun) == (Outcome.TIMED_OUT, [(0, 1)])
    assert "took longer than" in walk.because


def test_a_pause_that_was_cut_short_is_followed_by_no_further_try_even_if_it_ends_a_little_early() -> None:
    walk = begun(a_step(CALL, retry=Retry(attempts=2, delay=HOUR)), timeout=10 * MINUTE).hears(FAILED)
    walk.hears(Woke(), 10 * MINUTE - SECOND / 2)
    assert (walk.outcome, walk.begun) == (Outcome.TIMED_OUT, [(0, 1)])


def test_times_are_said_as_playbooks_spell_them() -> None:
    late = begun(CALL, CALL, timeout=HOUR).hears(DONE, 2 * HOUR)
    assert late.because == "it took longer than 1h"
    in_vain = begun(HEARD).hears(Seen(met=False), 5 * MINUTE)
    assert in_vain.because == "step 'step-0' failed: heartbeat_received was not so within 5m"
    unproved = begun(CALL, cause=Cause.ALERT, verify=90 * SECOND).hears(DONE).hears(Seen(met=False), 90 * SECOND)
    assert unproved.because == "the service was not heard again within 90s"


def test_what_is_all_done_is_not_too_late() -> None:
    assert begun(CALL, timeout=HOUR).hears(DONE, 2 * HOUR).outcome is Outcome.SUCCEEDED


def test_a_state_machine_that_is_lost_before_it_began_begins() -> None:
    walk = Walk(begun(CALL).run)
    assert walk.hears(Lost()).kind is DirectiveKind.WEBHOOK


def test_a_look_that_is_lost_is_taken_again() -> None:
    walk = begun(HEARD).hears(Seen(met=False)).hears(Lost(), 2 * SECOND)
    assert walk.waits == 3 * SECOND
    assert isinstance(walk.hears(Lost(), timedelta(seconds=4)).asked, LookForHeartbeats)
