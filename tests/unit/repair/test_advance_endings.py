"""How an execution ends: recovered by itself, proved a cure or not, tidied up, stopped by a kill switch."""

from __future__ import annotations

import pytest

from medic_core.domain.repair.execution import (
    Began,
    Cause,
    Decided,
    DirectiveKind,
    Event,
    LookForHeartbeats,
    Lost,
    NotAnswered,
    Outcome,
    Phase,
    Seen,
    StepBegan,
    Woke,
)
from medic_core.domain.repair.playbooks import (
    Action,
    Approval,
    ApprovalMode,
    Ask,
    Check,
    Condition,
    Notify,
    OnFailure,
    OnTimeout,
    Retry,
    Wait,
    Webhook,
)
from medic_core.domain.repair.walk_ending import FINALLY_WITHIN
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
    finally_,
)

HEARD = Condition(Check.HEARTBEAT_RECEIVED)
ANSWERS = Condition(Check.HTTP_OK, url="https://a.example.com/health")
TIDY = finally_(CALL, Notify("it is over"), SCRIPT)
TIDIED = [(1, 1, "completed"), (2, 1, "completed"), (3, 1, "completed")]
BY = "kill switch (global), thrown by ann"


def of_alert(*actions: Action, **more: object) -> Walk:
    return begun(*actions, cause=Cause.ALERT, **more)  # type: ignore[arg-type]


# Recovered by itself.


@pytest.mark.parametrize("action", [CALL, SCRIPT])
def test_nothing_is_done_where_the_service_has_recovered(action: Action) -> None:
    walk = of_alert(Notify("it begins"), action, alert_over=True, finally_steps=TIDY)
    assert (walk.outcome, walk.kind) == (Outcome.SUPERSEDED, DirectiveKind.SUCCEED)
    # What never began was not tidied up after.
    assert walk.begun == [(0, 1)]


def test_the_service_is_looked_at_right_before_the_first_step_that_acts() -> None:
    walk = of_alert(PAUSE, CALL)
    walk.alert_over = True
    assert walk.sleeps().outcome is Outcome.SUPERSEDED


def test_a_service_that_recovers_between_two_steps_that_act_does_not_leave_it_half_done() -> None:
    walk = of_alert(CALL, SCRIPT)
    walk.alert_over = True
    assert walk.hears(DONE).kind is DirectiveKind.SCRIPT


def test_the_service_is_looked_at_again_when_people_have_thought_about_it() -> None:
    walk = of_alert(Ask(), CALL).hears(Decided(approved=True, by="ann"))
    assert walk.kind is DirectiveKind.WEBHOOK
    walk = of_alert(CALL, Ask(), SCRIPT, finally_steps=finally_(CALL)).hears(DONE)
    walk.alert_over = True
    walk.hears(Decided(approved=True, by="ann"))
    # The first step may have been the cure; and what it did is tidied up after.
    assert walk.hears(DONE).outcome is Outcome.CURED
    assert walk.begun == [(0, 1), (1, 1), (3, 1)]


def test_who_starts_one_by_hand_gets_it_done_whatever_the_alert_says() -> None:
    assert begun(CALL, alert_over=True).kind is DirectiveKind.WEBHOOK


# Proof.


def test_a_heartbeat_in_time_proves_a_cure() -> None:
    walk = of_alert(PAUSE, CALL).sleeps().hears(DONE, 3 * SECOND)
    assert walk.asked == LookForHeartbeats(NOON + MINUTE)
    assert walk.hears(Seen(met=False)).waits == 5 * SECOND
    assert walk.hears(Lost(), SECOND).waits == 4 * SECOND
    assert isinstance(walk.sleeps().asked, LookForHeartbeats)
    walk.hears(Seen(met=True))
    assert (walk.outcome, walk.kind) == (Outcome.CURED, DirectiveKind.SUCCEED)


def test_an_alert_that_is_over_proves_it_as_well() -> None:
    walk = of_alert(CALL).hears(DONE).hears(Seen(met=False))
    walk.alert_over = True
    assert walk.sleeps().outcome is Outcome.CURED


def test_without_a_heartbeat_in_time_it_is_unverified() -> None:
    walk = of_alert(CALL, verify=10 * MINUTE).hears(DONE).hears(Seen(met=False))
    while walk.outcome is None:
        walk.sleeps().hears(Seen(met=False))
    assert (walk.outcome, walk.kind) == (Outcome.UNVERIFIED, DirectiveKind.SUCCEED)
    assert walk.now == NOON + 10 * MINUTE


@pytest.mark.parametrize("walk", [begun(HEARD), of_alert(CALL).hears(DONE)], ids=["a condition", "the proof"])
def test_looks_become_rarer_while_nothing_is_heard(walk: Walk) -> None:
    waits = []
    while walk.hears(Seen(met=False)).outcome is None:
        waits.append(walk.waits)
        walk.sleeps()
    assert (waits[0], waits[1], waits[4]) == (5 * SECOND, 6.5 * SECOND, 14.2805 * SECOND)
    # The last wait ends with the time that there is.
    assert waits[:-1] == sorted(waits[:-1])
    assert walk.now == NOON + 5 * MINUTE


