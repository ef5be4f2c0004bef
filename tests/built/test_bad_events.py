"""Events that are not meant for a function: it says so in one line, changes nothing, and takes the next good one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from medic_core.store.connection import Database
from tests.builders import a_service, rows
from tests.built.emulator import Build, BuiltFunction
from tests.built.test_events import ANSWERS, event_of
from tests.fixtures.functions import ADMIN_KEY

Start = Callable[..., BuiltFunction]
#: As much as Lambda takes.
SIX_MEGABYTES = 6_000_000
FROM_API_GATEWAY_V1 = {
    "resource": "/heartbeat",
    "path": "/heartbeat",
    "httpMethod": "POST",
    "headers": {"X-API-Key": ADMIN_KEY},
    "requestContext": {"identity": {"sourceIp": "203.0.113.9"}, "stage": "prod", "httpMethod": "POST"},
    "body": json.dumps({"heartbeat_name": "nightly-backup", "status": "UP"}),
    "isBase64Encoded": False,
}
FROM_S3 = {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"object": {"key": "a"}}}]}
UNKNOWN_REQUEST = {"RequestType": "Rollback", "StackId": "a", "RequestId": "b", "LogicalResourceId": "c"}
NOBODYS: dict[str, Any] = {
    "an empty object": {},
    "a list": [],
    "null": None,
    "text": "heartbeat",
    "API Gateway v1": FROM_API_GATEWAY_V1,
    "a request without its context": {"version": "2.0", "rawPath": "/heartbeat", "requestContext": {}},
    "S3": FROM_S3,
    "SQS without Records": {"Records": None},
    "SQS with a record that is none": {"Records": ["{}"]},
    "Step Functions with a word for a number": {"execution_id": "1", "engine_name": 2, "seq": True, "outcome": "x"},
    "CloudFormation with an unknown request": UNKNOWN_REQUEST,
    "six megabytes": {"filler": "x" * SIX_MEGABYTES},
}
#: A schedule says nothing but "now", so these read nothing of an event.
WOKEN = {"MonitorFunction", "HousekeepingFunction"}
TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'medic'"


def content(database: Database) -> dict[str, Any]:
    """A digest of each table."""
    digest = "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM medic.{} AS t"
    return {table: rows(database, digest.format(table)) for (table,) in rows(database, TABLES)}


def test_the_digest_sees_what_changes(database: Database) -> None:
    before = content(database)
    a_service(database)
    changed = {table for table, digest in content(database).items() if before[table] != digest}
    assert {"services", "service_state"} <= changed


@pytest.mark.parametrize("name", sorted(set(ANSWERS) - WOKEN))
def test_what_is_meant_for_another_is_refused_in_one_line_and_changes_nothing(
    name: str, build: Build, start: Start, database: Database
) -> None:
    a_service(database)
    function = start(name)
    before = content(database)
    for what, event in NOBODYS.items():
        if (name, what) == ("MigrateFunction", "an empty object"):
            continue  # How an operator asks for the newest schema.
        answer = function.invoke(event)
        assert answer.error == "NotAnEvent", (what, answer.payload)
        said = answer.payload["errorMessage"]
        assert ("\n" in said, len(said) < 250, said in function.written()) == (False, True, True), what
    assert content(database) == before
    good = function.invoke(event_of(build, name))
    assert not good.error, good.payload
    assert len(function.init_milliseconds) == 1


@pytest.mark.parametrize("name", sorted(WOKEN))
def test_what_a_schedule_wakes_reads_nothing_of_what_wakes_it(name: str, start: Start, database: Database) -> None:
    a_service(database)
    function = start(name, MEDIC_SWEEP_SECONDS="60")
    for what, event in NOBODYS.items():
        assert not (answer := function.invoke(event)).error, (what, answer.payload)
    assert rows(database, "SELECT count(*) FROM medic.alerts") == [(0,)]


@pytest.mark.parametrize("name", ["HeartbeatFunction", "ManagementFunction"])
@pytest.mark.parametrize("path", ["/heartbeat", "/v2/services", "/service"])
def test_a_body_as_large_as_lambda_takes_is_answered(name: str, path: str, start: Start, database: Database) -> None:
    a_service(database)
    body = json.dumps({"heartbeat_name": "nightly-backup", "status": "UP", "filler": "x" * SIX_MEGABYTES})
    answer = start(name).http("POST", path, body, x_api_key=ADMIN_KEY)
    assert answer["statusCode"] in ({413} if path == "/heartbeat" and name == "HeartbeatFunction" else {404, 405, 413})
    assert rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(0,)]


@pytest.mark.parametrize("name", ["ReplayFunction", "RouterFunction"])
@pytest.mark.parametrize("body", [{}, {"body": None}, {"body": 7}, {"body": ""}])
def test_a_message_without_a_body_fails_alone(
    name: str, body: dict[str, Any], build: Build, start: Start, database: Database
) -> None:
    a_service(database)
    good = event_of(build, name)["Records"][0]
    bad = {"messageId": "bodiless", **body}
    answer = start(name).invoke({"Records": [bad, good]}).payload
    assert answer == {"batchItemFailures": [{"itemIdentifier": "bodiless"}]}
    assert name == "RouterFunction" or rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(1,)]
