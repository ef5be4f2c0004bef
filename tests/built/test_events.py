"""Each built function takes the event that stands in events/, with its secrets in Secrets Manager alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from medic_core.store.connection import Database
from tests.builders import a_service, rows
from tests.built.conftest import PASSWORD, Account
from tests.built.emulator import Build, BuiltFunction
from tests.contract.test_events import recorded
from tests.fixtures.functions import ADMIN_KEY

Start = Callable[..., BuiltFunction]


def event_of(build: Build, name: str) -> dict[str, Any]:
    return recorded(build.functions[name]["Handler"].partition(".")[0])


#: Function → what its answer holds.
ANSWERS: dict[str, dict[str, Any]] = {
    "HeartbeatFunction": {"statusCode": 201},
    "ReplayFunction": {"batchItemFailures": []},
    "MonitorFunction": {"held": ""},
    "HousekeepingFunction": {"partitions_dropped": 0},
    "RouterFunction": {"batchItemFailures": []},
    "ManagementFunction": {"statusCode": 200},
    "AdvanceFunction": {"kind": "fail"},
    "WebhookStepFunction": {"reported": False},
    "AskApprovalFunction": {},
    "MarkFailedFunction": {},
    "MigrateFunction": {"applied": []},
    "ScriptStepFunction": {},
}


def test_every_function_is_here(build: Build) -> None:
    assert set(build.functions) == set(ANSWERS)


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_it_starts_and_answers(name: str, build: Build, start: Start, database: Database, account: Account) -> None:
    a_service(database)
    function = start(name, MEDIC_SWEEP_SECONDS="60")
    answer = function.invoke(event_of(build, name))
    assert not answer.error, function.written()[-3000:]
    assert answer.payload.items() >= ANSWERS[name].items()
    assert len(function.init_milliseconds) == 1
    # A second event finds it warm, and neither has shown what is secret.
    assert not function.invoke(event_of(build, name)).error
    assert len(function.init_milliseconds) == 1
    assert PASSWORD not in function.written()
    assert "xoxb-secret" not in json.dumps(answer.payload) + function.written()


def test_secrets_are_read_when_they_are_needed_and_once(start: Start, account: Account, build: Build) -> None:
    function = start("HeartbeatFunction")
    assert account.extension.asked == []
    for _ in range(3):
        assert function.invoke(event_of(build, "HeartbeatFunction")).payload["statusCode"] in {201, 404}
    assert sorted(account.extension.asked) == sorted(set(account.extension.asked))
    assert account.database_secret in account.extension.asked


def test_a_function_is_given_what_the_template_names_and_the_script_runner_no_database(build: Build) -> None:
    assert build.variables("HeartbeatFunction") >= {"DATABASE_URL", "DATABASE_CREDENTIALS", "REDIS_URL"}
    set_there = build.functions["ScriptStepFunction"]["Environment"]["Variables"]
    assert set_there["DATABASE_URL"] == set_there["DATABASE_CREDENTIALS"] == ""


def test_the_router_sends_what_the_queue_brings(start: Start, database: Database, build: Build) -> None:
    """A batch of which one message is poison: that one fails alone."""
    function = start("RouterFunction")
    event = event_of(build, "RouterFunction")
    poison = {**event["Records"][0], "messageId": "poison", "body": "{"}
    answer = function.invoke({"Records": [*event["Records"], poison]}).payload
    assert answer == {"batchItemFailures": [{"itemIdentifier": "poison"}]}


def test_heartbeats_and_the_api_see_one_database(start: Start, database: Database) -> None:
    management, heartbeat = start("ManagementFunction"), start("HeartbeatFunction")
    key = {"x_api_key": ADMIN_KEY}
    body = {"heartbeat_name": "built", "service_name": "built", "alert_interval": 5}
    assert management.http("POST", "/service", body, **key)["statusCode"] == 201
    assert heartbeat.http("POST", "/heartbeat", {"heartbeat_name": "built", "status": "UP"}, **key)["statusCode"] == 201
    assert rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(1,)]
    assert "built" in management.http("GET", "/v2/services", **key)["body"]
