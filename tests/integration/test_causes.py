"""Why heartbeats were not recorded, in the heartbeat function's log: the kind of trouble, seldom, and no secret."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from typing import Any

import psycopg
import pytest

from medic_core.store.connection import CONNECT, Database
from tests.builders import a_service, away, ping_id
from tests.fixtures.functions import ADMIN_KEY, Functions, key_header
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.written import Written

SECRET = "kJ8xQ2vN5mT7wR4yB6cD9fG1hL3pS0zA"
BODY = "what a job says of itself"
SPOOLED, REFUSED, WAITS_ON = "heartbeats go to the spool", "heartbeats are answered 503", "spooled signals wait on"
WANTS_PASSWORDS = "host all all 127.0.0.1/32 scram-sha-256\n"

Trouble = Callable[[Database, str], AbstractContextManager[None]]


def with_secret(url: str) -> str:
    return url.replace("medic@", f"medic:{SECRET}@")


def said(written: Written, what: str) -> list[dict[str, Any]]:
    return [line for line in written.lines if line["message"].startswith(what)]


def causes(written: Written, what: str) -> list[str]:
    return [line["message"].removeprefix(f"{what}: ") for line in said(written, what)]


@contextmanager
def nobody_listens(database: Database, url: str) -> Iterator[None]:
    with away(database, f"postgresql://medic:{SECRET}@127.0.0.1:1/none"):
        yield


@contextmanager
def nobody_answers(database: Database, url: str) -> Iterator[None]:
    with (
        pytest.MonkeyPatch.context() as impatient,
        closing(socket.create_server(("127.0.0.1", 0))) as listener,
        away(database, f"postgresql://medic:{SECRET}@127.0.0.1:{listener.getsockname()[1]}/none"),
    ):
        impatient.setitem(CONNECT, "connect_timeout", 2)
        yield


@contextmanager
def it_is_another(database: Database, url: str) -> Iterator[None]:
    with away(database, f"{with_secret(url)}_of_yesterday"):
        yield


@contextmanager
def it_can_only_be_read(database: Database, url: str) -> Iterator[None]:
    name = url.rpartition("/")[2]
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        yield
        other.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    database.close()


@contextmanager
def it_waits_for_somebody(database: Database, url: str, how: str = "statement_timeout") -> Iterator[None]:
    with database.autocommit() as connection:
        connection.execute(f"SET {how} = '50ms'")
    with psycopg.connect(url) as other:
        other.execute("SELECT FROM medic.service_state FOR UPDATE")
        yield
    database.close()


@contextmanager
def it_waits_for_a_lock(database: Database, url: str) -> Iterator[None]:
    with it_waits_for_somebody(database, url, "lock_timeout"):
        yield


@contextmanager
def its_migration_is_missing(database: Database, url: str) -> Iterator[None]:
    renamed = "ALTER FUNCTION medic.{} RENAME TO {}"
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(renamed.format("record_heartbeat", "record_heartbeat_later"))
        yield
        other.execute(renamed.format("record_heartbeat_later", "record_heartbeat"))


@pytest.mark.parametrize(
    ("trouble", "cause"),
    [
        (nobody_listens, "connection refused"),
        (nobody_answers, "no connection in time"),
        (it_is_another, "no such database or role"),
        (it_can_only_be_read, "read-only"),
        (it_waits_for_somebody, "statement timeout"),
        (it_waits_for_a_lock, "lock timeout"),
        (its_migration_is_missing, "a function is missing: migrations wait to be applied"),
    ],
)
def test_what_is_spooled_says_what_was_the_matter(
    functions: Functions, database: Database, database_url: str, written: Written, trouble: Trouble, cause: str
) -> None:
    target = str(ping_id(database, a_service(database)))
    with trouble(functions.module("ingest").DATABASE, database_url):
        assert functions.ping(target, "POST", BODY).status == 200
    (line,) = said(written, SPOOLED)
    assert (line["level"], line["service"], line["message"]) == ("ERROR", "medic-heartbeat", f"{SPOOLED}: {cause}")
    assert functions.replay_spool() == 1
    for hidden in (SECRET, target, BODY, "127.0.0.1", database_url):
        assert hidden not in written.text


def test_an_outage_is_a_line_a_second_at_most(
    functions: Functions, database: Database, database_url: str, written: Written
) -> None:
    target = str(ping_id(database, a_service(database)))
    with its_migration_is_missing(functions.module("ingest").DATABASE, database_url):
        began = time.monotonic()
        assert {functions.ping(target).status for _ in range(100)} == {200}
        seconds = time.monotonic() - began
    lines = len(said(written, SPOOLED))
    print(f"\n{lines} lines of 100 spooled heartbeats in {seconds:.1f} s")
    assert 1 <= lines <= seconds + 1


def test_without_a_spool_too_both_causes_are_said(
    functions: Functions, database: Database, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    target = str(ping_id(database, a_service(database)))
    with nobody_listens(functions.module("ingest").DATABASE, ""):
        assert functions.ping(target).status == 503
    assert causes(written, SPOOLED) == ["connection refused"]
    assert causes(written, REFUSED) == ["EndpointConnectionError"]
    assert SECRET not in written.text


def test_a_key_that_cannot_be_looked_at_is_a_503_that_says_why(
    functions: Functions, database: Database, written: Written
) -> None:
    a_service(database)
    with nobody_listens(functions.module("ingest").DATABASE, ""):
        assert functions.heartbeat({"heartbeat_name": "nightly-backup", "status": "UP"}).status == 503
    assert causes(written, REFUSED) == ["connection refused"]
    for hidden in (SECRET, ADMIN_KEY, ADMIN_KEY.split("_")[1], "nightly-backup"):
        assert hidden not in written.text


def test_a_batch_and_what_replays_it_say_so_too(functions: Functions, database: Database, written: Written) -> None:
    a_service(database)
    batch = {"heartbeats": [{"heartbeat_name": "nightly-backup", "status": "UP"}] * 3}
    sending = partial(functions.http, "ingest", "POST", "/v2/heartbeats", batch, **key_header(ADMIN_KEY))
    assert sending().status == 200
    with nobody_listens(functions.module("ingest").DATABASE, ""):
        assert sending().status == 202
    with nobody_listens(functions.module("replay").DATABASE, ""):
        assert functions.replay_spool() == 3
    for message in (SPOOLED, WAITS_ON):
        assert causes(written, message) == ["connection refused"]
    assert SECRET not in written.text
    assert "nightly-backup" not in written.text


def test_a_server_that_hangs_and_one_that_wants_another_password(
    own_server: PostgresServer, own_database: Database, functions: Functions, written: Written
) -> None:
    target = str(ping_id(own_database, a_service(own_database)))
    heartbeats = functions.module("ingest").DATABASE
    assert functions.ping(target).status == 200
    heartbeats._connection.patience = 1
    own_server.hang()
    assert functions.ping(target).status == 200
    own_server.go_on()
    (own_server.data / "pg_hba.conf").write_text(WANTS_PASSWORDS)
    own_server.stop()
    own_server.start()
    with away(heartbeats, with_secret(own_server.url("postgres"))):
        assert functions.ping(target).status == 200
    assert causes(written, SPOOLED) == ["no answer in time", "password refused"]
    for hidden in (SECRET, target, "127.0.0.1"):
        assert hidden not in written.text
