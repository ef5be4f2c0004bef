"""A POST with an Idempotency-Key is done once, however often and however much at once it comes."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from medic_core.flows.housekeep import housekeep
from medic_core.store import idempotency_keys
from medic_core.store.connection import Database
from tests.builders import a_service, away, rows
from tests.fixtures.functions import ADMIN_KEY, Functions

NEW: dict[str, Any] = {"heartbeat_name": "nightly-backup", "schedule": {"every_seconds": 60}}


def test_the_same_request_gets_the_same_answer_and_is_done_once(functions: Functions, database: Database) -> None:
    first, again = (functions.api("POST", "/v2/services", NEW, idempotency_key="one") for _ in range(2))
    assert (first.status, again.status, first.body) == (201, 201, again.body)
    assert first.headers["ETag"] == again.headers["ETag"]
    assert ("Idempotent-Replayed" in first.headers, again.headers.get("Idempotent-Replayed")) == (False, "true")
    assert functions.api("POST", "/v2/services", NEW).status == 409
    assert rows(database, "SELECT count(*) FROM medic.services") == [(1,)]
    # What is left of the limit is said as it is now.
    assert int(again.headers["X-RateLimit-Remaining"]) < int(first.headers["X-RateLimit-Remaining"])


@pytest.mark.parametrize(
    ("target", "body"),
    [("/v2/services", NEW | {"runbook": "x"}), ("/v2/services/bulk", NEW), ("/service", NEW)],
)
def test_a_key_for_another_request_is_refused(functions: Functions, target: str, body: dict[str, Any]) -> None:
    assert functions.api("POST", "/v2/services", NEW, idempotency_key="one").status == 201
    other = functions.api("POST", target, body, idempotency_key="one")
    assert (other.status, "came with another request" in other.json["message"]) == (422, True)


def test_keys_of_others_are_others(functions: Functions) -> None:
    made = functions.api("POST", "/v2/api-keys", {"name": "b", "scopes": ["write"]}).json["results"]["api_key"]
    assert functions.api("POST", "/v2/services", NEW, idempotency_key="one").status == 201
    assert functions.api("POST", "/v2/services", NEW, key=made, idempotency_key="one").status == 409


def test_what_was_not_done_can_be_tried_again(functions: Functions, database: Database) -> None:
    wrong = functions.api("POST", "/v2/services", NEW | {"priority": "p9"}, idempotency_key="one")
    assert wrong.status == 400
    assert functions.api("POST", "/v2/services/1/mute", {}, idempotency_key="two").status == 404
    assert functions.api("POST", "/v2/services", NEW, idempotency_key="one").status == 201
    assert functions.api("POST", "/v2/services/1/mute", {}, idempotency_key="two").status == 200
    with away(functions.module("door").DATABASE):
        assert functions.api("POST", "/v2/services/1/pause", {}, idempotency_key="three").status == 503
    assert functions.api("POST", "/v2/services/1/pause", {}, idempotency_key="three").status == 200
    assert rows(database, "SELECT count(*) FROM medic.idempotency_keys") == [(3,)]


def test_a_secret_is_not_kept_to_be_shown_again(functions: Functions, database: Database) -> None:
    body = {"name": "ci", "scopes": ["read"]}
    first, again = (functions.api("POST", "/v2/api-keys", body, idempotency_key="one") for _ in range(2))
    secret = first.json["results"]["api_key"]
    assert (first.status, again.status, again.json["results"]["api_key"]) == (201, 201, None)
    assert again.json["results"]["api_key_id"] == first.json["results"]["api_key_id"]
    assert "rotate it" in again.json["message"]
    assert secret.split("_", 2)[2] not in str(rows(database, "SELECT response::text FROM medic.idempotency_keys"))


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "ключ", "\x00"])
def test_what_is_no_key_is_refused(functions: Functions, database: Database, key: str) -> None:
    assert functions.api("POST", "/v2/services", NEW, idempotency_key=key).status == 400
    assert rows(database, "SELECT count(*) FROM medic.services") == [(0,)]


def test_an_old_key_is_a_new_one_and_is_cleared_away(functions: Functions, database: Database) -> None:
    a_service(database)
    functions.api("POST", "/v2/services/1/mute", {"reason": "old"}, idempotency_key="one")
    age = "UPDATE medic.idempotency_keys SET created_at = now() - interval '25 hours'"
    with database.transaction() as tx:
        tx.execute(age)
    reply = functions.api("POST", "/v2/services/1/mute", {"reason": "new"}, idempotency_key="one")
    assert (reply.status, reply.json["results"]["mute_reason"]) == (200, "new")
    with database.transaction() as tx:
        tx.execute(age)
    housekeep(database)
    assert rows(database, "SELECT count(*) FROM medic.idempotency_keys") == [(0,)]


def test_two_at_once_are_one(functions: Functions, database_url: str, database: Database) -> None:
    functions.api("GET", "/service")
    together, claimed = Barrier(8), []

    def ask(number: int) -> None:
        own = Database(database_url)
        together.wait()
        with own.transaction() as tx:
            before = idempotency_keys.claim(tx, 1, "one", b"digest")
            if before is None:
                claimed.append(number)
                tx.execute("SELECT pg_sleep(0.2)")
                idempotency_keys.keep(tx, 1, "one", {"by": number})
            else:
                assert before.response == {"by": claimed[0]}
        own.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
    assert len(claimed) == 1


def test_people_hear_of_what_was_done_once(functions: Functions, database: Database) -> None:
    a_service(database)
    functions.heartbeat({"heartbeat_name": "nightly-backup", "status": "DOWN"})
    functions.route_notifications()
    for _ in range(2):
        reply = functions.api("POST", "/v2/alerts/1/resolve", idempotency_key="one")
        assert (reply.status, json.loads(reply.body)["results"]["status"]) == (200, "resolved")
    assert functions.route_notifications() == 1
    assert ADMIN_KEY not in str(rows(database, "SELECT i::text FROM medic.idempotency_keys i"))
