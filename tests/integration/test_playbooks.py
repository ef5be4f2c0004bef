"""/v2/playbooks: written, checked, compared, planned, rehearsed, started by people and by programs."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from medic_core.adapters import hashing
from medic_core.domain.access.api_keys import Scope
from medic_core.flows import keys
from medic_core.store.connection import Database
from tests.builders import a_service, rows, time_passes
from tests.fixtures.aws import Emulator
from tests.fixtures.functions import Functions, Reply

WAIT = "name: pause\nsteps:\n- {name: rest, type: wait, duration: 1m}\n"
CALL = """name: restart
description: Starts it again
approval: required
steps:
- name: restart
  type: webhook
  url: https://ops.example.com/restart/${SERVICE_NAME}
  headers: {Authorization: "Bearer ${secrets.TOKEN}"}
  body: {who: "${trigger}", why: "${REASON}"}
- {name: clean, type: script, script: clean-up}
- {name: back, type: condition, check: heartbeat_received, timeout: 5m, on_failure: escalate}
"""
TRIGGER = "/v2/webhooks/playbooks/1/trigger"


def a_key(database: Database, *scopes: Scope) -> str:
    with database.transaction() as tx:
        return keys.create(tx, "-".join(scopes), set(scopes), None, {}, hashing).text


def saved(functions: Functions, yaml_content: str = WAIT, key: str | None = None) -> dict[str, Any]:
    more = {"key": key} if key else {}
    reply = functions.api("POST", "/v2/playbooks", {"yaml_content": yaml_content}, **more)
    assert reply.status == 201, reply.body
    found: dict[str, Any] = reply.json["results"]
    return found


def put(functions: Functions, yaml_content: str, **headers: str) -> Reply:
    return functions.api("PUT", "/v2/playbooks/1", {"yaml_content": yaml_content}, **headers)


def audited(database: Database) -> list[tuple[Any, ...]]:
    query = (
        "SELECT action_type, actor, playbook_id, details->>'version' FROM medic.remediation_audit_log ORDER BY log_id"
    )
    return rows(database, query)


def started_runs(functions: Functions, aws: Emulator) -> list[str]:
    arn = functions.module("door").SETTINGS.playbook_machine_arn
    found = aws.client("stepfunctions").list_executions(stateMachineArn=arn)["executions"]
    return sorted(run["name"] for run in found)


# Written.


def test_a_playbook_is_saved_read_listed_changed_and_deleted(functions: Functions, database: Database) -> None:
    first = functions.api("POST", "/v2/playbooks", {"yaml_content": CALL}, x_actor="ann")
    assert (first.status, first.headers["ETag"]) == (201, '"v1"')
    made = first.json["results"]
    assert {
        "playbook_id": 1,
        "name": "restart",
        "description": "Starts it again",
        "yaml_content": CALL,
        "version": 1,
        "approval": "required",
        "scripts": ["clean-up"],
        "secrets": ["TOKEN"],
        "created_by": "ann",
    }.items() <= made.items()
    one = functions.api("GET", "/v2/playbooks/1")
    assert (one.json["results"], one.headers["ETag"]) == (made, '"v1"')
    assert functions.api("GET", "/v2/playbooks").json["results"]["items"] == [made]
    changed = put(functions, WAIT, if_match='"v1"', x_actor="bob")
    assert (changed.status, changed.headers["ETag"]) == (200, '"v2"')
    assert (changed.json["results"]["name"], changed.json["results"]["created_by"]) == ("pause", "bob")
    assert functions.api("DELETE", "/v2/playbooks/1", if_match='"v1"').status == 412
    assert functions.api("DELETE", "/v2/playbooks/1", x_actor="cid").status == 200
    for method in ("GET", "PUT", "DELETE"):
        body = {"yaml_content": WAIT} if method == "PUT" else None
        assert functions.api(method, "/v2/playbooks/1", body).status == 404
    assert functions.api("GET", "/v2/playbooks").json["results"]["items"] == []
    assert audited(database) == [
        ("playbook_created", "ann", 1, "1"),
        ("playbook_changed", "bob", 1, "2"),
        ("playbook_deleted", "cid", 1, "2"),
    ]
    # Its name is free again; what it was can still be read.
    assert saved(functions)["playbook_id"] == 2
    assert functions.api("GET", "/v2/playbooks/1/versions/1").json["results"]["yaml_content"] == CALL


def test_the_same_text_again_is_no_new_version(functions: Functions, database: Database) -> None:
    saved(functions)
    assert put(functions, WAIT).headers["ETag"] == '"v1"'
    assert put(functions, WAIT + "# said\n", if_match='"v1"').headers["ETag"] == '"v2"'
    assert put(functions, WAIT, if_match='"v1"').status == 412
    assert put(functions, WAIT, if_match='"v2"').headers["ETag"] == '"v3"'
    assert [action for action, *_ in audited(database)] == ["playbook_created", *["playbook_changed"] * 2]


def test_names_are_unique_whatever_their_case(functions: Functions) -> None:
    saved(functions)
    second = functions.api("POST", "/v2/playbooks", {"yaml_content": WAIT.replace("pause", "PAUSE")})
    assert (second.status, second.json["message"]) == (409, "name: another playbook has it already.")
    saved(functions, WAIT.replace("pause", "other"))
    assert put(functions, WAIT.replace("pause", "Other")).status == 409
    assert put(functions, WAIT.replace("pause", "Pause")).status == 200


def test_what_is_wrong_is_said_all_at_once_with_its_line(functions: Functions, database: Database) -> None:
    wrong = "name: x\nsteps:\n- {name: a, type: wiat}\n- {name: b, type: wait, duration: soon}\n"
    found = functions.api("POST", "/v2/playbooks/validate", {"yaml_content": wrong}).json["results"]
    assert found["valid"] is False
    assert [(one["line"], one["step"], one["field"]) for one in found["problems"]] == [
        (3, "a", "type"),
        (4, "b", "duration"),
    ]
    assert all(one["message"] in one["text"] for one in found["problems"])
    refused = functions.api("POST", "/v2/playbooks", {"yaml_content": wrong})
    assert refused.status == 400
    assert refused.json["message"].startswith("yaml_content: ")
    assert all(one["text"] in refused.json["message"] for one in found["problems"])
    assert rows(database, "SELECT count(*) FROM medic.playbooks") == [(0,)]
    fine = functions.api("POST", "/v2/playbooks/validate", {"yaml_content": CALL}).json["results"]
    assert fine == {"valid": True, "problems": []}


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\x00",
        "name: \ud800",
        "name: x\x00\nsteps: [{name: a, type: wait, duration: 1}]",
        "- a",
        "!!python/object:os.system {}",
        "a: &a [*a]",
        "[" * 5000,
        "{" * 60000,
        "x" * 65537,
        "name: ü" + "ü" * 33000,
    ],
    ids=range(12),
)
def test_nothing_that_is_sent_as_a_playbook_is_more_than_refused(functions: Functions, text: str) -> None:
    assert functions.api("POST", "/v2/playbooks", {"yaml_content": text}).status == 400
    checked = functions.api("POST", "/v2/playbooks/validate", {"yaml_content": text})
    assert checked.status == 400 or checked.json["results"]["valid"] is False


def test_a_playbook_may_have_64_kib_however_its_json_is_written(functions: Functions) -> None:
    filling = '# "ü"\n' * 8000
    text = WAIT + filling + "#" * (65536 - len((WAIT + filling).encode()))
    assert len(text.encode()) == 65536
    assert len(json.dumps({"yaml_content": text})) > 100_000
    assert saved(functions, text)["yaml_content"] == text
    too_much = functions.api("POST", "/v2/playbooks", {"yaml_content": text + "ü"})
    assert (too_much.status, too_much.json["message"]) == (400, "yaml_content: line 1: a playbook has at most 64 KiB")
    assert functions.api("POST", "/v2/playbooks", {"yaml_content": "x" * 300_000}).status == 413


def test_who_may_save_what(functions: Functions, database: Database) -> None:
    reader, writer = a_key(database, Scope.READ), a_key(database, Scope.WRITE)
    body = {"yaml_content": CALL}
    assert functions.api("POST", "/v2/playbooks/validate", body, key=reader).status == 200
    assert functions.api("GET", "/v2/playbooks/schema", key=reader).json["results"]["type"] == "object"
    assert functions.api("POST", "/v2/playbooks", {"yaml_content": WAIT}, key=reader).status == 403
    assert saved(functions, key=writer)["version"] == 1
    for method, path in (("POST", "/v2/playbooks"), ("PUT", "/v2/playbooks/1")):
        refused = functions.api(method, path, body, key=writer)
        assert (refused.status, refused.json["message"]) == (
            403,
            "A playbook that runs scripts or uses secrets is saved with an admin key.",
        )
    # Nothing of it stays, also not in the audit log.
    assert rows(database, "SELECT version FROM medic.playbooks") == [(1,)]
    assert len(audited(database)) == 1
    assert put(functions, CALL).status == 200


def test_versions_are_listed_newest_first_and_compared(functions: Functions) -> None:
    saved(functions)
    assert functions.api("GET", "/v2/playbooks/1/diff").json["results"] == {
        "from_version": 1,
        "to_version": 1,
        "diff": "",
    }
    put(functions, WAIT.replace("1m", "2m"), x_actor="bob")
    put(functions, WAIT.replace("1m", "3m").rstrip("\n"))
    first = functions.api("GET", "/v2/playbooks/1/versions?limit=2").json["results"]
    assert [one["version"] for one in first["items"]] == [3, 2]
    rest = functions.api("GET", f"/v2/playbooks/1/versions?limit=2&cursor={first['cursor']}").json["results"]
    assert ([one["version"] for one in rest["items"]], rest["has_more"]) == ([1], False)
    found = functions.api("GET", "/v2/playbooks/1/versions/2").json["results"]
    assert (found, found["created_by"]) == (first["items"][1], "bob")
    newest = functions.api("GET", "/v2/playbooks/1/diff").json["results"]
    assert newest["diff"].splitlines() == [
        "--- version 2",
        "+++ version 3",
        "@@ -1,3 +1,3 @@",
        " name: pause",
        " steps:",
        "-- {name: rest, type: wait, duration: 2m}",
        "+- {name: rest, type: wait, duration: 3m}",
    ]
    backwards = functions.api("GET", "/v2/playbooks/1/diff?from_version=3&to_version=1").json["results"]
    assert "-- {name: rest, type: wait, duration: 3m}\n+- {name: rest, type: wait, duration: 1m}" in backwards["diff"]
    for path in ("versions/4", "diff?to_version=4", "diff?from_version=9"):
        assert functions.api("GET", f"/v2/playbooks/1/{path}").status == 404
    assert functions.api("GET", "/v2/playbooks/1/versions/0").status == 400
    for path in ("versions", "diff", "stats", "versions/1"):
        assert functions.api("GET", f"/v2/playbooks/9/{path}").status == 404


def test_stats_count_what_was_tried_and_what_helped(functions: Functions, database: Database) -> None:
    saved(functions)
    empty = functions.api("GET", "/v2/playbooks/1/stats").json["results"]
    assert empty == {
        "days": 30,
        "executions": 0,
        "completed": 0,
        "failed": 0,
        "tried": 0,
        "cured": 0,
        "cure_rate": None,
    }
    ended = """
        INSERT INTO medic.playbook_executions (playbook_id, version, cause, started_by, status, outcome, context,
                                               progress, engine_name, completed_at)
        SELECT 1, 1, cause, 'x', status, outcome, '{}', '{}', 'e' || n, now()
          FROM unnest(%(causes)s::text[], %(statuses)s::text[], %(outcomes)s::text[]) WITH ORDINALITY
               AS w (cause, status, outcome, n) RETURNING 1
    """
    of = [
        ("alert", "completed", "cured"),
        ("alert", "completed", "unverified"),
        ("alert", "failed", "escalated"),
        ("alert", "completed", "superseded"),
        ("alert", "cancelled", "cancelled"),
        ("api", "completed", "succeeded"),
        ("api", "failed", "failed"),
    ]
    causes, statuses, outcomes = (list(column) for column in zip(*of, strict=True))
    rows(database, ended, causes=causes, statuses=statuses, outcomes=outcomes)
    found = functions.api("GET", "/v2/playbooks/1/stats?days=7").json["results"]
    assert found == {
        "days": 7,
        "executions": 7,
        "completed": 4,
        "failed": 2,
        "tried": 3,
        "cured": 1,
        "cure_rate": 0.3333,
    }
    time_passes(database, timedelta(days=8))
    assert functions.api("GET", "/v2/playbooks/1/stats?days=7").json["results"]["executions"] == 0
    assert functions.api("GET", "/v2/playbooks/1/stats?days=0").status == 400


# Started.


def test_an_execution_starts_with_its_variables_and_leaves_at_once(
    functions: Functions, database: Database, aws: Emulator
) -> None:
    a_service(database, "worker", team="infra")
    saved(functions)
    body = {"service_id": 1, "variables": {"REASON": "slow", "N": 3, "trigger": "faked", "SERVICE_NAME": "faked"}}
    reply = functions.api("POST", "/v2/playbooks/1/execute", body, x_actor="ann")
    assert (reply.status, reply.json["results"]) == (
        201,
        {
            "execution_id": 1,
            "playbook_id": 1,
            "playbook_name": "pause",
            "status": "running",
            "service_id": 1,
        },
    )
    execution = functions.api("GET", "/v2/executions/1").json["results"]
    assert (execution["cause"], execution["started_by"]) == ("api", "ann")
    assert execution["context"] == {
        "trigger": "api",
        "REASON": "slow",
        "N": 3,
        "SERVICE_ID": "1",
        "SERVICE_NAME": "worker",
        "HEARTBEAT_NAME": "worker",
        "PRIORITY": "p3",
        "TEAM": "infra",
        "PLAYBOOK_ID": "1",
        "PLAYBOOK_NAME": "pause",
        "EXECUTION_ID": "1",
    }
    ((name,),) = rows(database, "SELECT engine_name FROM medic.playbook_executions")
    assert started_runs(functions, aws) == [name]
    assert rows(database, "SELECT count(*) FROM medic.outbox WHERE topic = 'start' AND done_at IS NULL") == [(0,)]
    again = functions.api("POST", "/v2/playbooks/1/execute", {"service_id": "1"})
    assert (again.status, again.json["message"]) == (
        409,
        "Not started: an execution of this playbook for this service is under way.",
    )
    # For no service at all as often as anybody likes.
    assert [functions.api("POST", "/v2/playbooks/1/execute").status for _ in range(2)] == [201, 201]


def test_a_start_that_is_asked_for_again_with_its_key_is_one(functions: Functions, database: Database) -> None:
    saved(functions)
    replies = [functions.api("POST", "/v2/playbooks/1/execute", {}, idempotency_key="k-1") for _ in range(3)]
    assert {reply.json["results"]["execution_id"] for reply in replies} == {1}
    assert rows(database, "SELECT count(*) FROM medic.playbook_executions") == [(1,)]


def test_a_state_machine_that_is_not_there_refuses_nobody(
    functions: Functions, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDIC_PLAYBOOK_MACHINE_ARN", "arn:aws:states:us-east-1:000000000000:stateMachine:gone")
    saved(functions)
    assert functions.api("POST", "/v2/playbooks/1/execute", {}).status == 201
    assert rows(database, "SELECT topic, subject_id FROM medic.outbox WHERE topic = 'start' AND done_at IS NULL") == [
        ("start", 1)
    ]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"service_id": 9}, 404, "No service has this id."),
        ({"service_id": "9"}, 404, "No service has this id."),
        ({"service_id": "one"}, 400, "service_id"),
        ({"service_id": "-1"}, 400, "service_id"),
        ({"service_id": "٣"}, 400, "service_id"),
        ({"service_id": True}, 400, "service_id"),
        ({"service_id": "9" * 400}, 400, "service_id"),
        ({"variables": []}, 400, "variables"),
        ({"variables": {"a": None}}, 400, "variables"),
        ({"variables": {"a": {"b": 1}}}, 400, "variables"),
        ({"variables": {"a b": "c"}}, 400, "variables: 'a b' is no name"),
        ({"variables": {"a": "\x00"}}, 400, "variables: a must be proper text without NUL"),
        ({"variables": {"a": "\ud800"}}, 400, "variables: a must be proper text without NUL"),
        ('{"variables": {"a": 1e999}}', 400, "variables: a must be text or a number"),
        ('{"variables": {"a": NaN}}', 400, "variables: a must be text or a number"),
        ('{"variables": {"a": ' + "9" * 4200 + "}}", 400, "variables: a must be text or a number"),
        ('{"variables": {"a": ' + "9" * 9000 + "}}", 400, "JSON"),
        ({"variables": {"a": "x" * 5000}}, 400, "variables: a must be text or a number"),
        ({"variables": {f"a{n}": 1 for n in range(51)}}, 400, "variables"),
        ({"nonsense": 1}, 400, "nonsense"),
    ],
)
def test_what_a_start_may_not_say(functions: Functions, body: Any, status: int, said: str) -> None:
    saved(functions)
    reply = functions.api("POST", "/v2/playbooks/1/execute", body)
    assert (reply.status, said in reply.json["message"]) == (status, True), reply.body
    assert functions.api("POST", "/v2/playbooks/9/execute", {}).status == 404


def test_fifty_variables_are_not_too_many(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIC_TRIGGER_SECRET", "s3cret")
    saved(functions)
    body = {"variables": {f"a{n}": n for n in range(50)}}
    assert functions.api("POST", "/v2/playbooks/1/execute", body).status == 201
    assert functions.api("POST", TRIGGER, body, key=None, x_webhook_secret="s3cret").status == 201


@pytest.mark.parametrize(("level", "subject"), [("global", None), ("playbook", 1), ("service", 1), ("team", 1)])
def test_a_kill_switch_is_in_the_way(functions: Functions, database: Database, level: str, subject: int | None) -> None:
    a_service(database, team="infra")
    saved(functions)
    switch = {"level": level, "reason": "migration"} | ({"subject_id": subject} if subject else {})
    assert functions.api("POST", "/v2/kill-switches", switch, x_actor="ann").status == 201
    refused = functions.api("POST", "/v2/playbooks/1/execute", {"service_id": 1})
    said = f"kill switch ({level}), thrown by ann: migration"
    assert (refused.status, refused.json["message"]) == (409, f"Not started: {said}.")
    plan = functions.api("POST", "/v2/playbooks/1/execute", {"service_id": 1, "dry_run": True})
    assert plan.json["results"]["problems"] == [said]


def test_executing_has_a_limit_of_its_own(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE_LIMIT_EXECUTION_REQUESTS", "2")
    saved(functions)
    answers = [functions.api("POST", "/v2/playbooks/1/execute", {}) for _ in range(3)]
    assert [answer.status for answer in answers] == [201, 201, 429]
    assert answers[2].headers["Retry-After"]
    assert functions.api("GET", "/v2/playbooks").status == 200


def test_who_may_start(functions: Functions, database: Database) -> None:
    saved(functions, CALL)
    for scope, status in ((Scope.READ, 403), (Scope.HEARTBEAT, 403), (Scope.WRITE, 201)):
        assert functions.api("POST", "/v2/playbooks/1/execute", {}, key=a_key(database, scope)).status == status


# Planned.


def contents(database: Database) -> dict[str, tuple[int, str | None]]:
    """How many rows every table has, and what they hold; of keys, which note when they are used, only how many."""
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'medic' ORDER BY table_name"
    found = {}
    for (table,) in rows(database, tables):
        held = "NULL" if table.startswith("api_key") else "md5(string_agg(t::text, ',' ORDER BY t::text))"
        (found[table],) = rows(database, f"SELECT count(*), {held} FROM medic.{table} t")
    return found


def test_a_dry_run_shows_each_step_and_does_nothing(functions: Functions, database: Database, aws: Emulator) -> None:
    a_service(database, "worker 1")
    saved(functions, CALL)
    functions.api("PUT", "/v2/secrets/TOKEN", {"value": "hunter2-hunter2"})
    functions.api("POST", "/v2/scripts", {"name": "clean-up", "content": "true"})
    before = contents(database)
    body = {"service_id": 1, "dry_run": True, "variables": {"REASON": "slow"}}
    reply = functions.api("POST", "/v2/playbooks/1/execute", body)
    assert (reply.status, reply.json["message"]) == (200, "Nothing was done.")
    assert "hunter2" not in reply.body
    call, clean, back = reply.json["results"]["plan"]
    assert (call["name"], call["type"], call["index"], call["problems"]) == ("restart", "webhook", 0, [])
    assert call["shown"]["url"] == "https://ops.example.com/restart/worker%201"
    assert call["shown"]["headers"] == {"Authorization": "Bearer ***"}
    assert call["shown"]["body"] == {"who": "api", "why": "slow"}
    assert (clean["shown"]["script"], back["shown"]["check"]) == ("clean-up", "heartbeat_received")
    assert reply.json["results"]["problems"] == []
    assert before["playbooks"][0] == before["secrets"][0] == 1
    assert (contents(database), started_runs(functions, aws)) == (before, [])


def test_a_dry_run_says_what_would_be_in_the_way(functions: Functions, database: Database) -> None:
    saved(functions, CALL)
    before = contents(database)
    found = functions.api("POST", "/v2/playbooks/1/execute", {"dry_run": True}).json["results"]
    assert contents(database) == before
    assert found["problems"] == [
        "step 'restart': SERVICE_NAME is unknown, and a URL needs every value",
        "step 'restart': REASON is unknown, and stays as it is: ${REASON}",
        "no script is registered under the name 'clean-up'",
        "there is no secret 'TOKEN'",
    ]
    assert functions.api("POST", "/v2/playbooks/9/execute", {"dry_run": True}).status == 404
    assert functions.api("POST", "/v2/playbooks/1/execute", {"dry_run": True, "service_id": 9}).status == 404


# Rehearsed.


def rehearsed(functions: Functions, **body: Any) -> dict[str, Any]:
    reply = functions.api("POST", "/v2/playbooks/1/test", body)
    assert reply.status == 200, reply.body
    found: dict[str, Any] = reply.json["results"]
    return found


def test_a_rehearsal_walks_by_the_given_results(functions: Functions, database: Database) -> None:
    saved(functions, CALL)
    before = contents(database)
    found = rehearsed(functions, alert=True)
    assert (found["status"], found["outcome"]) == ("completed", "cured")
    assert [one["what"] for one in found["trace"]].count("step_ended") == 3
    found = rehearsed(functions, alert=True, results={"back": {"status": "not_met"}})
    assert (found["status"], found["outcome"]) == ("failed", "escalated")
    ended = found["trace"][-1]
    assert (ended["what"], ended["at_seconds"]) == ("ended", 300.0)
    found = rehearsed(functions, results={"restart": {"status": "unknown", "error": "cut off"}})
    assert (found["outcome"], "cut off" in found["because"]) == ("unknown", True)
    assert rehearsed(functions, alert=True, recovered=True)["outcome"] == "superseded"
    assert rehearsed(functions, approved=False)["outcome"] == "rejected"
    assert contents(database) == before


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"results": {"nope": {}}}, "results: this playbook has no step 'nope'."),
        ({"results": {"rest": {"status": "great"}}}, "status"),
        ({"results": []}, "results"),
        ({"context": {"a": []}}, "context"),
    ],
)
def test_what_a_rehearsal_may_not_say(functions: Functions, body: dict[str, Any], said: str) -> None:
    saved(functions)
    reply = functions.api("POST", "/v2/playbooks/1/test", body)
    assert (reply.status, said in reply.json["message"]) == (400, True), reply.body
    assert functions.api("POST", "/v2/playbooks/9/test", {}).status == 404


def test_who_may_rehearse(functions: Functions, database: Database) -> None:
    saved(functions, CALL)
    reader = a_key(database, Scope.READ)
    assert functions.api("POST", "/v2/playbooks/1/test", {}, key=reader).status == 200


# Started by a program.


@pytest.fixture
def open_to_programs(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> Functions:
    monkeypatch.setenv("MEDIC_TRIGGER_SECRET", "s3cret-é")
    return functions


def by_program(functions: Functions, body: Any = None, secret: str = "s3cret-é", target: str = TRIGGER) -> Reply:
    return functions.api("POST", target, body, key=None, x_webhook_secret=secret)


def test_a_program_starts_a_playbook_by_the_secret(
    open_to_programs: Functions, database: Database, aws: Emulator
) -> None:
    a_service(database, "worker")
    saved(open_to_programs)
    body = {"service_id": "1", "variables": {"REASON": "slow", "trigger": "api", "source_ip": "::1"}}
    reply = by_program(open_to_programs, body)
    assert (reply.status, reply.json["results"]["execution_id"]) == (201, 1)
    ((cause, by, context),) = rows(database, "SELECT cause, started_by, context FROM medic.playbook_executions")
    assert (cause, by) == ("webhook", "webhook from 203.0.113.9")
    assert {"trigger": "webhook", "source_ip": "203.0.113.9", "REASON": "slow"}.items() <= context.items()
    assert len(started_runs(open_to_programs, aws)) == 1
    assert by_program(open_to_programs, {"service_id": 1}).status == 409
    assert by_program(open_to_programs, {"service_id": 9}).status == 404
    assert by_program(open_to_programs, target=TRIGGER.replace("1", "9")).status == 404
    assert by_program(open_to_programs, "{").status == 400
    assert by_program(open_to_programs, {"dry_run": True}).status == 400
    assert by_program(open_to_programs).status == 201


@pytest.mark.parametrize("secret", ["", "s3cret", "s3cret-è", "s3cret-é ", "ключ", "\x00"])
def test_a_wrong_secret_is_refused_whatever_it_is(open_to_programs: Functions, database: Database, secret: str) -> None:
    saved(open_to_programs)
    refused = by_program(open_to_programs, {}, secret)
    assert (refused.status, refused.json["message"]) == (401, "X-Webhook-Secret is missing or wrong.")
    assert open_to_programs.api("POST", TRIGGER, {}).status == 401
    assert rows(database, "SELECT count(*) FROM medic.playbook_executions") == [(0,)]


def test_without_a_secret_of_its_own_medic_is_not_open_to_programs(functions: Functions) -> None:
    saved(functions)
    for secret in ("", "x"):
        refused = by_program(functions, {}, secret)
        assert (refused.status, "MEDIC_TRIGGER_SECRET" in refused.json["message"]) == (503, True)


def test_guesses_are_limited(open_to_programs: Functions, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE_LIMIT_EXECUTION_REQUESTS", "3")
    saved(open_to_programs)
    guesses = [by_program(open_to_programs, {}, f"guess-{n}").status for n in range(5)]
    assert guesses == [401, 401, 401, 429, 429]
    # Also the right one is not heard any more from there; a key has a limit of its own.
    assert by_program(open_to_programs, {}).status == 429
    assert open_to_programs.api("POST", "/v2/playbooks/1/execute", {}).status == 201


def test_programs_are_held_back_by_the_circuit_breaker_and_people_are_not(
    open_to_programs: Functions, database: Database
) -> None:
    a_service(database)
    for number in range(7):
        saved(open_to_programs, WAIT.replace("pause", f"pause-{number}"))
    targets = [f"/v2/webhooks/playbooks/{number}/trigger" for number in range(1, 7)]
    replies = [by_program(open_to_programs, {"service_id": 1}, target=target) for target in targets]
    assert [reply.status for reply in replies] == [201] * 5 + [409]
    assert replies[-1].json["message"] == (
        "Not started: circuit breaker: 5 executions for this service within an hour."
    )
    assert open_to_programs.api("POST", "/v2/playbooks/7/execute", {"service_id": 1}).status == 201
    assert json.loads(replies[-1].body)["success"] is False
