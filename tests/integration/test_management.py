"""The management API, through the function's own handler."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from medic_core.adapters import hashing
from medic_core.domain.access.api_keys import Scope
from medic_core.flows.sweep import sweep
from medic_core.store import api_keys
from medic_core.store.connection import Database
from tests.builders import a_service, away, hears, rows
from tests.fixtures.functions import Functions

SERVICE = {"heartbeat_name": "nightly-backup", "service_name": "Nightly backup", "alert_interval": 1}
NEW = {"heartbeat_name": "worker", "schedule": {"kind": "interval", "every_seconds": 30}}


def a_key(database: Database, scope: Scope) -> str:
    with database.transaction() as tx:
        api_keys.ensure(tx, f"test{scope}", f"a {scope} key", hashing.hashed("k" * 43), {scope})
    return f"mdk_test{scope}_{'k' * 43}"


def services(database: Database) -> list[tuple[Any, ...]]:
    return rows(database, "SELECT heartbeat_name, every_seconds, threshold FROM medic.services ORDER BY service_id")


def test_v1_registers_once_and_says_so_again(functions: Functions, database: Database) -> None:
    assert functions.api("POST", "/service", SERVICE).status == 201
    again = functions.api("POST", "/service", {**SERVICE, "heartbeat_name": "NIGHTLY-BACKUP"})
    assert (again.status, again.json["success"]) == (200, True)
    assert services(database) == [("nightly-backup", 60, 1)]


def test_v1_defaults_and_environment(functions: Functions, database: Database) -> None:
    functions.api("POST", "/service", {**SERVICE, "environment": "prod", "unknown": "ignored"})
    (found,) = functions.api("GET", "/service/PROD-nightly-backup").json["results"]
    expected = {"team": "site-reliability", "priority": "p3", "threshold": 1, "muted": 0, "active": 1, "down": 0}
    assert {name: found[name] for name in expected} == expected
    assert found["heartbeat_name"] == "prod-nightly-backup"
    assert found["ping_url"].startswith("http://medic.test/ping/")
    assert functions.api("GET", "/service/nobody").json["results"] == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"heartbeat_name": None}, "heartbeat_name"),
        ({"heartbeat_name": "x" * 201}, "heartbeat_name"),
        ({"heartbeat_name": "a\tb"}, "heartbeat_name"),
        ({"service_name": 3}, "service_name"),
        ({"alert_interval": 0}, "alert_interval"),
        ({"alert_interval": -5}, "alert_interval"),
        ({"alert_interval": 1.5}, "alert_interval"),
        ({"alert_interval": "1"}, "alert_interval"),
        ({"alert_interval": True}, "alert_interval"),
        ({"alert_interval": 10**30}, "alert_interval"),
        ({"alert_interval": float("inf")}, "alert_interval"),
        ({"alert_interval": float("nan")}, "alert_interval"),
        ({"threshold": 0}, "threshold"),
        ({"threshold": 10**9}, "threshold"),
        ({"threshold": "2"}, "threshold"),
        ({"team": ""}, "team"),
        ({"team": ["a"]}, "team"),
        ({"priority": "p9"}, "priority"),
        ({"priority": 1}, "priority"),
        ({"runbook": "x" * 3000}, "runbook"),
        ({"runbook": 5}, "runbook"),
        ({"environment": 5}, "environment"),
    ],
)
def test_v1_refuses_what_it_cannot_mean(
    functions: Functions, database: Database, change: dict[str, Any], named: str
) -> None:
    reply = functions.api("POST", "/service", {**SERVICE, **change})
    assert (reply.status, named in reply.json["message"]) == (400, True)
    assert services(database) == []


@pytest.mark.parametrize("missing", ["heartbeat_name", "service_name", "alert_interval"])
def test_v1_names_what_is_missing(functions: Functions, missing: str) -> None:
    reply = functions.api("POST", "/service", {name: value for name, value in SERVICE.items() if name != missing})
    assert (reply.status, reply.json["message"]) == (400, f"{missing} is required.")


@pytest.mark.parametrize("body", [None, "", "{", "[]", b"\xff", '"text"'])
@pytest.mark.parametrize("path", ["/service", "/service/nightly-backup", "/v2/services"])
def test_bad_bodies_are_no_tracebacks(functions: Functions, path: str, body: Any) -> None:
    functions.api("POST", "/service", SERVICE)
    reply = functions.api("POST", path, body)
    assert (reply.status, reply.json["success"], reply.json["results"]) == (400, False, "")


def test_v1_changes_each_field(functions: Functions, database: Database) -> None:
    functions.api("POST", "/service", SERVICE)
    change = {
        "service_name": "B",
        "alert_interval": 5,
        "threshold": 2,
        "team": "data",
        "priority": "P1",
        "runbook": "r",
    }
    assert functions.api("POST", "/service/Nightly-Backup", {**change, "muted": 1}).status == 200
    (found,) = functions.api("GET", "/service/nightly-backup").json["results"]
    assert {name: found[name] for name in change} == {**change, "priority": "p1"}
    assert (found["muted"], found["date_muted"] is not None) == (1, True)
    functions.api("POST", "/service/nightly-backup", {"muted": 0})
    assert functions.api("GET", "/service/nightly-backup").json["results"][0]["muted"] == 0


def test_v1_changes_of_nobody_are_not_found(functions: Functions) -> None:
    assert functions.api("POST", "/service/nobody", {"muted": 1}).status == 404


@pytest.mark.parametrize(
    "change", [{"active": 7}, {"muted": "1"}, {"down": None}, {"priority": "zzz"}, {"active": 0.5}]
)
def test_v1_refuses_flags_that_are_none(functions: Functions, change: dict[str, Any]) -> None:
    functions.api("POST", "/service", SERVICE)
    assert functions.api("POST", "/service/nightly-backup", change).status == 400


def test_a_person_may_say_that_it_is_down_and_up_again(functions: Functions, database: Database) -> None:
    functions.api("POST", "/service", SERVICE)
    functions.api("POST", "/service/nightly-backup", {"down": 1})
    (alert,) = functions.api("GET", "/alerts?active=1").json["results"]
    assert (alert["kind"], alert["active"], alert["heartbeat_name"]) == ("reported_down", 1, "nightly-backup")
    functions.api("POST", "/service/nightly-backup", {"down": 0})
    assert functions.api("GET", "/alerts?active=1").json["results"] == []
    assert len(functions.api("GET", "/alerts?active=0").json["results"]) == 1
    assert len(functions.api("GET", "/alerts").json["results"]) == 1


def test_heartbeats_are_listed_newest_first(functions: Functions, database: Database) -> None:
    for name in ("a", "b"):
        a_service(database, name)
        hears(database, name)
    everyone = functions.api("GET", "/heartbeat").json["results"]
    assert [row["heartbeat_name"] for row in everyone] == ["b", "a"]
    only = functions.api("GET", "/heartbeat?heartbeat_name=A&maxCount=5").json["results"]
    assert [(row["heartbeat_name"], row["status"]) for row in only] == [("a", "UP")]


@pytest.mark.parametrize(
    "target",
    [
        "/alerts?active=2",
        "/alerts?active=x",
        "/service?active=yes",
        "/service?limit=-1",
        "/heartbeat?maxCount=-1",
        "/heartbeat?maxCount=abc",
        "/heartbeat?heartbeat_name=%00",
        "/v2/services?cursor=-5",
        "/v2/services?limit=0",
        "/v2/services?cursor=" + "9" * 500,
        "/v2/services/abc",
        "/v2/services/" + "9" * 30,
    ],
)
def test_bad_queries_are_refused(functions: Functions, target: str) -> None:
    reply = functions.api("GET", target)
    assert (reply.status, reply.json["success"]) == (400, False)


def test_v2_registers_reads_lists_and_changes(functions: Functions, database: Database) -> None:
    wanted = {**NEW, "team": "data", "grace_period_seconds": 5, "ping_filter": {"post_only": True}}
    created = functions.api("POST", "/v2/services", wanted)
    service = created.json["results"]
    assert (created.status, service["status"], service["schedule"]["every_seconds"]) == (201, "new", 30)
    path = f"/v2/services/{service['service_id']}"
    assert functions.api("GET", path).json["results"] == service
    changed = functions.api("PATCH", path, {"schedule": {"every_seconds": 10, "threshold": 2}, "priority": "p1"})
    assert changed.status == 200
    assert changed.json["results"]["schedule"] == {"kind": "interval", "every_seconds": 10, "threshold": 2}
    assert changed.json["results"]["ping_filter"]["post_only"] is True
    listed = functions.api("GET", "/v2/services?limit=1").json["results"]
    assert (len(listed["items"]), listed["has_more"]) == (1, False)
    assert functions.api("POST", "/v2/services", NEW).status == 409
    assert functions.api("GET", "/v2/services/999999").status == 404


def test_v2_pages_through_many(functions: Functions, database: Database) -> None:
    for number in range(5):
        a_service(database, f"s{number}")
    seen, after = [], ""
    while after is not None:
        page = functions.api("GET", f"/v2/services?limit=2{after}").json["results"]
        seen += [item["heartbeat_name"] for item in page["items"]]
        after = f"&cursor={page['cursor']}" if page["has_more"] else None
    assert seen == [f"s{number}" for number in range(5)]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"heartbeat_name": 5}, "heartbeat_name"),
        ({"schedule": {"every_seconds": 9}}, "schedule.every_seconds"),
        ({"schedule": {"every_seconds": "30"}}, "schedule.every_seconds"),
        ({"schedule": {"every_seconds": 30, "threshold": 0}}, "schedule.threshold"),
        ({"schedule": {"kind": "cron", "every_seconds": 30}}, "schedule.expression"),
        ({"schedule": {"kind": "weekly", "every_seconds": 30}}, "schedule: kind must be one of interval, cron"),
        ({"schedule": {"kind": "cron", "expression": "* * * * * *"}}, "schedule.expression: must have five fields"),
        ({"schedule": {"kind": "cron", "expression": "0 0 31 2 *"}}, "schedule.expression: never comes"),
        ({"schedule": {"kind": "cron", "expression": "61 * * * *"}}, "schedule.expression: is no cron expression"),
        ({"schedule": {"kind": "cron", "expression": "0," * 10_000 + "1 * * * *"}}, "schedule.expression"),
        ({"schedule": {"kind": "cron", "expression": "H 2 * * *"}}, "schedule.expression: must not leave"),
        (
            {"schedule": {"kind": "cron", "expression": "@daily", "timezone": "CST"}},
            "schedule.timezone: must be a place",
        ),
        ({"schedule": {"kind": "cron", "expression": "@daily", "timezone": "Mars/Olympus"}}, "schedule.timezone"),
        ({"schedule": {"kind": "cron", "expression": "@daily", "timezone": "../../etc/passwd"}}, "schedule.timezone"),
        ({"schedule": {"kind": "cron", "expression": "@daily", "threshold": 2}}, "schedule.threshold"),
        (
            {"schedule": {"kind": "cron", "expression": "@daily", "early_tolerance_seconds": -1}},
            "schedule.early_tolerance_seconds",
        ),
        ({"flapping": {"max_changes": 1}}, "flapping.max_changes"),
        ({"flapping": {"window_seconds": 5}}, "flapping.window_seconds"),
        ({"schedule": None}, "schedule"),
        ({"unknown": 1}, "unknown"),
        ({"grace_period_seconds": -1}, "grace_period_seconds"),
        ({"failure_tolerance": 0}, "failure_tolerance"),
        ({"max_duration_ms": 0}, "max_duration_ms"),
        ({"priority": "p0"}, "priority"),
        ({"ping_filter": {"unmatched": "explode"}}, "ping_filter.unmatched"),
        ({"ping_filter": {"success_keywords": [""]}}, "ping_filter.success_keywords.0"),
        ({"runbook": "a\u0000b"}, "runbook"),
    ],
)
def test_v2_names_the_field(functions: Functions, database: Database, change: dict[str, Any], named: str) -> None:
    reply = functions.api("POST", "/v2/services", {**NEW, **change})
    assert (reply.status, named in reply.json["message"]) == (400, True)
    assert services(database) == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/v2/nothing", 404),
        ("DELETE", "/service", 405),
        ("PUT", "/service/x", 405),
        ("POST", "/alerts", 405),
        ("PATCH", "/health", 405),
        ("BREW", "/service", 405),
    ],
)
def test_what_does_not_exist_is_said_in_the_envelope(functions: Functions, method: str, path: str, status: int) -> None:
    reply = functions.api(method, path)
    assert (reply.status, reply.json["success"]) == (status, False)


@pytest.mark.parametrize(
    ("scope", "reads", "writes", "beats"),
    [
        (Scope.HEARTBEAT, 403, 403, 201),
        (Scope.READ, 200, 403, 403),
        (Scope.WRITE, 403, 201, 201),
        (Scope.ADMIN, 200, 201, 201),
    ],
)
def test_a_key_may_do_what_its_scope_says(
    functions: Functions, database: Database, scope: Scope, reads: int, writes: int, beats: int
) -> None:
    key = a_key(database, scope)
    a_service(database, "worker-0")
    assert functions.api("GET", "/service", key=key).status == reads
    assert functions.api("POST", "/service", SERVICE, key=key).status == writes
    assert functions.heartbeat({"heartbeat_name": "worker-0", "status": "UP"}, key).status == beats


@pytest.mark.parametrize("path", ["/service", "/alerts", "/heartbeat", "/v2/services", "/v2/teams"])
def test_nothing_is_read_without_a_key(functions: Functions, path: str) -> None:
    assert functions.api("GET", path, key=None).status == 401


def test_health_is_open_and_says_what_is_not_configured(functions: Functions, database: Database) -> None:
    sweep(database, 0, timedelta(seconds=15))
    whole = functions.api("GET", "/health", key=None)
    assert (whole.status, whole.json["status"]) == (200, "healthy")
    assert whole.json["components"]["slack"]["status"] == "not_configured"
    assert [functions.api("GET", f"/health/{part}", key=None).status for part in ("live", "ready")] == [200, 200]
    network = functions.api("GET", "/v1/healthcheck/network", key=None)
    assert (network.status, network.body) == (204, "")


@pytest.mark.parametrize(
    ("what", "component", "status"),
    [
        ("UPDATE medic.monitor_state SET last_sweep_at = now() - interval '2 minutes'", "monitor", "healthy"),
        ("UPDATE medic.monitor_state SET last_sweep_at = now() - interval '4 minutes'", "monitor", "unhealthy"),
        ("UPDATE public._yoyo_migration SET applied_at_utc = now() AT TIME ZONE 'UTC'", "monitor", "not_yet"),
        ("UPDATE public._yoyo_migration SET applied_at_utc = now() - interval '1 day'", "monitor", "unhealthy"),
        ("DELETE FROM public._yoyo_migration WHERE migration_id > '0004'", "migrations", "unhealthy"),
        (
            "UPDATE public._yoyo_migration SET migration_id = '9999.later' WHERE migration_id LIKE '0005%%'",
            "migrations",
            "healthy",
        ),
    ],
)
def test_health_sees_a_monitor_that_stopped_and_a_schema_that_is_behind(
    functions: Functions, database: Database, what: str, component: str, status: str
) -> None:
    if "_yoyo" not in what or component == "migrations":
        sweep(database, 0, timedelta(seconds=15))
    with database.transaction() as tx:
        tx.execute(what)
    reply = functions.api("GET", "/health", key=None)
    assert reply.json["components"][component]["status"] == status
    assert (reply.status, reply.json["status"]) == ((503, "unhealthy") if status == "unhealthy" else (200, "healthy"))
    assert functions.api("GET", "/health/ready", key=None).status == (
        503 if reply.status == 503 and component == "migrations" else 200
    )


def test_health_sees_a_queue_that_is_away(
    functions: Functions, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep(database, 0, timedelta(seconds=15))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    reply = functions.api("GET", "/health", key=None)
    assert (reply.status, reply.json["components"]["queue"]["status"]) == (503, "unhealthy")


def test_a_database_that_is_away_is_a_503_with_retry_after(
    functions: Functions,
) -> None:
    functions.api("GET", "/service")
    with away(functions.module("door").DATABASE):
        reply = functions.api("GET", "/service")
        assert (reply.status, reply.headers["Retry-After"], reply.json["success"]) == (503, "5", False)
        assert functions.api("GET", "/health", key=None).status == 503
        assert functions.api("GET", "/health/ready", key=None).status == 503
        assert functions.api("GET", "/health/live", key=None).status == 200
