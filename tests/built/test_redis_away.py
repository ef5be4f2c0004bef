"""Redis hangs or dies: what was built goes on without it, in bounded time, and counts it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from medic_core.adapters import redis_line
from medic_core.store.connection import Database
from tests.builders import a_service, rows
from tests.built.driving import Start, ask, beat
from tests.built.emulator import BuiltFunction
from tests.fixtures.redis import RedisServer

#: Whoever has waited for Redis in vain does not ask again for so long.
AVOIDED_SECONDS = redis_line.AVOIDED_SECONDS


@pytest.fixture
def redis_url(own_redis: RedisServer) -> str:
    return own_redis.url


def counted_away(function: BuiltFunction) -> int:
    """How often the function has counted, as an EMF line, that Redis is away."""
    lines = [line[line.index("{") :] for line in function.written().splitlines() if "RedisAway" in line]
    return sum(json.loads(line)["RedisAway"][0] for line in lines)


def counted_while_it_is_there(one: BuiltFunction, other: BuiltFunction, are_asked: Callable[[], None]) -> list[int]:
    """What both have counted once neither counts more: on a busy machine a Redis that is there may answer too late."""
    before, now = list[int](), [0, 0]
    while before != now:
        before = now
        time.sleep(AVOIDED_SECONDS if any(before) else 0)
        are_asked()
        now = [counted_away(one), counted_away(other)]
    return now


@pytest.mark.parametrize("hurt", [RedisServer.hang, RedisServer.kill])
def test_without_redis_all_goes_on_and_it_is_counted(
    hurt: Callable[[RedisServer], None], start: Start, database: Database, own_redis: RedisServer
) -> None:
    a_service(database)
    heartbeat, management = start("HeartbeatFunction"), start("ManagementFunction")
    beats = []

    def are_asked() -> None:
        beats.append(beat(heartbeat))
        assert (beats[-1], ask(management, "GET", "/v2/services")["statusCode"]) == (201, 200)

    before = counted_while_it_is_there(heartbeat, management, are_asked)
    hurt(own_redis)
    began = time.monotonic()
    for _ in range(10):
        are_asked()
    took = time.monotonic() - began
    print(f"ten times two requests without Redis took {took:.3f} s")
    for function, count in zip((heartbeat, management), before, strict=True):
        assert 1 <= counted_away(function) - count <= 1 + took / AVOIDED_SECONDS
    assert json.loads(ask(management, "GET", "/health")["body"])["status"] == "degraded"
    assert rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(len(beats),)]


def test_a_function_that_starts_without_redis_takes_heartbeats(
    start: Start, database: Database, own_redis: RedisServer
) -> None:
    a_service(database)
    own_redis.hang()
    heartbeat = start("HeartbeatFunction")
    assert [beat(heartbeat) for _ in range(3)] == [201] * 3
    own_redis.go_on()
