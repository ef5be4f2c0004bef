"""Decisions: who may take them, how many it needs, and that there is one whoever else decides at the same time."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from itertools import product

import pytest

from medic_core.domain.repair.approvals import Via, Voter
from medic_core.errors import Conflict, Forbidden, NotFound
from medic_core.flows import approve, executions_by_people
from medic_core.flows.approve import Counted
from medic_core.store.approvals import ApprovalStatus
from medic_core.store.connection import Database
from tests.builders import a_service, rows, time_passes
from tests.fixtures.approving import asking, person, status_of
from tests.fixtures.repairing import Hand

ANYBODY = Voter("link:1", "somebody", Via.LINK)
AUDITED = (
    "SELECT action_type, actor FROM medic.remediation_audit_log WHERE action_type ~ 'appro|reject' ORDER BY log_id"
)


def votes(
    database: Database, voter: Voter, execution_id: int = 1, *, approved: bool = True, reason: str = ""
) -> Counted:
    with database.transaction() as tx:
        return approve.decide(tx, execution_id, voter, reason, approved=approved)


def test_the_first_decision_counts_and_the_others_are_told_what_it_was(database: Database) -> None:
    hand = asking(database)
    assert str(votes(database, person("ann"), reason="go")) == "Approved."
    for approved in (True, False):
        with pytest.raises(Conflict, match=r"Decided already: approved by ann\."):
            votes(database, person("bob"), approved=approved)
    assert hand.turn()["kind"] == "wait"
    assert rows(database, AUDITED) == [("approval_requested", None), ("approved", "ann")]


def test_a_rejection_is_final(database: Database) -> None:
    hand = asking(database)
    assert votes(database, person("ann"), approved=False, reason="not now").status is ApprovalStatus.REJECTED
    with pytest.raises(Conflict, match=r"Decided already: rejected by ann\."):
        votes(database, person("bob"))
    assert hand.turn()["kind"] == "fail"
    assert hand.outcome() == "rejected"


def test_what_does_not_ask_cannot_be_decided(database: Database) -> None:
    with pytest.raises(NotFound):
        votes(database, person("ann"))
    hand = asking(database)
    votes(database, person("ann"))
    hand.turn()
    with pytest.raises(Conflict, match="Decided already"):
        votes(database, person("ann"))


# Who may.


def test_only_those_who_are_named(database: Database) -> None:
    asking(database, approvers=["ann", "U123"])
    for voter in (person("bob"), Voter("U999", "ann", Via.SLACK, "U999")):
        with pytest.raises(Forbidden, match="Only ann, U123 may decide"):
            votes(database, voter)
    with pytest.raises(Forbidden, match="a link alone is not enough"):
        votes(database, ANYBODY)
    assert status_of(database) == "pending"
    assert votes(database, Voter("U123", "Zoe (Slack)", Via.SLACK, "U123")).status is ApprovalStatus.APPROVED


def test_whoever_asked_may_not_approve_where_four_eyes_must_see_it_but_take_it_back(database: Database) -> None:
    asking(database, four_eyes=True)
    with pytest.raises(Forbidden, match="Four eyes"):
        votes(database, person("a test"))
    with pytest.raises(Forbidden, match="Four eyes"):
        votes(database, Voter("key-of-ann", "a test", Via.API, "key-of-ann"))
    with pytest.raises(Forbidden, match="a link alone"):
        votes(database, ANYBODY)
    assert votes(database, person("a test"), approved=False).status is ApprovalStatus.REJECTED


def test_whoever_else_may(database: Database) -> None:
    asking(database, four_eyes=True)
    assert votes(database, person("ann")).status is ApprovalStatus.APPROVED


def test_anybody_with_the_link_may_where_nobody_is_named(database: Database) -> None:
    asking(database)
    assert votes(database, ANYBODY).status is ApprovalStatus.APPROVED
    assert rows(database, "SELECT decided_by FROM medic.approval_requests") == [("somebody",)]


# How many.


def test_several_must_agree_each_for_themselves(database: Database) -> None:
    hand = asking(database, approvers_required=2)
    assert str(votes(database, person("ann"))) == "Your approval counts: 1 of 2."
    with pytest.raises(Conflict, match="ann has voted already; 1 of 2 have approved so far"):
        votes(database, person("ann"))
    with pytest.raises(Forbidden, match="a link alone"):
        votes(database, ANYBODY)
    assert status_of(database) == "pending"
    assert str(votes(database, Voter("U1", "Zoe (Slack)", Via.SLACK, "U1"))) == "Approved."
    assert rows(database, "SELECT decided_by FROM medic.approval_requests") == [("ann, Zoe (Slack)",)]
    assert hand.turn()["kind"] == "wait"
    assert rows(database, AUDITED) == [
        ("approval_requested", None),
        ("approval_voted", "ann"),
        ("approved", "Zoe (Slack)"),
    ]


def test_one_rejection_is_enough_also_by_who_had_agreed(database: Database) -> None:
    asking(database, approvers_required=3)
    votes(database, person("ann"))
    assert votes(database, person("ann"), approved=False).status is ApprovalStatus.REJECTED


# At the same instant.


def race(database: Database, hand: Hand, voters: list[tuple[Voter, bool]]) -> Counter[str]:
    """All of them at once; how often each outcome was told."""

    def decide(voter: Voter, approved: bool) -> str:
        connection = Database(database._server)
        try:
            return str(votes(connection, voter, hand.execution_id, approved=approved))
        except Conflict:
            return "told"
        finally:
            connection.close()

    with ThreadPoolExecutor(len(voters)) as people:
        return Counter(people.map(decide, *zip(*voters, strict=True)))


def test_fifty_decisions_of_ten_people_by_every_way_are_one(database: Database) -> None:
    hand = asking(database)
    people = [Voter(f"person-{n}", f"person-{n}", via, f"person-{n}") for n, via in product(range(10), Via)]
    found = race(database, hand, [(one, number % 2 == 0) for number, one in enumerate(people * 2)][:50])
    assert found["Approved."] + found["Rejected."] == 1
    assert found["told"] == 49
    assert rows(database, "SELECT count(*) FROM medic.outbox WHERE topic = 'decision'") == [(1,)]
    assert len([one for one in rows(database, AUDITED) if one[0] in {"approved", "rejected"}]) == 1


def test_ten_people_at_once_where_three_must_agree(database: Database) -> None:
    hand = asking(database, approvers_required=3)
    found = race(database, hand, [(person(f"person-{n % 10}"), True) for n in range(30)])
    assert found["Approved."] == 1
    assert found["Your approval counts: 1 of 3."] == found["Your approval counts: 2 of 3."] == 1
    assert rows(database, "SELECT count(*) FROM medic.approval_votes") == [(3,)]


def tries(database: Database, hand: Hand) -> str:
    """Approve on a connection of one's own; what came of it."""
    connection = Database(database._server)
    try:
        return str(votes(connection, person("ann"), hand.execution_id))
    except Conflict as error:
        return error.message
    finally:
        connection.close()


