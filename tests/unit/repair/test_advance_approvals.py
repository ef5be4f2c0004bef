"""Whether people agree: before the first step, and as a step."""

from __future__ import annotations

from datetime import timedelta

import pytest

from medic_core.domain.repair.execution import (
    AnswerTaken,
    AskPeople,
    Cause,
    Decided,
    DirectiveKind,
    ExecutionStatus,
    Lost,
    NotAnswered,
    Outcome,
    Woke,
)
from medic_core.domain.repair.playbooks import Approval, ApprovalMode, Ask, OnFailure, OnTimeout
from tests.unit.repair.walking import CALL, FAILED, HOUR, MINUTE, NOON, PAUSE, SECOND, Walk, a_step, begun

APPROVED, REJECTED = Decided(approved=True, by="ann"), Decided(approved=False, by="ann", reason="not today")
REQUIRED = Approval(ApprovalMode.REQUIRED)
AFTER_TEN = Approval(ApprovalMode.TIMEOUT, 10 * MINUTE)
DELIVERED, NOT_DELIVERED = NotAnswered(delivered=True), NotAnswered(delivered=False)


def taken(walk: Walk) -> list[tuple[bool, str | None]]:
    """The answers that counted in the last turn."""
    return [(one.approved, one.by) for one in walk.new if isinstance(one, AnswerTaken)]


@pytest.mark.parametrize(("approval", "patience"), [(REQUIRED, HOUR), (AFTER_TEN, 10 * MINUTE)])
def test_nothing_begins_before_people_agree(approval: Approval, patience: timedelta) -> None:
    walk = begun(CALL, approval=approval)
    assert (walk.kind, walk.directive.seconds) == (DirectiveKind.APPROVAL, patience.total_seconds())
    assert walk.new == (AskPeople(None, NOON + patience),)
    assert walk.progress.status is ExecutionStatus.PENDING_APPROVAL
    assert walk.hears(APPROVED).kind is DirectiveKind.WEBHOOK
    assert (taken(walk), walk.begun) == ([(True, "ann")], [(0, 1)])


def test_a_rejection_ends_it_and_says_who_and_why() -> None:
    walk = begun(CALL, approval=REQUIRED).hears(REJECTED)
    assert (walk.outcome, walk.kind) == (Outcome.REJECTED, DirectiveKind.FAIL)
    assert walk.because == "rejected by ann: not today"
    assert walk.progress.ending is not None
    assert walk.progress.ending.status is ExecutionStatus.CANCELLED
    assert (taken(walk), walk.begun, walk.escalated) == ([(False, "ann")], [], [])


@pytest.mark.parametrize(
    ("approval", "cause", "recovered", "event", "outcome", "escalations"),
    [
        (AFTER_TEN, Cause.ALERT, False, DELIVERED, None, 0),
        (AFTER_TEN, Cause.API, False, DELIVERED, None, 0),
        (AFTER_TEN, Cause.ALERT, False, NOT_DELIVERED, Outcome.EXPIRED, 1),
        (AFTER_TEN, Cause.ALERT, True, DELIVERED, Outcome.EXPIRED, 0),
        (AFTER_TEN, Cause.ALERT, True, NOT_DELIVERED, Outcome.EXPIRED, 0),
        # The state machine lost it: nobody can say who was reached.
        (AFTER_TEN, Cause.ALERT, False, Lost(), Outcome.EXPIRED, 1),
        (REQUIRED, Cause.ALERT, False, DELIVERED, Outcome.EXPIRED, 1),
        (REQUIRED, Cause.ALERT, False, NOT_DELIVERED, Outcome.EXPIRED, 1),
        (REQUIRED, Cause.ALERT, True, DELIVERED, Outcome.EXPIRED, 0),
    ],
)
def test_silence_is_consent_only_where_it_is_said_and_people_were_asked_and_the_service_is_still_down(
    approval: Approval,
    cause: Cause,
    recovered: bool,
    event: NotAnswered | Lost,
    outcome: Outcome | None,
    escalations: int,
) -> None:
    walk = begun(CALL, approval=approval, cause=cause)
    walk.alert_over = recovered
    walk.hears(event, HOUR)
    assert (walk.outcome, len(walk.escalated)) == (outcome, escalations)
    assert taken(walk) == [(outcome is None, None)]
    assert walk.kind is (DirectiveKind.WEBHOOK if outcome is None else DirectiveKind.FAIL)


