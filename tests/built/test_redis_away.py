"""Redis hangs or dies: what was built goes on without it, in bounded time, and counts it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from medic_core.store.connection import Database
from tests.builders import a_service, rows
from tests.built.driving import Start, ask, beat
from tests.built.emulator import BuiltFunction
from tests.fixtures.redis import RedisServer

#: Far more than Redis may cost, and far less than its own library waits.
BOUND_SECONDS = 2.0


@pytest.fixture
def redis_url(own_redis: RedisServer) -> str:
    return own_redis.url


def counted_away(function: BuiltFunction) -> int:
    """How often the function has counted, as an EMF line, that Redis is away."""
    lines = [line[line.index("{") :] for line in function.written().splitlines() if "RedisAway" in line]
    return sum(json.loads(line)["RedisAway"][0] for line in lines)


@pytest.mark.parametrize("hurt", [RedisServer.hang, RedisServer.kill])
def test_without_redis_all_goes_on_and_it_is_counted(
    hurt: Callable[[RedisServer], None], start: Start, database: Database, own_redis: RedisServer
) -> None:
    a_service(database)
    heartbeat, management = start("HeartbeatFunction"), start("ManagementFunction")
    assert (beat(heartbeat), ask(management, "GET", "/v2/services")["statusCode"]) == (201, 200)
    assert counted_away(heartbeat) == counted_away(management) == 0
    hurt(own_redis)
    took = []
    for _ in range(10):
        began = time.monotonic()
        assert (beat(heartbeat), ask(management, "GET", "/v2/services")["statusCode"]) == (201, 200)
        took.append(time.monotonic() - began)
    print(f"two requests without Redis took {max(took):.3f} s at most, {min(took):.3f} s at least")
    assert max(took) < BOUND_SECONDS
    assert counted_away(heartbeat) >= 1
    assert counted_away(management) >= 1
    assert json.loads(ask(management, "GET", "/health")["body"])["status"] == "degraded"
    assert rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(11,)]


def test_a_function_that_starts_without_redis_takes_heartbeats(
    start: Start, database: Database, own_redis: RedisServer
) -> None:
    a_service(database)
    own_redis.hang()
    heartbeat = start("HeartbeatFunction")
    assert [beat(heartbeat) for _ in range(3)] == [201] * 3
    own_redis.go_on()