@pytest.mark.parametrize(
    "walk",
    [
        of_alert(CALL, verify=None).hears(DONE),
        begun(CALL).hears(DONE),
        begun(CALL, cause=Cause.WEBHOOK).hears(DONE),
        of_alert(PAUSE, Notify("nothing was done")).sleeps(),
        of_alert(ANSWERS).hears(DONE),
    ],
    ids=["none asked for", "started by hand", "started by a program", "nothing acted", "only looked"],
)
def test_no_proof_is_waited_for_where_there_is_none(walk: Walk) -> None:
    assert walk.outcome is Outcome.SUCCEEDED


def test_a_failure_is_not_proved() -> None:
    assert of_alert(CALL).hears(FAILED).outcome is Outcome.FAILED


# Finally.


def tidied(walk: Walk) -> Walk:
    assert (walk.progress.phase, walk.kind) == (Phase.FINALLY, DirectiveKind.WEBHOOK)
    return walk.hears(DONE).hears(DONE)


@pytest.mark.parametrize(
    ("walk", "outcome"),
    [
        (begun(CALL, finally_steps=TIDY).hears(DONE), Outcome.SUCCEEDED),
        (of_alert(CALL, finally_steps=TIDY).hears(DONE).hears(Seen(met=True)), Outcome.CURED),
        (of_alert(CALL, finally_steps=TIDY).hears(DONE).hears(Seen(met=False), 5 * MINUTE), Outcome.UNVERIFIED),
        (begun(CALL, finally_steps=TIDY).hears(FAILED), Outcome.FAILED),
        (begun(a_step(CALL, on_failure=OnFailure.ESCALATE), finally_steps=TIDY).hears(FAILED), Outcome.ESCALATED),
        (begun(CALL, finally_steps=TIDY).hears(DIED), Outcome.UNKNOWN),
        (begun(Ask(), finally_steps=TIDY).hears(Decided(approved=False, by="ann")), Outcome.REJECTED),
        (begun(Ask(on_timeout=OnTimeout.REJECT), finally_steps=TIDY).hears(NotAnswered(), HOUR), Outcome.EXPIRED),
        (begun(Wait(2 * HOUR), finally_steps=TIDY, timeout=HOUR).sleeps(), Outcome.TIMED_OUT),
    ],
)
def test_the_steps_at_the_end_are_taken_however_it_ended(walk: Walk, outcome: Outcome) -> None:
    assert tidied(walk).outcome is outcome
    assert walk.ended[-3:] == TIDIED


def test_what_people_reject_before_it_begins_leaves_nothing_to_tidy_up() -> None:
    walk = begun(CALL, finally_steps=TIDY, approval=Approval(ApprovalMode.REQUIRED))
    assert walk.hears(Decided(approved=False, by="ann")).outcome is Outcome.REJECTED
    assert walk.begun == []


@pytest.mark.parametrize(
    ("last", "first_trouble", "outcome"),
    [
        (DONE, DIED, Outcome.UNKNOWN),
        (DONE, FAILED, Outcome.FAILED),
        (FAILED, DIED, Outcome.FAILED),
        (DIED, FAILED, Outcome.UNKNOWN),
    ],
)
def test_each_step_at_the_end_is_taken_and_the_first_trouble_counts(
    last: Event, first_trouble: Event, outcome: Outcome
) -> None:
    walk = begun(CALL, finally_steps=TIDY).hears(last).hears(first_trouble)
    assert walk.kind is DirectiveKind.SCRIPT
    assert walk.hears(IN_DOUBT).outcome is outcome
    assert [index for index, _ in walk.begun] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("last", "status"), [(DONE, "completed"), (FAILED, "failed"), (DIED, "unknown"), (IN_DOUBT, "unknown")]
)
def test_the_steps_at_the_end_can_ask_how_a_step_ended(last: Event, status: str) -> None:
    final = a_step(SCRIPT, only_if=f"it.status == '{status}'")
    walk = begun(a_step(CALL, register="it"), finally_steps=finally_(final)).hears(last)
    assert (walk.kind, walk.begun[-1]) == (DirectiveKind.SCRIPT, (1, 1))
    assert walk.progress.outputs["it"]["error"] == getattr(last, "error", "")


def test_tidying_up_has_time_of_its_own_and_no_more() -> None:
    walk = begun(Wait(2 * HOUR), finally_steps=finally_(Wait(2 * HOUR), CALL), timeout=HOUR).sleeps()
    assert walk.waits == FINALLY_WITHIN
    # That it took too long before is the first trouble.
    assert (walk.sleeps().outcome, walk.begun) == (Outcome.TIMED_OUT, [(0, 1), (1, 1)])
    assert "longer than" in walk.because
    walk = begun(PAUSE, finally_steps=finally_(Wait(2 * HOUR))).sleeps().sleeps()
    assert (walk.outcome, walk.because) == (Outcome.TIMED_OUT, "tidying up took too long")


