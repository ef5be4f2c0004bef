"""Executions over the API: listed, read with what they did, cancelled, approved and rejected by people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from medic_core.adapters import hashing
from medic_core.domain.access.api_keys import Scope
from medic_core.flows import edit_playbooks, keys
from medic_core.store.connection import Database
from tests.builders import a_service, rows, time_passes
from tests.fixtures.functions import Functions, Reply
from tests.fixtures.repairing import Hand, a_playbook, started

REST = {"type": "wait", "duration": "1m"}
ASK = {"type": "approval", "message": "Restart ${HEARTBEAT_NAME}?", "approvers": ["ann", "bob"], "timeout": "10m"}
MINUTE = timedelta(minutes=1)


def asked(functions: Functions, target: str) -> dict[str, Any]:
    reply = functions.api("GET", target)
    assert reply.status == 200, reply.body
    found: dict[str, Any] = reply.json["results"]
    return found


def told(functions: Functions, how: str, number: int = 1, body: Any = None, **headers: str) -> Reply:
    return functions.api("POST", f"/v2/executions/{number}/{how}", body, **headers)


def ids(functions: Functions, query: str = "") -> list[int]:
    return [one["execution_id"] for one in asked(functions, f"/v2/executions?{query}")["items"]]


def a_key(database: Database, scope: Scope) -> str:
    with database.transaction() as tx:
        return keys.create(tx, scope, {scope}, None, {}, hashing).text


def audited(database: Database) -> list[tuple[Any, ...]]:
    query = "SELECT action_type, actor, details->>'reason' FROM medic.remediation_audit_log WHERE execution_id = 1"
    return rows(database, f"{query} ORDER BY log_id")


@pytest.fixture
def asking(functions: Functions, database: Database) -> Hand:
    """Execution 1, of a playbook that asks before its first step; `functions` first: they share the database."""
    service_id = a_service(database)
    hand = Hand(database, started(database, a_playbook(database, REST, approval="required"), service_id))
    assert hand.turn()["kind"] == "approval"
    return hand


# Read.


def test_they_are_listed_newest_first_and_sifted(functions: Functions, database: Database) -> None:
    services = [a_service(database, name) for name in ("one", "two")]
    playbooks = [a_playbook(database, REST) for _ in range(2)]
    for playbook_id in playbooks:
        for service_id in services:
            started(database, playbook_id, service_id)
    Hand(database, 1).turn()
    assert told(functions, "cancel", 2).status == 200
    assert ids(functions) == [4, 3, 2, 1]
    assert ids(functions, "playbook_id=1") == [2, 1]
    assert ids(functions, "service_id=2") == [4, 2]
    assert ids(functions, "service_id=2&playbook_id=2") == [4]
    assert ids(functions, "status=running") == [4, 3]
    assert ids(functions, "status=waiting&status=cancelled") == [2, 1]
    assert ids(functions, "status=waiting,cancelled") == [2, 1]
    assert ids(functions, "alert_id=1") == ids(functions, "playbook_id=9") == []
    first = asked(functions, "/v2/executions?limit=3")
    assert (len(first["items"]), first["has_more"]) == (3, True)
    rest = asked(functions, f"/v2/executions?limit=3&cursor={first['cursor']}")
    assert ([one["execution_id"] for one in rest["items"]], rest["has_more"], rest["cursor"]) == ([1], False, None)
    for query in ("status=lost", "service_id=x", "cursor=x", "limit=0", "nonsense=1"):
        assert functions.api("GET", f"/v2/executions?{query}").status == 400, query


def test_one_is_read_with_each_try_of_its_steps(functions: Functions, database: Database) -> None:
    service_id = a_service(database, team="infra")
    refused = {"type": "webhook", "url": "http://127.0.0.1:1/", "retry": {"attempts": 2, "delay": "1s"}}
    playbook_id = a_playbook(database, REST, refused, name="restart")
    hand = Hand(database, started(database, playbook_id, service_id))
    fresh = asked(functions, "/v2/executions/1")
    assert (fresh["steps"], fresh["approval"], fresh["started_at"], fresh["outcome"]) == ([], None, None, None)
    hand.turn()
    waiting = asked(functions, "/v2/executions/1")
    assert (waiting["status"], waiting["current_step"], waiting["because"]) == ("waiting", 0, "")
    (step,) = waiting["steps"]
    assert (step["step_index"], step["attempt"], step["step_name"], step["type"], step["status"]) == (
        0,
        1,
        "step-0",
        "wait",
        "running",
    )
    assert hand.to_the_end() == "failed"
    found = asked(functions, "/v2/executions/1")
    assert {
        "execution_id": 1,
        "playbook_id": playbook_id,
        "playbook_name": "restart",
        "version": 1,
        "service_id": service_id,
        "heartbeat_name": "nightly-backup",
        "alert_id": None,
        "trigger_id": None,
        "cause": "api",
        "started_by": "a test",
        "status": "failed",
        "outcome": "failed",
        "current_step": 1,
        "approval": None,
    }.items() <= found.items()
    assert found["created_at"] <= found["started_at"] <= found["completed_at"]
    assert {"EXECUTION_ID": "1", "SERVICE_NAME": "nightly-backup", "TEAM": "infra"}.items() <= found["context"].items()
    tries = [(step["step_index"], step["attempt"], step["status"]) for step in found["steps"]]
    assert tries == [(0, 1, "completed"), (1, 1, "failed"), (1, 2, "failed")]
    assert all(step["error_message"] and step["completed_at"] for step in found["steps"][1:])
    assert "step-1" in found["because"]
    listed = asked(functions, "/v2/executions")["items"]
    assert listed == [{name: value for name, value in found.items() if name not in {"steps", "approval"}}]


def test_what_is_gone_takes_no_execution_with_it(functions: Functions, database: Database) -> None:
    playbook_id = a_playbook(database, REST, name="restart")
    started(database, playbook_id, a_service(database))
    assert functions.api("DELETE", "/v2/services/1").status == 200
    with database.transaction() as tx:
        edit_playbooks.delete(tx, playbook_id, "a test", None)
    found = asked(functions, "/v2/executions/1")
    assert (found["service_id"], found["heartbeat_name"], found["playbook_name"]) == (None, None, "restart")
    assert ids(functions, f"playbook_id={playbook_id}") == [1]


# Steered.


def test_one_that_waits_is_cancelled_and_stays_so(functions: Functions, database: Database) -> None:
    hand = Hand(database, started(database, a_playbook(database, REST), a_service(database)))
    hand.turn()
    reply = told(functions, "cancel", body={"note": "wrong host"}, x_actor="ann")
    found = reply.json["results"]
    assert (reply.status, reply.json["message"]) == (200, "Execution cancelled.")
    assert (found["status"], found["outcome"], found["because"]) == (
        "cancelled",
        "cancelled",
        "cancelled by ann: wrong host",
    )
    assert found["completed_at"]
    assert [(step["status"], step["error_message"]) for step in found["steps"]] == [("failed", found["because"])]
    again = told(functions, "cancel")
    assert (again.status, again.json["message"]) == (409, "This execution is over already: cancelled.")
    # What the state machine asks afterwards changes nothing; a next one may begin.
    assert hand.turn()["kind"] == "fail"
    assert asked(functions, "/v2/executions/1") == found
    assert functions.api("POST", "/v2/playbooks/1/execute", {"service_id": 1}).status == 201
    assert ("execution_cancelled", "ann") in [(action, actor) for action, actor, _ in audited(database)]


def test_an_approval_that_is_given_lets_it_go_on(functions: Functions, database: Database, asking: Hand) -> None:
    before = asked(functions, "/v2/executions/1")
    assert (before["status"], before["started_at"]) == ("pending_approval", None)
    approval = before["approval"]
    assert {"status": "pending", "step_index": None, "decided_by": None, "decided_at": None, "reason": ""}.items() <= (
        approval.items()
    )
    (pending,) = asked(functions, "/v2/approvals")["items"]
    assert (pending["execution_id"], pending["heartbeat_name"]) == (1, "nightly-backup")
    assert (pending["playbook_name"], pending["expires_at"]) == (before["playbook_name"], approval["expires_at"])
    reply = told(functions, "approve", body={"reason": "looked at it"}, x_actor="ann")
    decided = reply.json["results"]["approval"]
    assert (reply.status, reply.json["message"]) == (200, "Approved.")
    assert (decided["status"], decided["decided_by"], decided["reason"]) == ("approved", "ann", "looked at it")
    assert decided["decided_at"]
    for how in ("approve", "reject"):
        again = told(functions, how, x_actor="bob")
        assert (again.status, again.json["message"]) == (409, "Decided already: approved by ann.")
    assert asked(functions, "/v2/approvals")["items"] == []
    assert ("approved", "ann", "looked at it") in audited(database)
    assert asking.turn()["kind"] == "wait"
    assert asked(functions, "/v2/executions/1")["approval"] == decided
    assert asking.to_the_end() == "succeeded"


def test_one_that_is_rejected_does_nothing(functions: Functions, database: Database, asking: Hand) -> None:
    assert told(functions, "reject", body={"reason": "not now"}, x_actor="ann").json["message"] == "Rejected."
    again = told(functions, "approve")
    assert (again.status, again.json["message"]) == (409, "Decided already: rejected by ann.")
    assert asking.turn()["kind"] == "fail"
    found = asked(functions, "/v2/executions/1")
    assert (found["outcome"], found["steps"]) == ("rejected", [])
    assert ("ann" in found["because"], "not now" in found["because"]) == (True, True)
    assert [action for action, *_ in audited(database)].count("rejected") == 1


def test_what_is_cancelled_is_not_asked_about_any_more(functions: Functions, database: Database, asking: Hand) -> None:
    found = told(functions, "cancel", x_actor="ann").json["results"]
    assert (found["status"], found["approval"]["status"]) == ("cancelled", "withdrawn")
    assert asked(functions, "/v2/approvals")["items"] == []
    refused = told(functions, "approve")
    assert (refused.status, refused.json["message"]) == (409, "This approval is not needed any more: cancelled by ann.")
    assert asking.turn()["kind"] == "fail"
    assert [action for action, *_ in audited(database)].count("approval_withdrawn") == 1


def test_nobody_decides_after_the_time_is_over(functions: Functions, database: Database, asking: Hand) -> None:
    left = "SELECT expires_at - now() FROM medic.approval_requests"
    time_passes(database, rows(database, left)[0][0] + MINUTE)
    late = told(functions, "approve")
    assert (late.status, late.json["message"]) == (409, "This approval has expired: nobody decided in time.")
    asking.turn()
    found = asked(functions, "/v2/executions/1")
    assert (found["outcome"], found["approval"]["status"]) == ("expired", "expired")
    assert told(functions, "reject").json["message"] == "This approval has expired: nobody decided in time."


def test_a_step_asks_with_its_message(functions: Functions, database: Database) -> None:
    hand = Hand(database, started(database, a_playbook(database, ASK, REST), a_service(database)))
    refused = told(functions, "approve")
    assert (refused.status, refused.json["message"]) == (409, "This execution waits for no approval.")
    assert hand.turn()["kind"] == "approval"
    approval = asked(functions, "/v2/executions/1")["approval"]
    assert (approval["step_index"], approval["approvers"]) == (0, ["ann", "bob"])
    assert "Restart nightly-backup?" in approval["message"]
    (pending,) = asked(functions, "/v2/approvals")["items"]
    assert (pending["message"], pending["approvers"]) == (approval["message"], ["ann", "bob"])
    # Whoever says to be ann: the key's name counts.
    refused = told(functions, "approve", x_actor="ann")
    assert (refused.status, refused.json["message"]) == (403, "Only ann, bob may decide about this.")
    with database.transaction() as tx:
        of_bob = keys.create(tx, "bob", {Scope.WRITE}, None, {}, hashing).text
    assert functions.api("POST", "/v2/executions/1/approve", key=of_bob).status == 200
    hand.turn()
    steps = asked(functions, "/v2/executions/1")["steps"]
    assert [(step["type"], step["status"]) for step in steps] == [("approval", "completed"), ("wait", "running")]


def test_approvals_that_wait_are_listed_oldest_first(functions: Functions, database: Database) -> None:
    playbook_id = a_playbook(database, REST, approval="required")
    for number in range(3):
        Hand(database, started(database, playbook_id, a_service(database, f"worker-{number}"))).turn()
    first = asked(functions, "/v2/approvals?limit=2")
    rest = asked(functions, f"/v2/approvals?limit=2&cursor={first['cursor']}")
    found = [[one["execution_id"] for one in part["items"]] for part in (first, rest)]
    assert (found, rest["has_more"]) == ([[1, 2], [3]], False)


# By whom, and with what.


def test_who_may_read_and_who_may_decide(functions: Functions, database: Database, asking: Hand) -> None:
    reader, heart, writer = (a_key(database, scope) for scope in (Scope.READ, Scope.HEARTBEAT, Scope.WRITE))
    for path in ("/v2/executions", "/v2/executions/1", "/v2/approvals"):
        assert functions.api("GET", path, key=reader).status == 200
        assert functions.api("GET", path, key=heart).status == 403
        assert functions.api("GET", path, key=None).status == 401
    for how in ("approve", "reject", "cancel"):
        path = f"/v2/executions/1/{how}"
        assert functions.api("POST", path, key=reader).status == 403
        assert functions.api("POST", path, key=None).status == 401
        assert functions.api("GET", path).status == 405
    assert asked(functions, "/v2/executions/1")["approval"]["status"] == "pending"
    approved = functions.api("POST", "/v2/executions/1/approve", key=writer)
    assert approved.json["results"]["approval"]["decided_by"] == "write"
    assert asking.turn()["kind"] == "wait"


DECISIONS = [("cancel", "note", "withdrawn"), ("approve", "reason", "approved"), ("reject", "reason", "rejected")]


@pytest.mark.parametrize(("how", "word", "decided"), DECISIONS)
@pytest.mark.parametrize(
    ("said", "status"),
    [(1, 400), ("a\x00b", 400), ("\ud800", 400), ("x" * 10_000, 400), ("", 200), ("wegen Überlast: 漢字", 200)],
)
def test_why_may_be_said(
    functions: Functions, asking: Hand, how: str, word: str, decided: str, said: Any, status: int
) -> None:
    assert told(functions, how, asking.execution_id, {word: said}).status == status
    approval = asked(functions, "/v2/executions/1")["approval"]
    assert approval["status"] == (decided if status == 200 else "pending")
    assert status == 400 or said in approval["reason"]


@pytest.mark.parametrize(("how", "decided"), [(how, decided) for how, _, decided in DECISIONS])
@pytest.mark.parametrize(("body", "status"), [({"nonsense": 1}, 400), ("{", 400), ([], 400), (None, 200), ({}, 200)])
def test_what_a_decision_may_be(
    functions: Functions, asking: Hand, how: str, decided: str, body: Any, status: int
) -> None:
    assert told(functions, how, asking.execution_id, body).status == status
    assert asked(functions, "/v2/executions/1")["approval"]["status"] == (decided if status == 200 else "pending")


@pytest.mark.parametrize(("number", "status"), [("9", 404), ("0", 400), ("-1", 400), ("x", 400), ("9" * 30, 400)])
def test_what_is_no_execution(functions: Functions, number: str, status: int) -> None:
    assert functions.api("GET", f"/v2/executions/{number}").status == status
    for how in ("cancel", "approve", "reject"):
        assert functions.api("POST", f"/v2/executions/{number}/{how}").status == status


def test_a_decision_that_is_sent_again_with_its_key_is_answered_alike(
    functions: Functions, database: Database, asking: Hand
) -> None:
    replies = [told(functions, "approve", asking.execution_id, {}, idempotency_key="k-1") for _ in range(2)]
    assert [reply.status for reply in replies] == [200, 200]
    assert replies[0].json == replies[1].json
    assert [action for action, *_ in audited(database)].count("approved") == 1
