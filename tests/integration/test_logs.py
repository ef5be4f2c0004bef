"""What is really written to the log: whose it is, and no secret in it, whatever goes wrong where."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from medic_core import telemetry
from medic_core.credentials import here
from medic_core.store.connection import Database
from tests.builders import a_service, away, ping_id, rows
from tests.fixtures.functions import ADMIN_KEY, Functions, LambdaContext
from tests.fixtures.repairing import Hand, a_playbook, started
from tests.fixtures.written import Written

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SECRET = "kJ8xQ2vN5mT7wR4yB6cD9fG1hL3pS0zA"
#: A database that cannot be meant: the driver quotes it when it says so.
BROKEN = f"postgresql:/medic:{SECRET}@db.internal/medic"


def breaks(functions: Functions, module: str) -> None:
    """This function's database is where no URL can lead: the driver says so, and quotes it."""
    database = functions.module(module).DATABASE
    database.close()
    database._server = here(BROKEN)


def test_what_nobody_foresaw_is_logged_with_whose_request_it_was_and_without_its_secrets(
    functions: Functions, database: Database, written: Written
) -> None:
    breaks(functions, "door")
    sent = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "authorization": f"Bearer {ADMIN_KEY}"}
    reply = functions.api("GET", "/health", key=None, **sent)
    assert (reply.status, SECRET in reply.body) == (500, False)
    line = next(one for one in written.lines if one["message"] == "unforeseen" and one["path"] == "/health")
    assert (line["correlation_id"], line["trace_id"], line["service"]) == ("test", TRACE, "medic-management")
    assert line["function_request_id"] == "test"
    assert line["exception_name"] == "ProgrammingError"
    assert 'missing "=" after "postgresql:/***@db.internal/medic"' in line["exception"]
    assert SECRET not in written.text
    assert ADMIN_KEY not in written.text


