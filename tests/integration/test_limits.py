"""Every endpoint has its limit, every answer says what is left of it, and Redis going away refuses nobody."""

from __future__ import annotations

import time

import pytest

from medic_core.adapters import hashing
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.flows import keys
from medic_core.store.connection import Database
from tests.builders import a_service, ping_id, rows
from tests.fixtures.functions import ADMIN_KEY, Functions, Reply

UP = {"heartbeat_name": "nightly-backup", "status": "UP"}


@pytest.fixture
def limited(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> Functions:
    """Functions with small limits."""
    for kind, limit in {"HEARTBEAT": 5, "MANAGEMENT": 4, "HEALTH": 3, "DOCS": 2}.items():
        monkeypatch.setenv(f"RATE_LIMIT_{kind}_REQUESTS", str(limit))
    return functions


def a_key(database: Database, name: str = "ci", *scopes: Scope, **limits: int) -> str:
    with database.transaction() as tx:
        own = {Endpoints(kind): limit for kind, limit in limits.items()}
        return keys.create(tx, name, scopes or {Scope.ADMIN}, None, own, hashing).text


def left(reply: Reply) -> tuple[int, int, int]:
    return reply.status, int(reply.headers["X-RateLimit-Limit"]), int(reply.headers["X-RateLimit-Remaining"])


def assert_refused(reply: Reply, limit: int) -> None:
    assert left(reply) == (429, limit, 0)
    assert 1 <= int(reply.headers["Retry-After"]) <= 60
    assert 0 < int(reply.headers["X-RateLimit-Reset"]) - time.time() <= 61


def test_heartbeats_are_limited_by_key(limited: Functions, database: Database) -> None:
    a_service(database)
    another = a_key(database)
    assert [left(limited.heartbeat(UP))[::2] for _ in range(5)] == [(201, n) for n in (4, 3, 2, 1, 0)]
    refused = limited.heartbeat(UP)
    assert_refused(refused, 5)
    assert refused.json["success"] is False
    assert rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(5,)]
    assert left(limited.heartbeat(UP, another)) == (201, 5, 4)


def test_pings_are_limited_by_service(limited: Functions, database: Database) -> None:
    one, another = (str(ping_id(database, a_service(database, name))) for name in ("one", "another"))
    answers = [limited.ping(f"{one}{said}") for said in ("", "/start", "/fail", "/log", "/0")]
    assert [left(answer) for answer in answers] == [(200, 5, n) for n in (4, 3, 2, 1, 0)]
    refused = limited.ping(one)
    assert_refused(refused, 5)
    assert refused.headers["Content-Type"].startswith("text/plain")
    assert left(limited.ping(another)) == (200, 5, 4)
    assert limited.ping("not-a-ping-url").headers["X-RateLimit-Remaining"] == "4"


def test_what_is_wrong_counts_as_well(limited: Functions, database: Database) -> None:
    reader = a_key(database, "reader", Scope.READ)
    assert [limited.heartbeat({}).status for _ in range(6)] == [400] * 5 + [429]
    assert [limited.heartbeat(UP, reader).status for _ in range(6)] == [403] * 5 + [429]


@pytest.mark.parametrize(
    ("target", "limit"),
    [
        ("/service", 4),
        ("/v2/services", 4),
        ("/health", 3),
        ("/health/live", 3),
        ("/v1/healthcheck/network", 3),
        ("/docs", 2),
        ("/openapi.json", 2),
        ("/nothing", 4),
    ],
)
def test_every_kind_of_endpoint_has_its_own(limited: Functions, target: str, limit: int) -> None:
    for remaining in reversed(range(limit)):
        assert left(limited.api("GET", target))[1:] == (limit, remaining)
    assert_refused(limited.api("GET", target), limit)


def test_kinds_are_counted_apart(limited: Functions) -> None:
    for _ in range(5):
        limited.api("GET", "/docs")
    assert limited.api("GET", "/docs").status == 429
    assert limited.api("GET", "/health/live").status == 200
    assert limited.api("GET", "/service").status == 200


def test_a_key_can_have_limits_of_its_own(limited: Functions, database: Database) -> None:
    a_service(database)
    own = a_key(database, "fleet", Scope.ADMIN, heartbeat=50)
    assert left(limited.heartbeat(UP, own)) == (201, 50, 49)
    assert left(limited.api("GET", "/service", key=own)) == (200, 4, 3)
    (listed,) = (
        one for one in limited.api("GET", "/v2/api-keys", key=own).json["results"]["items"] if one["name"] == "fleet"
    )
    changed = limited.api("PATCH", f"/v2/api-keys/{listed['api_key_id']}", {"rate_limits": {"heartbeat": 7}}, key=own)
    assert changed.status == 200
    assert left(limited.heartbeat(UP, own))[1] in {7, 50}
    assert left(limited.heartbeat(UP, own))[1] == 7


def test_strangers_are_limited_by_address_and_soon_cost_no_slow_hash(
    limited: Functions, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_service(database)
    limited.heartbeat(UP)
    hashed: list[str] = []
    matches = hashing.matches
    monkeypatch.setattr(hashing, "matches", lambda stored, secret: hashed.append(secret) or matches(stored, secret))
    guesses = [f"mdk_abcd{n:02}_{'g' * 43}" for n in range(20)]
    answers = [limited.heartbeat(UP, guess) for guess in guesses]
    assert [answer.status for answer in answers] == [401] * 5 + [429] * 15
    assert len(hashed) == 5
    assert_refused(answers[-1], 5)
    # Who is known goes on.
    assert limited.heartbeat(UP).status == 201
    assert limited.heartbeat(UP, None).status == 429


def test_failures_are_counted_by_reason(
    limited: Functions, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    a_service(database)
    reader = a_key(database, "reader", Scope.READ)
    for key in (None, "nonsense", reader):
        limited.heartbeat(UP, key)
        limited.api("POST", "/v2/services", {}, key=key)
    for reason in ("missing_key", "invalid_key", "insufficient_scope"):
        lines = [line for line in capsys_lines(capsys) if f'"{reason}"' in line]
        assert len(lines) == 2, reason


_SEEN: list[str] = []


def capsys_lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    _SEEN.extend(capsys.readouterr().out.splitlines())
    return [line for line in _SEEN if "AuthenticationFailures" in line]


@pytest.mark.parametrize(
    "name", ["RATE_LIMIT_HEARTBEAT_REQUESTS", "RATE_LIMIT_MANAGEMENT_REQUESTS", "RATE_LIMIT_DOCS_REQUESTS"]
)
@pytest.mark.parametrize("value", ["0", "-1", "many", "1000001"])
def test_a_limit_that_is_none_is_refused_at_the_start(name: str, value: str) -> None:
    from medic_core import config  # noqa: PLC0415

    with pytest.raises(ValueError, match=r"RATE_LIMIT|invalid literal"):
        config.from_environment({name: value})


def test_redis_must_be_there_where_it_was_asked_for(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIC_RATE_LIMITER_TYPE", "redis")
    with pytest.raises(ValueError, match="REDIS_URL is empty"):
        functions.module("ingest")


def test_an_admin_key_is_still_only_a_key(limited: Functions, database: Database) -> None:
    a_service(database)
    assert [limited.heartbeat(UP, ADMIN_KEY).status for _ in range(6)][-1] == 429