@pytest.mark.parametrize("round_", range(5))
def test_approval_and_cancelling_at_once_have_one_outcome(database: Database, round_: int) -> None:
    hand = asking(database)

    def cancel() -> str:
        connection = Database(database._server)
        try:
            with connection.transaction() as tx:
                executions_by_people.cancel(tx, hand.execution_id, "bob", "")
            return "cancelled"
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as both:
        cancelled, approved = both.submit(cancel), both.submit(tries, database, hand)
    assert cancelled.result() == "cancelled"
    if approved.result() == "Approved.":
        assert status_of(database) == "approved"
    else:
        assert (approved.result(), status_of(database)) == (
            "This approval is not needed any more: cancelled by bob.",
            "withdrawn",
        )
    assert hand.turn()["kind"] == "fail"


@pytest.mark.parametrize("round_", range(5))
def test_approval_at_the_moment_of_expiry_has_one_outcome(database: Database, round_: int) -> None:
    """The state machine says that the time is over while somebody approves."""
    hand = asking(database, a_service(database))
    ((left,),) = rows(database, "SELECT expires_at - now() FROM medic.approval_requests")
    time_passes(database, left - timedelta(milliseconds=40 + 10 * round_))

    with ThreadPoolExecutor(2) as both:
        approved = both.submit(tries, database, hand)
        turn = both.submit(hand.turn, Error="States.Timeout")
    with suppress(Conflict):
        votes(database, person("bob"))
    if approved.result() == "Approved.":
        assert (status_of(database), turn.result()["kind"]) in {("approved", "wait"), ("approved", "fail")}
    else:
        assert (status_of(database), turn.result()["kind"]) == ("expired", "fail")
        assert approved.result() == "This approval has expired: nobody decided in time."
    decided = rows(database, "SELECT count(*) FROM medic.approval_requests WHERE status <> 'pending'")
    assert decided == [(1,)]