def test_keys_of_one_request_are_not_the_next_ones(functions: Functions, written: Written) -> None:
    functions.api("GET", "/v2/services", traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
    telemetry.logger("management").warning("afterwards")
    (line,) = [one for one in written.lines if one["message"] == "afterwards"]
    assert {"trace_id", "correlation_id", "function_request_id"} & set(line) == set()


@pytest.mark.parametrize("sent", [f"00-{TRACE}-00f067aa0ba902b7-01-{SECRET}", f"01-{TRACE}-{'1' * 16}-01", SECRET])
def test_a_trace_that_is_none_is_not_written(functions: Functions, written: Written, sent: str) -> None:
    breaks(functions, "door")
    functions.api("GET", "/health", traceparent=sent)
    assert "trace_id" not in written.lines[-1]
    assert sent not in written.text


def test_xrays_own_id_is_in_every_line(functions: Functions, written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1")
    functions.module("housekeeping").handler({}, LambdaContext())
    assert written.lines[-1]["xray_trace_id"] == "1-5759e988-bd862e3fe1be46a994272793"


def test_an_approvals_link_and_a_ping_url_are_in_no_line(functions: Functions, written: Written) -> None:
    breaks(functions, "door")
    for path in (f"/approvals/{SECRET}", f"/ping/{SECRET}"):
        functions.api("GET", path, key=None)
    functions.api("GET", f"/v2/services?{SECRET}=1", key=None)
    assert SECRET not in written.text


def test_the_heartbeat_function_logs_what_rises_and_lets_it_rise_without_its_secrets(
    functions: Functions, database: Database, written: Written
) -> None:
    ping = ping_id(database, a_service(database))
    breaks(functions, "ingest")
    with pytest.raises(psycopg.ProgrammingError) as raised:
        functions.ping(str(ping))
    assert SECRET not in str(raised.value)
    (line,) = [one for one in written.lines if one["message"] == "unforeseen"]
    assert (line["service"], line["correlation_id"]) == ("medic-heartbeat", "test")
    assert SECRET not in written.text
    assert str(ping) not in written.text


def test_a_message_that_cannot_be_read_is_named_and_not_quoted(functions: Functions, written: Written) -> None:
    record = {"messageId": "m-1", "receiptHandle": "r", "body": f"Bearer {SECRET}", "attributes": {}}
    found = functions.module("notifications").handler({"Records": [record]}, LambdaContext())
    assert found == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    line = next(one for one in written.lines if one["message"] == "message left to the queue")
    assert (line["message_id"], line["message_ids"], line["correlation_id"]) == ("m-1", ["m-1"], "m-1")
    assert functions.module("replay").handler({"Records": [record]}, LambdaContext()) == {"batchItemFailures": []}
    assert any(one["message"] == "not a signal: to the dead letters" for one in written.lines)
    assert SECRET not in written.text


@pytest.mark.parametrize(
    ("module", "event"),
    [
        ("housekeeping", {"id": "e-1"}),
        ("advance", {"execution_id": 1, "engine_name": "run-1", "seq": 0, "outcome": {}}),
        ("webhook_step", {"execution_id": 1, "engine_name": "run-1", "seq": 0}),
        ("ask_approval", {"execution_id": 1, "engine_name": "run-1", "task_token": SECRET}),
        ("mark_failed", {"execution_id": 1, "engine_name": "run-1", "outcome": {"Error": f"x_token={SECRET}"}}),
    ],
)
def test_what_rises_from_any_function_keeps_its_kind_and_loses_its_secrets(
    functions: Functions, database: Database, written: Written, module: str, event: dict[str, Any]
) -> None:
    breaks(functions, module)
    with pytest.raises(psycopg.ProgrammingError) as raised:
        functions.module(module).handler(event, LambdaContext())
    assert "connection info string" in str(raised.value)
    assert SECRET not in str(raised.value)
    line = next(one for one in written.lines if one["message"] == "unforeseen")
    assert line["correlation_id"] in {"e-1", "run-1"}
    assert line.get("execution_id") == event.get("execution_id")
    assert SECRET not in written.text


def test_a_repair_whose_webhook_knows_a_secret_logs_none_of_it(
    functions: Functions, database: Database, written: Written
) -> None:
    functions.api("PUT", "/v2/secrets/DEPLOY", {"value": SECRET})
    step = {"type": "webhook", "url": "http://127.0.0.1:1/${secrets.DEPLOY}", "headers": {"X-T": "${secrets.DEPLOY}"}}
    hand = Hand(database, started(database, a_playbook(database, step)))
    hand.turn()
    functions.module("webhook_step").handler(hand.state, LambdaContext())
    functions.module("advance").handler(hand.state | {"outcome": {}}, LambdaContext())
    assert SECRET not in written.text


def test_with_the_database_away_the_monitor_says_so_and_nothing_of_its_password(
    functions: Functions, database: Database, written: Written
) -> None:
    with away(functions.module("tick").DATABASE, f"postgresql://medic:{SECRET}@127.0.0.1:1/none"):
        functions.module("tick").handler({"id": "e-1"}, LambdaContext())
    assert any(one["message"] == "no sweep: the database is away" for one in written.lines)
    assert all(one["correlation_id"] == "e-1" for one in written.lines)
    assert SECRET not in written.text


def test_with_the_database_away_the_api_says_why_in_its_log_alone(functions: Functions, written: Written) -> None:
    with away(functions.module("door").DATABASE, f"postgresql://medic:{SECRET}@127.0.0.1:1/none"):
        answer = functions.api("GET", "/v2/services")
    assert (answer.status, "127.0.0.1" in answer.body) == (503, False)
    (line,) = [one for one in written.lines if one["message"] == "unavailable"]
    assert "127.0.0.1" in line["because"]
    assert SECRET not in written.text


def test_a_key_that_is_made_and_rotated_is_logged_nowhere(
    functions: Functions, database: Database, written: Written
) -> None:
    made = functions.api("POST", "/v2/api-keys", {"name": "ci", "scopes": ["read"]}).json["results"]
    rotated = functions.api("POST", f"/v2/api-keys/{made['api_key_id']}/rotate", {}).json["results"]
    telemetry.logger("management").warning("made %s", made["api_key"], extra={"answer": rotated})
    assert len(written.lines) == 1
    for key in (made["api_key"], rotated["api_key"]):
        assert key.split("_", 2)[2] not in written.text
    assert rows(database, "SELECT count(*) FROM medic.api_key_secrets")[0][0] >= 2
