"""API keys over the API: made, shown once, rotated, revoked. What is remembered of one never outlives it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from medic_core.adapters import hashing
from medic_core.adapters.key_cache import KeyCache
from medic_core.adapters.redis_line import RedisLine
from medic_core.api.authentication import Authenticator
from medic_core.store.connection import Database
from tests.builders import a_service, away, now_of, rows
from tests.fixtures.functions import ADMIN_KEY, Functions, Reply

UP = {"heartbeat_name": "nightly-backup", "status": "UP"}


@pytest.fixture
def service(database: Database) -> int:
    return a_service(database)


@pytest.fixture
def hashings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is hashed slowly, as it happens."""
    seen: list[str] = []
    matches = hashing.matches
    monkeypatch.setattr(hashing, "matches", lambda stored, secret: seen.append(stored) or matches(stored, secret))
    return seen


def make(
    functions: Functions, name: str = "ci", scopes: tuple[str, ...] = ("heartbeat",), **more: Any
) -> dict[str, Any]:
    reply = functions.api("POST", "/v2/api-keys", {"name": name, "scopes": list(scopes), **more})
    assert reply.status == 201, reply.body
    made: dict[str, Any] = reply.json["results"]
    return made


def why(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["message"]


def test_a_key_is_shown_once_and_its_secret_is_kept_nowhere(functions: Functions, database: Database) -> None:
    made = make(functions, scopes=("read", "heartbeat", "read"), rate_limits={"heartbeat": 500})
    assert made["api_key"].startswith("mdk_")
    assert (made["scopes"], made["rate_limits"], made["expires_at"]) == (
        ["heartbeat", "read"],
        {"heartbeat": 500},
        None,
    )
    secret = made["api_key"].split("_", 2)[2]
    assert len(secret) >= 43
    listed = functions.api("GET", "/v2/api-keys")
    read = functions.api("GET", f"/v2/api-keys/{made['api_key_id']}")
    assert [one["name"] for one in listed.json["results"]["items"]] == ["admin testadmin", "ci"]
    assert secret not in listed.body + read.body
    assert "api_key" not in read.json["results"]
    dump = str(
        rows(database, "SELECT k::text, s::text FROM medic.api_keys k JOIN medic.api_key_secrets s USING (api_key_id)")
    )
    assert secret not in dump
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in dump


def test_names_are_unique(functions: Functions) -> None:
    first, second = make(functions, "one"), make(functions, "two")
    assert why(functions.api("POST", "/v2/api-keys", {"name": "one", "scopes": ["read"]}))[0] == 409
    assert functions.api("PATCH", f"/v2/api-keys/{second['api_key_id']}", {"name": "one"}).status == 409
    assert functions.api("PATCH", f"/v2/api-keys/{first['api_key_id']}", {"name": "one"}).status == 200


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes.0"),
        ({"scopes": "admin"}, "scopes"),
        ({"scopes": None}, "scopes"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"expires_at": 1_900_000_000}, "expires_at"),
        ({"expires_at": "2999-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"rate_limits": {"heartbeat": 0}}, "rate_limits.heartbeat"),
        ({"rate_limits": {"everything": 5}}, "rate_limits"),
        ({"rate_limits": {"heartbeat": 2_000_000}}, "rate_limits.heartbeat"),
        ({"api_key": "mdk_mine_" + "s" * 43}, "api_key"),
        ({"revoked_at": None}, "revoked_at"),
    ],
)
def test_what_is_wrong_is_named(functions: Functions, change: dict[str, Any], named: str) -> None:
    reply = functions.api("POST", "/v2/api-keys", {"name": "ci", "scopes": ["read"], **change})
    assert (reply.status, named in reply.json["message"]) == (400, True), reply.body
    changed = functions.api("PATCH", f"/v2/api-keys/{make(functions)['api_key_id']}", change)
    assert (changed.status, named in changed.json["message"]) == (400, True), changed.body


