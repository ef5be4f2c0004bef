"""Job signals and batches, through the function's own handler; runs as they are read back."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from medic_core.domain.watching.signals import BODY_LIMIT
from medic_core.store.connection import Database
from tests.builders import a_service, away, now_of, ping_id, rows, time_passes, watch_statements
from tests.fixtures.functions import ADMIN_KEY, Functions, Reply, key_header

MILLISECOND, SECOND, MINUTE = timedelta(milliseconds=1), timedelta(seconds=1), timedelta(minutes=1)


def job(functions: Functions, target: str, body: Any = None, **headers: str) -> Reply:
    return functions.http("ingest", "POST", f"/v2/heartbeat/{target}", body, **key_header(ADMIN_KEY), **headers)


def batch(functions: Functions, *heartbeats: Any) -> Reply:
    return functions.http("ingest", "POST", "/v2/heartbeats", {"heartbeats": heartbeats}, **key_header(ADMIN_KEY))


def runs(functions: Functions, service_id: int = 1) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = functions.api("GET", f"/v2/services/{service_id}/runs").json["results"]["items"]
    return items


def kinds(database: Database) -> list[str]:
    query = "SELECT kind FROM medic.heartbeat_events ORDER BY received_at, heartbeat_id"
    return [kind for (kind,) in rows(database, query)]


def open_alerts(database: Database) -> list[str]:
    query = "SELECT kind FROM medic.alerts WHERE resolved_at IS NULL ORDER BY kind"
    return [kind for (kind,) in rows(database, query)]


def test_a_named_run_from_start_to_end_and_its_logs(functions: Functions, database: Database) -> None:
    service_id = a_service(database, max_duration_ms=60_000)
    began = now_of(database)
    started = job(functions, f"{service_id}/start", {"run_id": "run-1", "host": "db1"})
    assert (started.status, started.json["results"]) == (
        201,
        {"service_id": service_id, "heartbeat_name": "nightly-backup", "status": "STARTED", "run_id": "run-1"},
    )
    functions.ping(f"{ping_id(database, service_id)}/log", "POST", "without a run of its own")
    time_passes(database, 90 * SECOND)
    ended = job(functions, f"{service_id}/complete", {"run_id": "run-1", "exit_status": 0})
    results = ended.json["results"]
    assert 90_000 <= results["duration_ms"] <= 90_000 + (now_of(database) - began) / MILLISECOND
    assert results["duration_alert"] == {
        "alert_type": "exceeded",
        "max_duration_ms": 60_000,
        "exceeded_by_ms": results["duration_ms"] - 60_000,
    }
    (run,) = runs(functions)
    assert (run["run_id"], run["status"], run["exit_status"]) == ("run-1", "COMPLETED", 0)
    read = functions.api("GET", f"/v2/services/{service_id}/runs/{run['job_run_id']}").json["results"]
    assert [signal["status"] for signal in read["signals"]] == ["STARTED", "COMPLETED"]
    assert json.loads(read["signals"][0]["body"]) == {"run_id": "run-1", "host": "db1"}
    assert functions.api("GET", f"/v2/services/{service_id}/runs?run_id=run-2").json["results"]["items"] == []


def test_a_log_without_a_run_id_belongs_to_the_run_under_way(functions: Functions, database: Database) -> None:
    service_id = a_service(database)
    url = ping_id(database, service_id)
    functions.ping(f"{url}/start", "POST", "begins")
    functions.ping(f"{url}/log", "POST", b"half \xff way\x00")
    functions.ping(f"{url}/3", "POST", "x" * (BODY_LIMIT + 10))
    (run,) = runs(functions)
    read = functions.api("GET", f"/v2/services/{service_id}/runs/{run['job_run_id']}").json["results"]
    assert [(one["status"], one["exit_status"]) for one in read["signals"]] == [
        ("STARTED", None),
        ("LOG", None),
        ("FAILED", 3),
    ]
    assert [one["body"][:20] for one in read["signals"]] == ["begins", "half \ufffd way\x00", "x" * 20]
    assert len(read["signals"][2]["body"]) == BODY_LIMIT
    assert functions.api("GET", f"/v2/services/{service_id}/runs/99").status == 404
    assert functions.api("GET", f"/v2/services/99/runs/{run['job_run_id']}").status == 404


@pytest.mark.parametrize(
    "body", [None, "", "not json", "[1]", "5", '{"run_id": ', b"\xff\xfe", "[" * 30_000, {"other": 1}]
)
@pytest.mark.parametrize("suffix", ["", "/start", "/complete", "/fail"])
def test_a_body_that_says_nothing_is_a_log(functions: Functions, database: Database, suffix: str, body: Any) -> None:
    service_id = a_service(database)
    reply = job(functions, f"{service_id}{suffix}", body)
    assert reply.status == 201
    wanted = {"": "UP", "/start": "STARTED", "/complete": "COMPLETED", "/fail": "FAILED"}[suffix]
    assert (reply.json["results"]["status"], kinds(database)) == (wanted, [wanted])


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"run_id": ""}, "run_id"),
        ({"run_id": "x" * 201}, "run_id"),
        ({"run_id": "x" * 10_000}, "run_id"),
        ({"run_id": "a\nb"}, "run_id"),
        ({"run_id": "a\u0000b"}, "run_id"),
        ({"run_id": 5}, "run_id"),
        ({"run_id": ["a"]}, "run_id"),
        ({"exit_status": "failed"}, "exit_status"),
        ({"exit_status": 256}, "exit_status"),
        ({"exit_status": -1}, "exit_status"),
        ({"exit_status": True}, "exit_status"),
    ],
)
@pytest.mark.parametrize("suffix", ["", "/start", "/complete", "/fail"])
def test_what_is_said_wrongly_is_named_and_nothing_is_written(
    functions: Functions, database: Database, suffix: str, body: Any, named: str
) -> None:
    service_id = a_service(database)
    reply = job(functions, f"{service_id}{suffix}", body)
    assert (reply.status, reply.json["message"].startswith(named)) == (400, True)
    assert (kinds(database), runs(functions)) == ([], [])


@pytest.mark.parametrize("target", ["2", "0", "99999999999999999999", "abc", "", "1/stop", "1/start/x", "-1", "1.5"])
def test_whom_nobody_knows_is_not_found(functions: Functions, database: Database, target: str) -> None:
    a_service(database)
    assert job(functions, target).status == 404
    assert kinds(database) == []


def test_an_inactive_service_takes_no_job_signals(functions: Functions, database: Database) -> None:
    service_id = a_service(database)
    functions.api("POST", "/service/nightly-backup", {"active": 0})
    for suffix in ("", "/start", "/complete", "/fail"):
        assert job(functions, f"{service_id}{suffix}").status == 400
    assert kinds(database) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, "UP"),
        ({"status": "DEGRADED"}, "DEGRADED"),
        ({"exit_status": 0}, "COMPLETED"),
        ({"exit_status": 7}, "FAILED"),
        ({"run_id": "r"}, "COMPLETED"),
        ({"status": "DOWN", "exit_status": 0}, "DOWN"),
    ],
)
def test_the_plain_route_says_what_its_body_says(
    functions: Functions, database: Database, body: dict[str, Any], status: str
) -> None:
    assert job(functions, str(a_service(database)), body).json["results"]["status"] == status
    assert kinds(database) == [status]


def test_runs_overlap_by_their_ids_and_one_without_is_closed_by_one_without(
    functions: Functions, database: Database
) -> None:
    service_id = a_service(database)
    for run_id in ("a", "b"):
        job(functions, f"{service_id}/start?run_id={run_id}")
    unnamed = job(functions, f"{service_id}/start").json["results"]["run_id"]
    assert job(functions, f"{service_id}/complete", {"run_id": "b"}).json["results"]["run_id"] == "b"
    assert job(functions, f"{service_id}/complete").json["results"]["run_id"] == unnamed
    assert job(functions, f"{service_id}/fail", {"run_id": "a"}).status == 201
    assert {run["run_id"]: run["status"] for run in runs(functions)} == {
        "a": "FAILED",
        "b": "COMPLETED",
        unnamed: "COMPLETED",
    }


def test_an_end_before_its_start_an_end_twice_and_a_start_twice(functions: Functions, database: Database) -> None:
    service_id = a_service(database)
    early = job(functions, f"{service_id}/complete", {"run_id": "r"}).json["results"]
    assert early["duration_ms"] == 0
    assert "duration_ms" not in job(functions, f"{service_id}/fail", {"run_id": "r"}).json["results"]
    for _ in range(2):
        assert job(functions, f"{service_id}/start", {"run_id": "s"}).status == 201
    (second, first) = runs(functions)
    assert (first["run_id"], first["status"], first["duration_ms"]) == ("r", "COMPLETED", 0)
    assert (second["run_id"], second["status"], second["duration_ms"]) == ("s", "STARTED", None)
    assert open_alerts(database) == []


def test_without_a_database_a_job_signal_waits_with_its_own_time(functions: Functions, database: Database) -> None:
    service_id = a_service(database)
    functions.heartbeat({"heartbeat_name": "nightly-backup", "status": "UP"})
    with away(functions.module("ingest").DATABASE):
        assert job(functions, f"{service_id}/start", {"run_id": "r"}).status == 202
    assert functions.replay_spool() == 1
    assert [(run["run_id"], run["status"]) for run in runs(functions)] == [("r", "STARTED")]


def test_a_batch_is_one_statement_and_answers_item_by_item(functions: Functions, database: Database) -> None:
    ids = [a_service(database, f"s{number}") for number in range(5)]
    batch(functions, *({"service_id": service_id, "status": "UP"} for service_id in ids))
    before = dict(rows(database, "SELECT service_id, alert_after FROM medic.service_state"))
    statements = watch_statements(functions.module("ingest").DATABASE)
    reply = batch(
        functions,
        {"heartbeat_name": "S0", "status": "UP"},
        {"service_id": ids[1], "status": "UP"},
        {"heartbeat_name": "s2", "status": "UP"},
        {"heartbeat_name": "s2", "status": "UP"},
    )
    assert len(statements) == 1
    assert (reply.status, reply.json["results"]["succeeded"], reply.json["results"]["failed"]) == (200, 4, 0)
    assert reply.json["results"]["items"][0] == {
        "index": 0,
        "success": True,
        "message": "",
        "service_id": ids[0],
        "heartbeat_name": "s0",
        "status": "UP",
        "run_id": None,
    }
    after = dict(rows(database, "SELECT service_id, alert_after FROM medic.service_state"))
    assert [after[service_id] > before[service_id] for service_id in ids] == [True, True, True, False, False]
    assert len(kinds(database)) == 9


def test_each_signal_of_a_batch_is_taken_or_not_by_itself(functions: Functions, database: Database) -> None:
    up, off = a_service(database, "up"), a_service(database, "off")
    functions.api("POST", "/service/off", {"active": 0})
    reply = batch(
        functions,
        {"service_id": up, "status": "STARTED", "run_id": "r"},
        {"heartbeat_name": "nobody", "status": "UP"},
        {"service_id": off, "status": "UP"},
        {"service_id": up, "status": "COMPLETED", "run_id": "r"},
        "text",
        {"service_id": up, "heartbeat_name": "up", "status": "UP"},
        {"status": "UP"},
        {"service_id": up},
        {"service_id": up, "status": "up"},
        {"service_id": True, "status": "UP"},
        {"service_id": 0, "status": "UP"},
        {"service_id": up, "status": "UP", "other": 1},
        {"service_id": up, "status": "UP", "run_id": ""},
        {"heartbeat_name": "a\u0000b", "status": "UP"},
        {"service_id": 999, "status": "UP"},
    )
    items = reply.json["results"]["items"]
    assert [item["success"] for item in items] == [True, False, False, True, *[False] * 11]
    said = ["", "registered", "inactive", "", "JSON object", "either", "either", "status", "status", "service_id"]
    said += ["service_id", "'other'", "run_id", "heartbeat_name", "No service"]
    assert [word in item["message"] for word, item in zip(said, items, strict=True)] == [True] * 15
    assert kinds(database) == ["STARTED", "COMPLETED"]
    assert items[3]["duration_ms"] >= 0


@pytest.mark.parametrize(
    "body",
    [
        {"heartbeats": []},
        {"heartbeats": [{"heartbeat_name": "a", "status": "UP"}] * 501},
        {"heartbeats": {}},
        {"heartbeats": None},
        {},
        {"heartbeats": [1], "other": 1},
        "nonsense",
        None,
        [1],
    ],
)
def test_what_is_no_batch_is_refused_whole(functions: Functions, database: Database, body: Any) -> None:
    reply = functions.http("ingest", "POST", "/v2/heartbeats", body, **key_header(ADMIN_KEY))
    assert reply.status == 400
    assert "heartbeats" in reply.json["message"] or "JSON object" in reply.json["message"]


def test_a_batch_that_is_too_long_is_refused(functions: Functions) -> None:
    reply = functions.http("ingest", "POST", "/v2/heartbeats", " " * 1_000_001, **key_header(ADMIN_KEY))
    assert reply.status == 413


def test_the_largest_batch_with_the_longest_names_is_taken(functions: Functions, database: Database) -> None:
    name = "ü" * 200
    a_service(database, name)
    reply = batch(functions, *[{"heartbeat_name": name, "status": "UP"}] * 500)
    assert reply.json["results"]["succeeded"] == 500
    assert len(kinds(database)) == 500


@pytest.mark.parametrize("threshold", [1, 3, 5])
def test_a_batch_leaves_what_single_heartbeats_would_have_left(
    functions: Functions, database: Database, threshold: int
) -> None:
    for name in ("single", "batched"):
        a_service(database, name, threshold=threshold)
        functions.heartbeat({"heartbeat_name": name, "status": "UP"})
    time_passes(database, 10 * SECOND)
    for _ in range(3):
        functions.heartbeat({"heartbeat_name": "single", "status": "UP"})
    batch(functions, *[{"heartbeat_name": "batched", "status": "UP"}] * 3)
    # Those that are kept are the newest, and the deadline counts from the oldest of them.
    query = """SELECT cardinality(recent_heartbeats), alert_after - recent_heartbeats[%(threshold)s],
                      recent_heartbeats[:4] = ARRAY(SELECT received_at FROM medic.heartbeat_events e
                                                     WHERE e.service_id = st.service_id
                                                     ORDER BY received_at DESC LIMIT %(threshold)s)
                 FROM medic.service_state st ORDER BY service_id"""
    assert rows(database, query, threshold=threshold) == [(threshold, MINUTE, True)] * 2


def test_a_batch_without_a_database_waits_whole_and_comes_in_once(functions: Functions, database: Database) -> None:
    for name in ("a", "b"):
        a_service(database, name)
        functions.heartbeat({"heartbeat_name": name, "status": "UP"})
    with away(functions.module("ingest").DATABASE):
        reply = batch(functions, {"heartbeat_name": "a", "status": "UP"}, {"heartbeat_name": "b", "status": "DOWN"}, 5)
    assert (reply.status, reply.json["results"]["succeeded"], reply.json["results"]["failed"]) == (202, 2, 1)
    assert functions.replay_spool() == 2
    assert sorted(kinds(database)) == ["DOWN", "UP", "UP", "UP"]


@pytest.mark.parametrize("key", [None, "mdk_nobody_" + "x" * 43])
def test_strangers_may_neither_batch_nor_signal(functions: Functions, database: Database, key: str | None) -> None:
    service_id = a_service(database)
    for path in ("/v2/heartbeats", f"/v2/heartbeat/{service_id}/start"):
        assert functions.http("ingest", "POST", path, {"heartbeats": []}, **key_header(key)).status == 401
    assert kinds(database) == []


def test_other_methods_are_told_which_there_are(functions: Functions) -> None:
    for path in ("/v2/heartbeats", "/v2/heartbeat/1/start"):
        reply = functions.api("GET", path)
        assert (reply.status, reply.headers["Allow"]) == (405, "POST")


def test_a_repeated_spooled_signal_of_a_service_by_its_number_is_known(
    functions: Functions, database: Database
) -> None:
    from medic_core.adapters.spool import from_text, to_text  # noqa: PLC0415
    from medic_core.domain.watching.signals import ById, Signal, SignalKind  # noqa: PLC0415

    signal = Signal(uuid4(), ById(7), SignalKind.STARTED, run_id="r", received_at=now_of(database))
    assert from_text(to_text(signal)) == (signal, None)
