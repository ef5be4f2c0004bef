"""The database's password changes while functions run, and those who know it go away."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from local.servers import free_port
from medic_core.store.connection import Database
from tests.builders import a_service, rows
from tests.built.conftest import PASSWORD, Account
from tests.built.driving import Start, ask, beat, take
from tests.fixtures.functions import ADMIN_KEY
from tests.fixtures.postgres import PostgresServer

NEW_PASSWORD = "second: p@ss/word %41"
#: Test servers trust everybody; this one wants the password of those that stacks make.
WANTS_PASSWORDS = "host all /^role_ 127.0.0.1/32 scram-sha-256\n"
NOBODY = "http://127.0.0.1:1"
PING = "SELECT 'GET', '/ping/' || ping_id FROM medic.services"


@pytest.fixture
def database_url(own_server: PostgresServer, own_database_url: str) -> str:
    access = own_server.data / "pg_hba.conf"
    access.write_text(WANTS_PASSWORDS + access.read_text())
    with psycopg.connect(own_database_url, autocommit=True) as admin:
        admin.execute("SELECT pg_reload_conf()")
    return own_database_url


def test_the_server_wants_the_password(account: Account) -> None:
    place = account.database_url.rpartition("@")[2]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://{account.role}:wrong@{place}").close()


def test_a_rotated_password_is_read_again_once_refused(start: Start, account: Account, database: Database) -> None:
    a_service(database)
    heartbeat = start("HeartbeatFunction")
    assert beat(heartbeat) == 201
    account.rotate_database_secret(NEW_PASSWORD)
    assert beat(heartbeat) == 201, "the connection that there is goes on"
    account.cut_connections()
    assert beat(heartbeat) == 201, "the next one is made with the new password"
    # The extension still remembers the old one: a function that starts now gets that first.
    later = start("ManagementFunction")
    assert ask(later, "GET", "/v2/services")["statusCode"] == 200
    assert rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(3,)]
    for function in (heartbeat, later):
        assert len(function.init_milliseconds) == 1
        assert PASSWORD not in function.written()
        assert NEW_PASSWORD not in function.written()


def test_a_password_that_secrets_manager_does_not_know_either_is_a_database_that_is_away(
    start: Start, account: Account, database: Database, queues: dict[str, Any]
) -> None:
    a_service(database)
    heartbeat, management = start("HeartbeatFunction"), start("ManagementFunction")
    assert beat(heartbeat) == 201
    account.set_password(NEW_PASSWORD)
    account.cut_connections()
    assert beat(heartbeat) == 202
    refused = ask(management, "GET", "/v2/services")
    assert (refused["statusCode"], refused["headers"]["Retry-After"]) == (503, "5")
    account.rotate_database_secret(NEW_PASSWORD)
    assert len(take(start("ReplayFunction"), queues["MEDIC_SPOOL_URL"])) == 1
    assert rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(2,)]


def test_an_extension_that_is_starting_is_not_waited_for(start: Start, account: Account, database: Database) -> None:
    a_service(database)
    account.extension.is_starting = True
    assert beat(start("HeartbeatFunction")) == 201
    assert account.extension.asked != []


def test_without_the_extension_secrets_manager_is_asked(start: Start, database: Database) -> None:
    a_service(database)
    function = start("HeartbeatFunction", PARAMETERS_SECRETS_EXTENSION_HTTP_PORT=str(free_port()))
    assert beat(function) == 201
    assert PASSWORD not in function.written()


def test_with_nobody_to_ask_requests_are_refused_politely_pings_are_spooled_and_it_heals(
    start: Start, account: Account, database: Database, queues: dict[str, Any]
) -> None:
    a_service(database)
    account.extension.is_starting = True
    nobody = {"AWS_ENDPOINT_URL_SECRETS_MANAGER": NOBODY}
    heartbeat, management = start("HeartbeatFunction", **nobody), start("ManagementFunction", **nobody)
    body = {"heartbeat_name": "nightly-backup", "status": "UP"}
    for answer in (
        heartbeat.http("POST", "/heartbeat", body, x_api_key=ADMIN_KEY),
        ask(management, "GET", "/v2/services"),
    ):
        assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (503, "5"), answer
        assert "Traceback" not in answer["body"]
    ((method, path),) = rows(database, PING)
    assert heartbeat.http(method, path)["statusCode"] == 200
    account.extension.is_starting = False
    assert beat(heartbeat) == 201
    assert ask(management, "GET", "/v2/services")["statusCode"] == 200
    assert len(take(start("ReplayFunction"), queues["MEDIC_SPOOL_URL"])) == 1
    assert rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(2,)]