@pytest.mark.parametrize("end", ["revoke", "delete", "expire", "rotate", "demote"])
def test_what_ends_a_key_beats_every_memory_of_it(
    functions: Functions, database: Database, service: int, end: str, hashings: list[str]
) -> None:
    made = make(functions, scopes=("heartbeat", "read"))
    key, path = made["api_key"], f"/v2/api-keys/{made['api_key_id']}"
    # Two instances and the API have seen it.
    first, other = functions.module("ingest"), Authenticator(database, KeyCache("another instance", RedisLine("")))
    other.remembered({"x-api-key": key}, lambda: None)
    assert functions.heartbeat(UP, key).status == 201
    assert functions.api("GET", "/service", key=key).status == 200
    assert first.KEYS.cache.get(key) is not None
    expected = {
        "revoke": "any more",
        "expire": "any more",
        "rotate": "any more",
        "delete": "not valid",
        "demote": "scope",
    }
    match end:
        case "revoke":
            assert functions.api("POST", f"{path}/revoke").json["results"]["revoked_at"] is not None
        case "delete":
            assert functions.api("DELETE", path).status == 200
        case "expire":
            with database.transaction() as tx:
                tx.execute("UPDATE medic.api_keys SET expires_at = now() WHERE name = 'ci'")
        case "rotate":
            assert functions.api("POST", f"{path}/rotate", {"overlap_seconds": 0}).status == 200
        case "demote":
            assert functions.api("PATCH", path, {"scopes": ["write"]}).status == 200
            assert functions.api("GET", "/service", key=key).status == 403
            return
    refused, unread = functions.heartbeat(UP, key), functions.api("GET", "/service", key=key)
    assert (refused.status, unread.status) == (401, 401)
    assert expected[end] in refused.json["message"]
    assert rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(1,)]


def test_a_key_that_was_remembered_and_revoked_sends_nothing_through_an_outage(
    functions: Functions, database: Database, service: int
) -> None:
    made = make(functions)
    assert [functions.heartbeat(UP, key).status for key in (ADMIN_KEY, made["api_key"])] == [201, 201]
    assert functions.api("POST", f"/v2/api-keys/{made['api_key_id']}/revoke").status == 200
    with away(functions.module("ingest").DATABASE):
        assert [functions.heartbeat(UP, key).status for key in (ADMIN_KEY, made["api_key"])] == [202, 202]
    while functions.replay_spool():
        pass
    # Whether it had ended could not be asked then; it is asked before it is recorded.
    assert rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(3,)]


def test_a_rotated_key_goes_on_for_the_overlap_and_no_longer(
    functions: Functions, database: Database, service: int
) -> None:
    made = make(functions)
    rotated = functions.api("POST", f"/v2/api-keys/{made['api_key_id']}/rotate", {"overlap_seconds": 3600}).json[
        "results"
    ]
    assert rotated["api_key_id"] == made["api_key_id"]
    assert [functions.heartbeat(UP, key).status for key in (made["api_key"], rotated["api_key"])] == [201, 201]
    with database.transaction() as tx:
        tx.execute("UPDATE medic.api_key_secrets SET valid_until = now() WHERE valid_until IS NOT NULL")
    assert [functions.heartbeat(UP, key).status for key in (made["api_key"], rotated["api_key"])] == [401, 201]
    again = functions.api("POST", f"/v2/api-keys/{made['api_key_id']}/rotate").json["results"]
    # A shorter overlap that has begun is not made longer by the next rotation.
    assert [functions.heartbeat(UP, key).status for key in (made["api_key"], rotated["api_key"], again["api_key"])] == [
        401,
        201,
        201,
    ]
    functions.api("POST", f"/v2/api-keys/{made['api_key_id']}/revoke")
    assert [functions.heartbeat(UP, key).status for key in (rotated["api_key"], again["api_key"])] == [401, 401]
    assert functions.api("POST", f"/v2/api-keys/{made['api_key_id']}/rotate").status == 409


