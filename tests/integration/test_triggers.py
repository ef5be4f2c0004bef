"""Triggers over the API: made, changed, asked whom they mean; what came of them; batches that wait for one decision."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from medic_core.adapters import hashing
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.watching.signals import SignalKind
from medic_core.flows import keys
from medic_core.flows.consider import Considered, Rules, consider_alerts
from medic_core.flows.sweep import sweep
from medic_core.store.connection import Database
from tests.builders import a_service, hears, rows, time_passes
from tests.fixtures.functions import Functions, Reply
from tests.fixtures.repairing import a_playbook

WAIT = {"type": "wait", "duration": "1m"}
PATH = "/v2/playbooks/1/triggers"


@pytest.fixture
def playbook(functions: Functions, database: Database) -> int:
    return a_playbook(database, WAIT, {"type": "notify", "message": "It is ${SERVICE_NAME}"})


def made(functions: Functions, pattern: str = "*", failures: int = 1, playbook_id: int = 1, **more: Any) -> int:
    body = {"service_pattern": pattern, "consecutive_failures": failures, **more}
    reply = functions.api("POST", f"/v2/playbooks/{playbook_id}/triggers", body)
    assert reply.status == 201, reply.body
    return int(reply.json["results"]["trigger_id"])


def asked(functions: Functions, target: str) -> dict[str, Any]:
    reply = functions.api("GET", target)
    assert reply.status == 200, reply.body
    found: dict[str, Any] = reply.json["results"]
    return found


def fails(database: Database, *names: str) -> Considered:
    """Services say that they fail, and triggers are asked."""
    for name in names:
        a_service(database, name)
        hears(database, name, SignalKind.DOWN)
    sweep(database, 0, timedelta(seconds=15))
    return consider_alerts(database, Rules(5))


# Made and changed.


@pytest.mark.usefixtures("playbook")
def test_a_trigger_is_made_listed_read_changed_and_deleted(functions: Functions, database: Database) -> None:
    body = {"service_pattern": "Worker-*"}
    first = functions.api("POST", PATH, body, x_actor="ann")
    assert (first.status, first.headers["ETag"]) == (201, '"v1"')
    trigger = first.json["results"]
    assert {
        "trigger_id": 1,
        "playbook_id": 1,
        "service_pattern": "Worker-*",
        "consecutive_failures": 1,
        "mode": "run",
        "enabled": True,
    }.items() <= trigger.items()
    assert asked(functions, PATH)["items"] == [trigger]
    one = functions.api("GET", f"{PATH}/1")
    assert (one.json["results"], one.headers["ETag"]) == (trigger, '"v1"')
    change = {"mode": "observe", "consecutive_failures": 3}
    changed = functions.api("PATCH", f"{PATH}/1", change, if_match='"v1"', x_actor="bob")
    assert (changed.status, changed.headers["ETag"]) == (200, '"v2"')
    assert change.items() <= changed.json["results"].items()
    assert functions.api("PATCH", f"{PATH}/1", change, if_match='"v1"').status == 412
    assert functions.api("PATCH", f"{PATH}/1", {}).headers["ETag"] == '"v2"'
    assert functions.api("DELETE", f"{PATH}/1", if_match='"v1"').status == 412
    assert functions.api("DELETE", f"{PATH}/1", x_actor="cid").status == 200
    for method in ("GET", "PATCH", "DELETE"):
        assert functions.api(method, f"{PATH}/1", {} if method == "PATCH" else None).status == 404
    noted = "SELECT action_type, actor, playbook_id, details->>'mode' FROM medic.remediation_audit_log ORDER BY log_id"
    assert rows(database, noted)[1:] == [
        ("trigger_created", "ann", 1, "run"),
        ("trigger_changed", "bob", 1, "observe"),
        ("trigger_deleted", "cid", 1, "observe"),
    ]


@pytest.mark.usefixtures("playbook")
def test_a_trigger_belongs_to_its_playbook(functions: Functions, database: Database) -> None:
    a_playbook(database, WAIT)
    made(functions)
    for method in ("GET", "PATCH", "DELETE"):
        body = {} if method == "PATCH" else None
        assert functions.api(method, "/v2/playbooks/2/triggers/1", body).status == 404
    for path in ("/v2/playbooks/9/triggers", "/v2/playbooks/9/match?service=x"):
        assert functions.api("GET", path).status == 404
    assert functions.api("POST", "/v2/playbooks/9/triggers", {"service_pattern": "*"}).status == 404
    assert asked(functions, "/v2/playbooks/2/triggers")["items"] == []
    # With its playbook it is gone.
    assert functions.api("DELETE", "/v2/playbooks/1").status == 200
    assert rows(database, "SELECT count(*) FROM medic.playbook_triggers") == [(0,)]


@pytest.mark.usefixtures("playbook")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "service_pattern"),
        ({"service_pattern": ""}, "service_pattern"),
        ({"service_pattern": "x" * 201}, "service_pattern"),
        ({"service_pattern": "a\nb"}, "service_pattern"),
        ({"service_pattern": 7}, "service_pattern"),
        ({"service_pattern": "*", "consecutive_failures": 0}, "consecutive_failures"),
        ({"service_pattern": "*", "consecutive_failures": 1001}, "consecutive_failures"),
        ({"service_pattern": "*", "consecutive_failures": "3"}, "consecutive_failures"),
        ({"service_pattern": "*", "mode": "guess"}, "mode"),
        ({"service_pattern": "*", "enabled": 1}, "enabled"),
        ({"service_pattern": "*", "playbook_id": 2}, "playbook_id"),
    ],
)
def test_what_a_trigger_may_not_say(functions: Functions, body: dict[str, Any], field: str) -> None:
    reply = functions.api("POST", PATH, body)
    assert (reply.status, field in reply.json["message"]) == (400, True), reply.body
    made(functions)
    if body:
        assert functions.api("PATCH", f"{PATH}/1", body).status == 400
    assert functions.api("PATCH", f"{PATH}/1", {"enabled": None}).status == 400


@pytest.mark.usefixtures("playbook")
def test_who_may_have_playbooks_start_by_themselves(functions: Functions, database: Database) -> None:
    with database.transaction() as tx:
        reader = keys.create(tx, "reader", {Scope.READ}, None, {}, hashing).text
    made(functions)
    assert functions.api("POST", PATH, {"service_pattern": "*"}, key=reader).status == 403
    assert functions.api("PATCH", f"{PATH}/1", {"enabled": False}, key=reader).status == 403
    assert functions.api("DELETE", f"{PATH}/1", key=reader).status == 403
    assert functions.api("POST", "/v2/repair-batches/1/approve", key=reader).status == 403
    for path in (PATH, "/v2/triggers/match?service=x", "/v2/triggers/firings", "/v2/repair-batches"):
        assert functions.api("GET", path, key=reader).status == 200


# Whom they mean.


@pytest.mark.usefixtures("playbook")
def test_the_most_demanding_trigger_that_matches_wins(functions: Functions, database: Database) -> None:
    a_playbook(database, WAIT)
    made(functions, "worker-*")
    made(functions, "*", 3, playbook_id=2)
    made(functions, "worker-[0-9]", 3)
    made(functions, "*", 9, enabled=False)

    def match(target: str) -> tuple[bool, int | None, int | None]:
        found = asked(functions, target)
        trigger, winner = found["trigger"], found["winner"]
        return found["matches"], trigger and trigger["trigger_id"], winner and winner["trigger_id"]

    assert match("/v2/triggers/match?service=WORKER-7") == (True, 1, 1)
    assert match("/v2/triggers/match?service=worker-7&failures=3") == (True, 2, 2)
    assert match("/v2/triggers/match?service=worker-7&failures=99") == (True, 2, 2)
    assert match("/v2/triggers/match?service=web") == (False, None, None)
    # Asked of one playbook: its own, and who would be faster.
    assert match("/v2/playbooks/1/match?service=worker-7&failures=3") == (True, 3, 2)
    assert match("/v2/playbooks/2/match?service=worker-7&failures=2") == (False, None, 1)
    assert match("/v2/playbooks/2/match?service=web&failures=3") == (True, 2, 2)
    because = [
        asked(functions, f"/v2/playbooks/{number}/match?service=worker-7&failures=3")["because"] for number in (1, 2)
    ]
    assert because == [
        "another one is more demanding, or older, and fires instead",
        "it is the most demanding one that matches",
    ]


@pytest.mark.usefixtures("playbook")
@pytest.mark.parametrize("query", ["", "service=", "service=a%00b", "service=x&failures=0", "service=x&failures=many"])
def test_what_cannot_be_asked(functions: Functions, query: str) -> None:
    assert functions.api("GET", f"/v2/triggers/match?{query}").status == 400
    assert functions.api("GET", f"/v2/playbooks/1/match?{query}").status == 400


# What came of them.


@pytest.mark.usefixtures("playbook")
def test_firings_are_listed_with_what_came_of_them(functions: Functions, database: Database) -> None:
    made(functions, "db-*", mode="observe")
    made(functions, "web-*")
    assert functions.api("POST", "/v2/kill-switches", {"level": "global"}).status == 201
    fails(database, "web-1")
    assert functions.api("DELETE", "/v2/kill-switches/1").status == 200
    found = fails(database, "web-2", "db-1", "other")
    assert (found.started, found.observed) == (1, 1)
    listed = asked(functions, "/v2/triggers/firings")["items"]
    assert {(one["trigger_id"], one["decision"], one["execution_id"], one["service_id"]) for one in listed} == {
        (1, "observed", None, 3),
        (2, "started", 1, 2),
        (2, "blocked", None, 1),
    }
    assert [one["firing_id"] for one in listed] == [3, 2, 1]
    (observed,) = asked(functions, "/v2/triggers/firings?decision=observed")["items"]
    assert [step["name"] for step in observed["plan"]] == ["step-0", "step-1"]
    assert observed["plan"][1]["shown"]["message"] == "It is db-1"
    (blocked,) = asked(functions, "/v2/triggers/firings?decision=blocked&trigger_id=2")["items"]
    assert "kill switch (global)" in blocked["because"]
    (one,) = asked(functions, f"/v2/triggers/firings?alert_id={blocked['alert_id']}")["items"]
    assert (one, one["plan"], one["playbook_id"]) == (blocked, None, 1)
    assert asked(functions, "/v2/triggers/firings?batch_id=1")["items"] == []
    first = asked(functions, "/v2/triggers/firings?limit=2")
    assert first["has_more"] is True
    rest = asked(functions, f"/v2/triggers/firings?limit=2&cursor={first['cursor']}")
    assert [one["firing_id"] for one in first["items"] + rest["items"]] == [3, 2, 1]
    assert functions.api("GET", "/v2/triggers/firings?decision=maybe").status == 400


# Many at once.


@pytest.fixture
def held(functions: Functions, database: Database, playbook: int) -> list[str]:
    """Six of six services have failed at once: their repairs wait as one batch."""
    made(functions, "worker-*")
    names = [f"worker-{number}" for number in range(6)]
    assert fails(database, *names).held == 6
    return names


def decided(functions: Functions, how: str, number: int = 1, **headers: str) -> Reply:
    return functions.api("POST", f"/v2/repair-batches/{number}/{how}", **headers)


def outcomes(database: Database) -> list[tuple[Any, ...]]:
    query = (
        "SELECT decision, count(*), count(execution_id) FROM medic.trigger_firings GROUP BY decision ORDER BY decision"
    )
    return rows(database, query)


@pytest.mark.usefixtures("held")
def test_a_batch_that_is_approved_starts_whom_it_is_still_about(functions: Functions, database: Database) -> None:
    (batch,) = asked(functions, "/v2/repair-batches?status=pending")["items"]
    assert {
        "batch_id": 1,
        "trigger_id": 1,
        "playbook_id": 1,
        "status": "pending",
        "services": 6,
    }.items() <= batch.items()
    assert asked(functions, "/v2/repair-batches/1") == batch
    assert len(asked(functions, "/v2/triggers/firings?batch_id=1&decision=held")["items"]) == 6
    hears(database, "worker-3")
    reply = decided(functions, "approve", x_actor="ann")
    assert (reply.status, reply.json["results"]) == (200, {"batch_id": 1, "status": "approved", "started": 5})
    executions = asked(functions, "/v2/executions")["items"]
    assert sorted(one["heartbeat_name"] for one in executions) == [f"worker-{n}" for n in (0, 1, 2, 4, 5)]
    assert {(one["cause"], one["started_by"], one["trigger_id"]) for one in executions} == {
        ("alert", "batch approved by ann", 1)
    }
    assert all(one["alert_id"] for one in executions)
    assert rows(database, "SELECT count(*) FROM medic.outbox WHERE topic = 'start' AND done_at IS NULL") == [(0,)]
    again = decided(functions, "reject")
    assert (again.status, "this batch is approved" in again.json["message"]) == (409, True)
    found = asked(functions, "/v2/repair-batches/1")
    assert (found["status"], found["decided_by"]) == ("approved", "ann")
    assert asked(functions, "/v2/repair-batches?status=pending")["items"] == []


@pytest.mark.usefixtures("held")
def test_a_batch_that_is_rejected_starts_nothing(functions: Functions, database: Database) -> None:
    reply = decided(functions, "reject", x_actor="ann")
    assert (reply.status, reply.json["results"]["started"]) == (200, 0)
    assert outcomes(database) == [("blocked", 6, 0)]
    assert asked(functions, "/v2/executions")["items"] == []
    assert decided(functions, "approve").status == 409
    noted = "SELECT action_type, actor FROM medic.remediation_audit_log WHERE action_type ~ '^batch' ORDER BY log_id"
    assert rows(database, noted) == [("batch_held", None), ("batch_rejected", "ann")]


@pytest.mark.usefixtures("held")
def test_a_batch_is_decided_in_time_or_not_at_all(functions: Functions, database: Database) -> None:
    time_passes(database, timedelta(hours=1, minutes=1))
    late = decided(functions, "approve")
    assert (late.status, "its time is over" in late.json["message"]) == (409, True)
    for path in ("/v2/repair-batches/9", "/v2/repair-batches/x"):
        assert functions.api("GET", path).status in {400, 404}
    assert decided(functions, "approve", 9).status == 404
    assert functions.api("GET", "/v2/repair-batches?status=lost").status == 400


@pytest.mark.usefixtures("held")
def test_the_other_guards_still_stand_before_a_batch(functions: Functions, database: Database) -> None:
    assert functions.api("POST", "/v2/kill-switches", {"level": "service", "subject_id": 2}).status == 201
    assert functions.api("POST", "/v2/playbooks/1/execute", {"service_id": 4}).status == 201
    assert decided(functions, "approve").json["results"]["started"] == 4
    assert outcomes(database) == [("blocked", 2, 0), ("started", 4, 4)]
    said = "SELECT because FROM medic.trigger_firings WHERE decision = 'blocked' ORDER BY service_id"
    assert [because.split(",")[0] for (because,) in rows(database, said)] == [
        "kill switch (service)",
        "an execution of this playbook for this service is under way",
    ]