def test_the_time_of_the_whole_is_reckoned_from_the_first_step() -> None:
    walk = begun(PAUSE, approval=REQUIRED, timeout=2 * MINUTE).hears(APPROVED, 59 * MINUTE)
    assert walk.sleeps().outcome is Outcome.SUCCEEDED


def test_a_question_that_the_state_machine_lost_waits_for_what_is_left_of_its_time() -> None:
    walk = begun(CALL, approval=REQUIRED).hears(Lost(), 45 * MINUTE)
    assert (walk.kind, walk.directive.seconds, walk.new) == (DirectiveKind.APPROVAL, 15 * 60, ())
    assert walk.hears(Woke(), SECOND).directive.seconds == 15 * 60 - 1


# As a step.


def test_a_step_that_asks_goes_on_when_people_agree() -> None:
    walk = begun(a_step(Ask(timeout=10 * MINUTE)), CALL)
    assert (walk.kind, walk.directive.seconds) == (DirectiveKind.APPROVAL, 600)
    assert AskPeople(0, NOON + 10 * MINUTE) in walk.new
    assert walk.hears(APPROVED).kind is DirectiveKind.WEBHOOK
    assert (taken(walk), walk.ended) == ([(True, "ann")], [(0, 1, "completed")])


def test_a_step_that_asks_ends_it_when_people_do_not_agree() -> None:
    walk = begun(a_step(Ask(), on_failure=OnFailure.CONTINUE), CALL).hears(REJECTED)
    assert (walk.outcome, walk.kind) == (Outcome.REJECTED, DirectiveKind.FAIL)
    assert (taken(walk), walk.ended, walk.begun) == ([(False, "ann")], [(0, 1, "failed")], [(0, 1)])


@pytest.mark.parametrize(
    ("on_timeout", "event", "on_failure", "outcome", "ended"),
    [
        (OnTimeout.APPROVE, DELIVERED, OnFailure.FAIL, None, "completed"),
        (OnTimeout.APPROVE, NOT_DELIVERED, OnFailure.FAIL, Outcome.FAILED, "failed"),
        (OnTimeout.REJECT, DELIVERED, OnFailure.CONTINUE, Outcome.EXPIRED, "failed"),
        (OnTimeout.REJECT, NOT_DELIVERED, OnFailure.CONTINUE, Outcome.EXPIRED, "failed"),
        (OnTimeout.FAIL, DELIVERED, OnFailure.FAIL, Outcome.FAILED, "failed"),
        (OnTimeout.FAIL, DELIVERED, OnFailure.ESCALATE, Outcome.ESCALATED, "failed"),
        (OnTimeout.FAIL, NOT_DELIVERED, OnFailure.CONTINUE, None, "failed"),
    ],
)
def test_a_step_says_what_silence_means(
    on_timeout: OnTimeout, event: NotAnswered, on_failure: OnFailure, outcome: Outcome | None, ended: str
) -> None:
    walk = begun(a_step(Ask(on_timeout=on_timeout), on_failure=on_failure), CALL).hears(event, HOUR)
    assert (walk.outcome, walk.ended) == (outcome, [(0, 1, ended)])
    assert taken(walk) == [(ended == "completed", None)]


@pytest.mark.parametrize("on_timeout", OnTimeout)
def test_a_question_that_the_time_of_the_whole_cuts_off_agrees_to_nothing(on_timeout: OnTimeout) -> None:
    walk = begun(Ask(timeout=HOUR, on_timeout=on_timeout), CALL, timeout=10 * MINUTE)
    assert walk.directive.seconds == 600
    walk.hears(DELIVERED, 10 * MINUTE)
    assert (walk.outcome, taken(walk), walk.ended) == (Outcome.TIMED_OUT, [(False, None)], [(0, 1, "failed")])


def test_a_rejection_while_tidying_up_does_not_keep_the_rest_from_being_done() -> None:
    walk = begun(CALL, finally_steps=(a_step(Ask(), "may-i"), a_step(PAUSE, "rest"))).hears(FAILED).hears(REJECTED)
    assert walk.kind is DirectiveKind.WAIT
    assert walk.sleeps().outcome is Outcome.FAILED
    assert walk.ended == [(0, 1, "failed"), (1, 1, "failed"), (2, 1, "completed")]


def test_an_answer_that_comes_when_the_time_of_the_whole_is_over_is_followed_by_nothing() -> None:
    walk = begun(Ask(), CALL, timeout=10 * MINUTE).hears(APPROVED, 11 * MINUTE)
    assert (walk.outcome, walk.begun) == (Outcome.TIMED_OUT, [(0, 1)])