def test_the_last_way_in_stays(functions: Functions) -> None:
    (admin,) = functions.api("GET", "/v2/api-keys").json["results"]["items"]
    path = f"/v2/api-keys/{admin['api_key_id']}"
    for reply in (
        functions.api("POST", f"{path}/revoke"),
        functions.api("DELETE", path),
        functions.api("PATCH", path, {"scopes": ["read"]}),
        functions.api("PATCH", path, {"expires_at": "2999-01-01T00:00:00Z"}),
    ):
        assert (reply.status, "last admin key" in reply.json["message"]) == (409, True)
    second = make(functions, "second", ("admin",))
    assert functions.api("POST", f"{path}/revoke", key=second["api_key"]).status == 200
    assert functions.api("GET", "/v2/api-keys").status == 401
    assert functions.api("DELETE", f"/v2/api-keys/{second['api_key_id']}", key=second["api_key"]).status == 409


def test_argon2_runs_once_for_a_key_however_often_it_is_used(
    functions: Functions, service: int, hashings: list[str]
) -> None:
    for _ in range(10):
        assert functions.heartbeat(UP).status == 201
        assert functions.api("GET", "/service").status == 200
    # Once for each function: they are different instances.
    assert len(hashings) == 2


def test_an_unknown_id_costs_what_a_wrong_secret_does(functions: Functions, service: int, hashings: list[str]) -> None:
    wrong = ADMIN_KEY[:-1] + "t"
    unknown = "mdk_nobody_" + "s" * 43
    answers = [why(functions.heartbeat(UP, key)) for key in (wrong, unknown)]
    assert answers[0] == answers[1] == (401, "This API key is not valid.")
    assert [hashed[:30] for hashed in hashings] == ["$argon2id$v=19$m=19456,t=2,p=1"] * 2


def test_last_used_is_known_without_a_write_for_each_request(
    functions: Functions, database: Database, service: int
) -> None:
    made = make(functions)
    assert made["last_used_at"] is None
    before = now_of(database)
    for _ in range(20):
        functions.heartbeat(UP, made["api_key"])
    ((used, writes),) = rows(database, "SELECT last_used_at, xmin::text FROM medic.api_keys WHERE name = 'ci'")
    assert before <= used <= now_of(database)
    for _ in range(20):
        functions.heartbeat(UP, made["api_key"])
    assert rows(database, "SELECT last_used_at, xmin::text FROM medic.api_keys WHERE name = 'ci'") == [(used, writes)]
    functions.module("ingest").KEYS.cache._noted_until.clear()
    with database.transaction() as tx:
        tx.execute("UPDATE medic.api_keys SET last_used_at = now() - %(long)s", {"long": timedelta(hours=1)})
    functions.heartbeat(UP, made["api_key"])
    assert rows(
        database, "SELECT last_used_at >= now() - interval '1 minute' FROM medic.api_keys WHERE name = 'ci'"
    ) == [(True,)]


@pytest.mark.parametrize("scope", ["heartbeat", "read", "write"])
def test_only_admins_see_keys(functions: Functions, scope: str) -> None:
    key = make(functions, scopes=(scope,))["api_key"]
    for method, path in (("GET", "/v2/api-keys"), ("POST", "/v2/api-keys"), ("DELETE", "/v2/api-keys/1")):
        reply = functions.api(method, path, {} if method == "POST" else None, key=key)
        assert (reply.status, reply.json["message"]) == (403, "This needs an API key with the scope admin.")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "mdk",
        "mdk_",
        "mdk_a_b",
        "mdk_abcd_" + "s" * 42,
        "mdk_abcd_" + "s" * 129,
        "x" * 10_000,
        "mdk_abcd_" + "é" * 43,
    ]
    + ["s" * length for length in range(1, 60, 7)],
)
def test_what_is_no_key_opens_nothing_and_costs_nothing(functions: Functions, text: str, hashings: list[str]) -> None:
    assert functions.api("GET", "/service", key=text).status == 401
    assert functions.heartbeat(UP, text).status == 401
    assert hashings == []


def test_two_keys_at_once_are_none(functions: Functions) -> None:
    other = make(functions, scopes=("admin",))["api_key"]
    bearer = {"authorization": f"Bearer {ADMIN_KEY}"}
    assert functions.api("GET", "/service", key=None, **bearer).status == 200
    assert functions.api("GET", "/service", key=ADMIN_KEY, **bearer).status == 200
    assert functions.api("GET", "/service", key=other, **bearer).status == 401
    assert functions.api("GET", "/service", key=None, authorization="Basic YTpi").status == 401