def test_the_steps_at_the_end_are_tried_again_like_others() -> None:
    walk = begun(PAUSE, finally_steps=(a_step(CALL, retry=Retry(attempts=2)),)).sleeps().hears(FAILED).sleeps()
    assert walk.hears(DONE).outcome is Outcome.SUCCEEDED
    assert walk.ended[1:] == [(1, 1, "failed"), (1, 2, "completed")]


# Kill switches.


def stopped(walk: Walk, event: Event) -> list[tuple[int, int, str]]:
    """Throws a kill switch; what was noted of the steps in that turn."""
    before = len(walk.ended)
    walk.stopped_by = BY
    walk.hears(event)
    assert (walk.outcome, walk.kind, walk.because) == (Outcome.STOPPED, DirectiveKind.FAIL, BY)
    assert not any(isinstance(effect, StepBegan) for effect in walk.new)
    return walk.ended[before:]


RETRIED = a_step(CALL, retry=Retry(attempts=3))


@pytest.mark.parametrize(
    ("walk", "event", "noted"),
    [
        (Walk(begun(CALL, finally_steps=TIDY).run), Began(), []),
        (begun(CALL, approval=Approval(ApprovalMode.REQUIRED), finally_steps=TIDY), Decided(True, "ann"), []),
        (begun(Ask(), CALL, finally_steps=TIDY), Decided(True, "ann"), [(0, 1, "failed")]),
        (begun(PAUSE, CALL, finally_steps=TIDY), Woke(), [(0, 1, "failed")]),
        (begun(HEARD, CALL, finally_steps=TIDY).hears(Seen(met=False)), Woke(), [(0, 1, "failed")]),
        (begun(RETRIED, finally_steps=TIDY).hears(FAILED), Woke(), []),
        (begun(CALL, CALL, finally_steps=TIDY), DONE, [(0, 1, "completed")]),
        (begun(RETRIED, CALL, finally_steps=TIDY), FAILED, [(0, 1, "failed")]),
        (begun(CALL, CALL, finally_steps=TIDY), IN_DOUBT, [(0, 1, "unknown")]),
        (begun(Webhook("https://a.example.com", idempotent=True)), IN_DOUBT, [(0, 1, "unknown")]),
        (begun(SCRIPT, CALL, finally_steps=TIDY), DIED, [(0, 1, "unknown")]),
        (begun(SCRIPT, CALL, finally_steps=TIDY), Lost(), [(0, 1, "unknown")]),
        (begun(SCRIPT, CALL, finally_steps=TIDY), NEVER_BEGAN, [(0, 1, "failed")]),
        (begun(ANSWERS, CALL, finally_steps=TIDY), DONE, [(0, 1, "completed")]),
        (begun(ANSWERS, CALL, finally_steps=TIDY), IN_DOUBT, [(0, 1, "failed")]),
        (begun(ANSWERS, CALL, finally_steps=TIDY), Lost(), [(0, 1, "failed")]),
        (begun(PAUSE, finally_steps=finally_(CALL, SCRIPT)).sleeps(), DONE, [(1, 1, "completed")]),
        (begun(PAUSE, finally_steps=finally_(PAUSE, SCRIPT)).sleeps(), Woke(), [(1, 1, "failed")]),
    ],
)
def test_a_kill_switch_ends_it_and_what_was_under_way_is_noted(
    walk: Walk, event: Event, noted: list[tuple[int, int, str]]
) -> None:
    assert stopped(walk, event) == noted


def test_a_kill_switch_does_not_hide_what_went_wrong_before() -> None:
    walk = begun(CALL, finally_steps=TIDY).hears(FAILED)
    walk.stopped_by = BY
    assert walk.hears(DONE).outcome is Outcome.FAILED
    assert walk.kind is DirectiveKind.FAIL


def test_looking_for_the_proof_goes_on_in_spite_of_a_kill_switch_where_nothing_acts_after_it() -> None:
    walk = of_alert(CALL).hears(DONE).hears(Seen(met=False))
    walk.stopped_by = BY
    assert walk.sleeps().hears(Seen(met=True)).outcome is Outcome.CURED


def test_a_kill_switch_during_the_proof_keeps_it_from_tidying_up() -> None:
    assert stopped(of_alert(CALL, finally_steps=TIDY).hears(DONE).hears(Seen(met=False)), Woke()) == []


def test_what_was_tried_in_vain_keeps_its_words_when_it_is_stopped_before_the_next_try() -> None:
    walk = begun(RETRIED).hears(FAILED)
    stopped(walk, Woke())
    assert walk.ended == [(0, 1, "failed")]
