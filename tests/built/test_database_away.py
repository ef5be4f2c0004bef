"""Postgres restarts, hangs, or can only be read: what was built goes on, and nothing is lost or doubled."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from medic_core.store.connection import Database
from tests.builders import a_service, rows
from tests.built.conftest import Account
from tests.built.driving import Start, a_beat, ask, beat, milliseconds, take, until
from tests.fixtures.aws import QueueOnEmulator
from tests.fixtures.functions import as_record
from tests.fixtures.postgres import PostgresServer

HEARD = "SELECT received_at FROM medic.heartbeat_events ORDER BY received_at"
READ_ONLY = "ALTER SYSTEM SET default_transaction_read_only = on"
WRITABLE = "ALTER SYSTEM RESET default_transaction_read_only"
NEW_SERVICE = {"heartbeat_name": "another", "service_name": "another", "alert_interval": 5}


@pytest.fixture
def database_url(own_database_url: str) -> str:
    return own_database_url


def fail_over(account: Account, how: str) -> None:
    """The server changes its role, and its connections are cut."""
    with psycopg.connect(account.database_url, autocommit=True) as admin:
        admin.execute(how)  # type: ignore[call-overload]
        admin.execute("SELECT pg_reload_conf()")
    account.cut_connections()


def is_read_only(account: Account) -> bool:
    """Who connects now hears so; those that were there are told before anybody else is let in."""
    with psycopg.connect(account.database_url) as anew:
        return anew.execute("SHOW default_transaction_read_only").fetchone() == ("on",)


def heard(database: Database) -> list[datetime]:
    return [at for (at,) in rows(database, HEARD)]


def spooled_while(count: int, function: Any) -> list[datetime]:
    """Post heartbeats that must be spooled; when the gateway received them."""
    moments = []
    for _ in range(count):
        moments.append(milliseconds(datetime.now(UTC)))
        assert beat(function, moments[-1]) == 202
    return moments


def replayed_twice(start: Start, spool: QueueOnEmulator) -> int:
    """Bring the spool in, and once more what was in it; how many there were."""
    replay = start("ReplayFunction")
    records = take(replay, spool)
    assert replay.invoke({"Records": records}).payload == {"batchItemFailures": []}
    return len(records)


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_a_restart_loses_and_doubles_nothing(
    how: str, start: Start, database: Database, own_server: PostgresServer, queues: dict[str, Any]
) -> None:
    a_service(database)
    heartbeat, management = start("HeartbeatFunction"), start("ManagementFunction")
    assert (beat(heartbeat), ask(management, "GET", "/v2/services")["statusCode"]) == (201, 200)
    own_server.stop(how)
    moments = spooled_while(5, heartbeat)
    assert ask(management, "GET", "/v2/services")["statusCode"] == 503
    own_server.start()
    seconds = until(lambda: ask(management, "GET", "/v2/services")["statusCode"] == 200)
    late = []
    while beat(heartbeat, at := milliseconds(datetime.now(UTC))) != 201:
        late.append(at)
    print(f"after a {how} restart: management after {seconds:.1f} s, {len(late)} more heartbeats spooled")
    assert replayed_twice(start, queues["MEDIC_SPOOL_URL"]) == len(moments + late)
    found = heard(database)
    assert len(found) == len(moments + late) + 2
    assert set(moments + late) <= set(found)
    assert len(heartbeat.init_milliseconds) == len(management.init_milliseconds) == 1


def test_while_it_can_only_be_read_heartbeats_wait_and_changes_are_refused(
    start: Start, database: Database, account: Account, queues: dict[str, Any]
) -> None:
    a_service(database)
    heartbeat, management = start("HeartbeatFunction"), start("ManagementFunction")
    monitor = start("MonitorFunction", MEDIC_SWEEP_SECONDS="60")
    assert (beat(heartbeat), ask(management, "GET", "/v2/services")["statusCode"]) == (201, 200)
    fail_over(account, READ_ONLY)
    moments = spooled_while(3, heartbeat)
    refused = ask(management, "POST", "/service", NEW_SERVICE)
    assert (refused["statusCode"], refused["headers"]["Retry-After"]) == (503, "5")
    assert "try again" in refused["body"]
    assert ask(management, "GET", "/v2/services")["statusCode"] == 200, "what only reads goes on"
    assert monitor.invoke({}).payload["held"] == "the database is away"
    fail_over(account, WRITABLE)
    assert beat(heartbeat) == 201
    assert ask(management, "POST", "/service", NEW_SERVICE)["statusCode"] == 201
    assert replayed_twice(start, queues["MEDIC_SPOOL_URL"]) == len(moments)
    assert len(heard(database)) == len(moments) + 2
    assert set(moments) <= set(heard(database))


def test_a_connection_that_finds_its_server_read_only_is_made_anew(
    start: Start, database: Database, account: Account
) -> None:
    """The former writer keeps its connections: who stays on one would be refused for ever."""
    a_service(database)
    heartbeat = start("HeartbeatFunction")
    assert beat(heartbeat) == 201
    pids = "SELECT pid FROM pg_stat_activity WHERE usename = %(role)s AND application_name = 'medic'"
    before = rows(database, pids, role=account.role)
    with psycopg.connect(account.database_url, autocommit=True) as admin:
        admin.execute(READ_ONLY)
        admin.execute("SELECT pg_reload_conf()")
        until(lambda: is_read_only(account))
        assert beat(heartbeat) == 202
        admin.execute(WRITABLE)
        admin.execute("SELECT pg_reload_conf()")
    assert beat(heartbeat) == 201
    after = rows(database, pids, role=account.role)
    assert (len(before), len(after), set(before) & set(after)) == (1, 1, set())


def test_a_spool_that_is_replayed_while_it_can_only_be_read_waits_on(
    start: Start, database: Database, account: Account, queues: dict[str, Any]
) -> None:
    a_service(database)
    heartbeat, replay = start("HeartbeatFunction"), start("ReplayFunction")
    assert beat(heartbeat) == 201
    fail_over(account, READ_ONLY)
    assert beat(heartbeat) == 202
    records = [as_record(message) for message in queues["MEDIC_SPOOL_URL"].receive()]
    answer = replay.invoke({"Records": records}).payload
    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == [record["messageId"] for record in records]
    assert queues["MEDIC_SPOOL_DEAD_LETTER_URL"].waiting() == 0
    fail_over(account, WRITABLE)
    assert until(lambda: replay.invoke({"Records": records}).payload == {"batchItemFailures": []}) >= 0
    assert len(heard(database)) == 2


def test_a_function_killed_at_its_timeout_starts_anew_and_nothing_is_lost(
    start: Start, database: Database, own_server: PostgresServer, queues: dict[str, Any]
) -> None:
    """Postgres hangs. Who gives up before the timeout spools; who is killed first starts anew with the next event."""
    of_patient, of_killed = a_service(database, "patient"), a_service(database, "killed")
    patient, killed = start("HeartbeatFunction"), start("HeartbeatFunction", AWS_LAMBDA_FUNCTION_TIMEOUT="2")
    tried: list[Any] = []
    statuses: list[int] = []

    def is_taken() -> bool:
        tried.append(killed.invoke(a_beat(name="killed")).payload)
        return "statusCode" in tried[-1]

    def is_recorded() -> bool:
        statuses.append(beat(patient, name="patient"))
        return statuses[-1] == 201

    until(is_recorded)
    until(is_taken)
    started = len(killed.init_milliseconds)
    own_server.hang()
    assert not is_recorded()
    assert not is_taken()
    assert "timed out" in str(tried[-1])
    own_server.go_on()
    until(is_taken)
    assert len(killed.init_milliseconds) > started
    seconds = until(is_recorded)
    print(f"after a hang: a heartbeat is recorded at once after {seconds:.1f} s")
    # What was under way when the server hung it does once it goes on: the spool's copy of it is known by its id.
    replayed_twice(start, queues["MEDIC_SPOOL_URL"])
    counts = dict(rows(database, "SELECT service_id, count(*) FROM medic.heartbeat_events GROUP BY service_id"))
    assert counts[of_patient] == sum(status in {201, 202} for status in statuses)
    # One whose answer never came may have been recorded.
    assert 2 <= counts[of_killed] <= len(tried)
    newest = "SELECT service_id, max(received_at) FROM medic.heartbeat_events GROUP BY service_id ORDER BY service_id"
    states = "SELECT service_id, last_heartbeat_at FROM medic.service_state ORDER BY service_id"
    assert rows(database, states) == rows(database, newest)
