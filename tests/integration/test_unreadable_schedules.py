"""Heartbeats of a service whose schedule nobody can read any more: heard, acknowledged, and watched on by the hour."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from medic_core.flows.sweep import sweep
from medic_core.store.connection import Database
from tests.builders import a_service, away, hears, loses_its_zone, ping_id, rows, time_passes, watch_statements
from tests.fixtures.functions import ADMIN_KEY, Functions, key_header
from tests.fixtures.routing import MINUTE
from tests.fixtures.written import Written

CADENCE = timedelta(seconds=60)
HOUR = timedelta(hours=1)
EVERY_MINUTE = {"every_seconds": None, "cron_expression": "* * * * *", "timezone": "Europe/Berlin"}
WAITED_FOR = """
    SELECT alert_after - last_heartbeat_at FROM medic.service_state JOIN medic.services USING (service_id)
     WHERE heartbeat_name = 'of-mars'
"""
BECAUSE = "'* * * * *' in 'Mars/Olympus' cannot be read: No time zone found with key Mars/Olympus"
HEARD = "SELECT kind FROM medic.heartbeat_events ORDER BY received_at, heartbeat_id"
OPEN = "SELECT kind FROM medic.alerts WHERE resolved_at IS NULL ORDER BY kind"

Sending = Callable[[Functions, Database], int]


def of_mars(database: Database, **more: Any) -> int:
    """A service that was heard, and then lost its zone."""
    service_id = a_service(database, "of-mars", **(EVERY_MINUTE | more))
    hears(database, "of-mars")
    loses_its_zone(database, "services", "of-mars")
    return service_id


def job(functions: Functions, target: str, body: Any = None) -> int:
    return functions.http("ingest", "POST", f"/v2/{target}", body, **key_header(ADMIN_KEY)).status


def by_name(functions: Functions, _: Database) -> int:
    return functions.heartbeat({"heartbeat_name": "of-mars", "status": "UP"}).status


def by_ping(functions: Functions, database: Database) -> int:
    return functions.ping(str(ping_id(database, 1))).status


def by_a_run(functions: Functions, _: Database) -> int:
    assert job(functions, "heartbeat/1/start", {"run_id": "r"}) == 201
    return job(functions, "heartbeat/1/complete", {"run_id": "r"})


def by_a_run_that_fails(functions: Functions, _: Database) -> int:
    assert job(functions, "heartbeat/1/fail") == 201
    return job(functions, "heartbeat/1/complete")


def in_a_batch(functions: Functions, _: Database) -> int:
    several = [{"heartbeat_name": name, "status": "UP"} for name in ("of-mars", "of-earth", "of-mars")]
    return job(functions, "heartbeats", {"heartbeats": several})


def through_the_spool(functions: Functions, database: Database) -> int:
    with away(functions.module("ingest").DATABASE):
        accepted = by_ping(functions, database)
    assert functions.replay_spool() == 1
    return accepted


def after_a_pause(functions: Functions, database: Database) -> int:
    assert functions.api("POST", "/v2/services/1/pause", {"resume_on_heartbeat": True}).status == 200
    return by_name(functions, database)


@pytest.mark.parametrize(
    "sending", [by_name, by_ping, by_a_run, by_a_run_that_fails, in_a_batch, through_the_spool, after_a_pause]
)
def test_it_is_heard_whichever_way_it_comes_and_awaited_within_an_hour(
    functions: Functions, database: Database, written: Written, sending: Sending
) -> None:
    of_mars(database)
    a_service(database, "of-earth", **EVERY_MINUTE)
    time_passes(database, MINUTE / 2)
    before = len(rows(database, HEARD))
    assert sending(functions, database) in {200, 201}
    assert len(rows(database, HEARD)) > before
    assert rows(database, WAITED_FOR) == [(HOUR,)]
    said = [one for one in written.lines if one["message"].startswith("a schedule that cannot be read")]
    assert {(one["level"], one["heartbeat_name"], one["because"]) for one in said} == {("WARNING", "of-mars", BECAUSE)}


def test_an_ordinary_one_costs_what_it_costs_any_cron_schedule(functions: Functions, database: Database) -> None:
    of_mars(database)
    by_name(functions, database)
    statements = watch_statements(functions.module("ingest").DATABASE)
    assert by_name(functions, database) == 201
    assert len(statements) == 2


def test_a_crowd_of_them_is_said_once_a_second(functions: Functions, database: Database, written: Written) -> None:
    of_mars(database)
    began = time.monotonic()
    for _ in range(50):
        assert by_name(functions, database) == 201
    lines = [one for one in written.lines if one["message"].startswith("a schedule that cannot be read")]
    assert 1 <= len(lines) <= time.monotonic() - began + 1


def test_its_silence_is_told_with_the_reason_and_ends_when_it_is_heard(
    functions: Functions, database: Database
) -> None:
    of_mars(database)
    assert by_name(functions, database) == 201
    time_passes(database, HOUR - MINUTE)
    assert sweep(database, 0, CADENCE).opened == 0
    time_passes(database, 2 * MINUTE)
    assert sweep(database, 0, CADENCE).opened == 1
    ((because,),) = rows(database, "SELECT because FROM medic.alerts")
    print(f"\n{because}")
    assert because.endswith(f"its schedule {BECAUSE}")
    assert by_name(functions, database) == 201
    assert (rows(database, OPEN), rows(database, WAITED_FOR)) == ([], [(HOUR,)])


def test_what_explains_it_says_what_will_happen(functions: Functions, database: Database) -> None:
    of_mars(database)
    assert by_name(functions, database) == 201
    found = functions.api("GET", "/v2/services/1/explain").json["results"]["explanation"]
    assert found["because"][0] == f"Its schedule {BECAUSE}."
    assert found["arithmetic"][0]["text"] == "Expected every 1 h."
    assert [line["at"] for line in found["arithmetic"][1:]] == [found["deadline_at"]]


def test_a_run_that_is_under_way_extends_the_hour(functions: Functions, database: Database) -> None:
    of_mars(database, max_duration_ms=2 * 3_600_000)
    assert job(functions, "heartbeat/1/start") == 201
    ((left,),) = rows(database, "SELECT alert_after - now() FROM medic.service_state")
    assert 2 * HOUR - MINUTE < left <= 2 * HOUR


def test_people_can_go_on_with_it(functions: Functions, database: Database) -> None:
    of_mars(database)
    for action in ("pause", "resume"):
        assert functions.api("POST", f"/v2/services/1/{action}", {}).status == 200
    assert rows(database, "SELECT alert_after - now() > interval '59 minutes' FROM medic.service_state") == [(True,)]
    time_passes(database, 61 * MINUTE)
    assert sweep(database, 0, CADENCE).opened == 1
    ((alert_id,),) = rows(database, "SELECT alert_id FROM medic.alerts")
    assert functions.api("POST", f"/v2/alerts/{alert_id}/resolve", {}).status == 200
    assert functions.api("PATCH", "/v2/services/1", {"grace_period_seconds": 60}).status == 200
    assert rows(database, OPEN) == []
    assert functions.heartbeat({"heartbeat_name": "of-mars", "status": "DOWN"}).status == 201
    assert rows(database, OPEN) == [("reported_down",)]


def test_maintenance_that_ends_early_leaves_it_watched(functions: Functions, database: Database) -> None:
    of_mars(database)
    made = functions.api("POST", "/v2/services/1/silence", {"minutes": 120})
    assert made.status == 201
    time_passes(database, 61 * MINUTE)
    assert sweep(database, 0, CADENCE).opened == 0
    window = made.json["results"]["window_id"]
    assert functions.api("DELETE", f"/v2/maintenance-windows/{window}").status in {200, 204}
    assert sweep(database, 0, CADENCE).opened == 1
