"""POST /heartbeat, through the function's own handler."""

from __future__ import annotations

from typing import Any

import pytest

from medic_core.store.connection import Database
from tests.builders import a_service, rows, watch_statements
from tests.fixtures.functions import ADMIN_KEY, Functions


def kept(database: Database) -> list[str]:
    return [kind for (kind,) in rows(database, "SELECT kind FROM medic.heartbeat_events ORDER BY received_at")]


def test_a_heartbeat_is_taken_whatever_the_case_of_its_name(functions: Functions, database: Database) -> None:
    a_service(database, "Nightly-Bäckup")
    for name in ("nightly-bäckup", "NIGHTLY-BÄCKUP", " Nightly-Ba\u0308ckup "):
        reply = functions.heartbeat({"heartbeat_name": name, "status": "UP"})
        assert (reply.status, reply.json["success"]) == (201, True)
    assert kept(database) == ["UP", "UP", "UP"]


def test_an_ordinary_heartbeat_is_one_statement(functions: Functions, database: Database) -> None:
    a_service(database)
    body = {"heartbeat_name": "nightly-backup", "status": "UP"}
    for _ in range(2):
        functions.heartbeat(body)
    statements = watch_statements(functions.module("ingest").DATABASE)
    functions.heartbeat(body)
    assert len(statements) == 1


def test_a_recovery_is_two_statements_more_in_one_transaction(functions: Functions, database: Database) -> None:
    a_service(database)
    for status in ("UP", "DOWN"):
        functions.heartbeat({"heartbeat_name": "nightly-backup", "status": status})
    functions.notifications.drain()
    statements = watch_statements(functions.module("ingest").DATABASE)
    functions.heartbeat({"heartbeat_name": "nightly-backup", "status": "UP"})
    relay_begins = 5
    verbs = [statement.split()[0] for statement in statements]
    assert verbs[:relay_begins] == ["SELECT", "BEGIN", "SELECT", "WITH", "COMMIT"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (None, "body"),
        ("", "body"),
        ("not json", "body"),
        ("[]", "body"),
        ("null", "body"),
        ("1", "body"),
        ('{"heartbeat_name": "nightly-backup"', "body"),
        (b"\xff\xfe\x00", "body"),
        ("[" * 30_000, "body"),
        ({}, "heartbeat_name"),
        ({"heartbeat_name": "nightly-backup"}, "status"),
        ({"status": "UP"}, "heartbeat_name"),
        ({"heartbeat_name": None, "status": "UP"}, "heartbeat_name"),
        ({"heartbeat_name": 7, "status": "UP"}, "heartbeat_name"),
        ({"heartbeat_name": ["x"], "status": "UP"}, "heartbeat_name"),
        ({"heartbeat_name": "", "status": "UP"}, "heartbeat_name"),
        ({"heartbeat_name": "   ", "status": "UP"}, "heartbeat_name"),
        ({"heartbeat_name": "x" * 201, "status": "UP"}, "heartbeat_name"),
        ({"heartbeat_name": "a\u0000b", "status": "UP"}, "heartbeat_name"),
        ({"heartbeat_name": "a\nb", "status": "UP"}, "heartbeat_name"),
        ({"heartbeat_name": "a\ud800b", "status": "UP"}, "heartbeat_name"),
        ({"heartbeat_name": "nightly-backup", "status": "up"}, "status"),
        ({"heartbeat_name": "nightly-backup", "status": "LOG"}, "status"),
        ({"heartbeat_name": "nightly-backup", "status": 1}, "status"),
        ({"heartbeat_name": "nightly-backup", "status": ["UP"]}, "status"),
        ({"heartbeat_name": "nightly-backup", "status": {}}, "status"),
        ({"heartbeat_name": "nightly-backup", "status": None}, "status"),
    ],
)
def test_bad_bodies_are_refused_by_name_and_nothing_is_written(
    functions: Functions, database: Database, body: Any, named: str
) -> None:
    a_service(database)
    reply = functions.heartbeat(body)
    assert reply.status == 400
    assert reply.json["success"] is False
    assert named in reply.json["message"]
    assert kept(database) == []


def test_a_megabyte_is_too_large(functions: Functions, database: Database) -> None:
    reply = functions.heartbeat({"heartbeat_name": "x" * 1_000_000, "status": "UP"})
    assert reply.status == 413
    assert kept(database) == []


@pytest.mark.parametrize("name", ["nobody", "nightly-backup'; DROP TABLE medic.services; --", "%", "ナイトリー"])
def test_an_unknown_name_is_not_found(functions: Functions, database: Database, name: str) -> None:
    a_service(database)
    assert functions.heartbeat({"heartbeat_name": name, "status": "UP"}).status == 404
    assert kept(database) == []


def test_an_inactive_service_takes_no_heartbeats(functions: Functions, database: Database) -> None:
    a_service(database)
    functions.api("POST", "/service/nightly-backup", {"active": 0})
    reply = functions.heartbeat({"heartbeat_name": "nightly-backup", "status": "UP"})
    assert (reply.status, "inactive" in reply.json["message"]) == (400, True)
    assert kept(database) == []


@pytest.mark.parametrize(
    "key",
    [
        None,
        "",
        "x",
        "mdk_",
        "mdk_testadmin_short",
        "mdk_nobody_" + "s" * 43,
        "mdk_testadmin_" + "t" * 43,
        ADMIN_KEY + " ",
    ],
)
def test_only_a_right_key_is_let_in(functions: Functions, database: Database, key: str | None) -> None:
    a_service(database)
    reply = functions.heartbeat({"heartbeat_name": "nightly-backup", "status": "UP"}, key)
    assert reply.status == (201 if key and key.strip() == ADMIN_KEY else 401)


def test_a_revoked_key_is_refused_at_the_very_next_request(functions: Functions, database: Database) -> None:
    a_service(database)
    body = {"heartbeat_name": "nightly-backup", "status": "UP"}
    assert functions.heartbeat(body).status == 201
    with database.transaction() as tx:
        tx.execute("UPDATE medic.api_keys SET revoked_at = now()")
    assert functions.heartbeat(body).status == 401
    assert kept(database) == ["UP"]


def test_a_bearer_is_as_good_and_two_different_keys_are_none(functions: Functions, database: Database) -> None:
    a_service(database)
    body = {"heartbeat_name": "nightly-backup", "status": "UP"}
    bearer = {"authorization": f"bearer {ADMIN_KEY}"}
    assert functions.http("ingest", "POST", "/heartbeat", body, **bearer).status == 201
    both = {**bearer, "x-api-key": "mdk_other_" + "s" * 43}
    assert functions.http("ingest", "POST", "/heartbeat", body, **both).status == 401


def test_heartbeats_are_recorded_on_while_a_migration_changes_what_they_read(
    functions: Functions, database: Database
) -> None:
    """The session keeps plans of the tables as they were."""
    a_service(database)
    heartbeat = {"heartbeat_name": "nightly-backup", "status": "UP"}
    for change in ("ADD COLUMN more text", "ALTER COLUMN more TYPE integer USING 1", "DROP COLUMN more"):
        assert [functions.heartbeat(heartbeat).status for _ in range(7)] == [201] * 7
        with database.transaction() as tx:
            tx.execute(f"ALTER TABLE medic.services {change}")
    assert functions.heartbeat(heartbeat).status == 201
    assert rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(22,)]
