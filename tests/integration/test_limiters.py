"""Both limiters against the simple rule, a real Redis in one of them; and what Redis going away costs."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from local.servers import free_port
from medic_core.adapters import redis_line
from medic_core.adapters.limiters import MOST_CALLERS, SCRIPT, WINDOW_MICROSECONDS, MemoryLimiter, RedisLimiter
from medic_core.adapters.redis_line import RedisLine
from tests.fixtures.redis import RedisServer

#: The script itself, asked at times of the test's choosing instead of Redis' own.
AT_A_TIME = SCRIPT.replace("redis.call('TIME')", "{ARGV[4], ARGV[5]}")
gaps = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from([0, 1, 400_000, 20_000_000, 59_999_999, 60_000_000, 61_000_000])),
    max_size=60,
)


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    client = Redis.from_url(redis_url, decode_responses=True)
    yield client
    client.close()


def test_both_forms_agree_with_each_other_and_with_the_rule(redis: Redis) -> None:
    assert AT_A_TIME != SCRIPT

    @settings(max_examples=150, suppress_health_check=list(HealthCheck))
    @given(limit=st.integers(1, 4), asked=gaps)
    def hold(limit: int, asked: list[tuple[str, int]]) -> None:
        redis.flushall()
        # Small enough that a float holds it to the microsecond.
        micros = 1_000_000_000
        memory = MemoryLimiter(clock=lambda: micros / 1_000_000)
        admitted: dict[str, list[int]] = {"a": [], "b": []}
        for caller, gap in asked:
            micros += gap
            counted = [moment for moment in admitted[caller] if moment > micros - WINDOW_MICROSECONDS]
            now = divmod(micros, 1_000_000)
            reply = redis.eval(AT_A_TIME, 1, caller, WINDOW_MICROSECONDS, limit, 1, *now)
            own = memory.ask(caller, limit).verdict()
            assert bool(reply[0]) == own.admitted == (len(counted) < limit)
            assert limit - reply[1] == own.remaining == limit - len(counted) - own.admitted
            admitted[caller] += [micros] if own.admitted else []

    hold()


def test_one_window_for_all_instances(redis_url: str) -> None:
    one, another = RedisLimiter(RedisLine(redis_url)), RedisLimiter(RedisLine(redis_url))
    verdicts = [limiter.ask("caller", 5).verdict() for limiter in (one, another) * 4]
    assert [verdict.admitted for verdict in verdicts] == [True] * 5 + [False] * 3
    assert [verdict.remaining for verdict in verdicts] == [4, 3, 2, 1, 0, 0, 0, 0]
    assert 0 < verdicts[-1].reset_seconds <= 60
    assert one.ask("another caller", 5).verdict().remaining == 4


def test_looking_takes_nothing(redis_url: str) -> None:
    limiter = RedisLimiter(RedisLine(redis_url))
    assert [limiter.ask("caller", 1, takes=False).verdict().admitted for _ in range(3)] == [True] * 3
    assert [limiter.ask("caller", 1).verdict().admitted for _ in range(2)] == [True, False]
    assert not limiter.ask("caller", 1, takes=False).verdict().admitted


def test_who_may_be_near_the_limit_waits_and_who_has_room_does_not(redis_url: str) -> None:
    limiter = RedisLimiter(RedisLine(redis_url))
    waited = []
    for _ in range(80):
        asked = limiter.ask("caller", 80)
        waited.append(asked.known is not None)
        asked.verdict()
    # The first knows nothing yet; from the forty-second on less than half is free.
    assert waited == [True, *[False] * 40, *[True] * 39]
    assert all(limiter.ask("another", 20).known for _ in range(20))


def test_a_window_ends_in_redis_by_itself(redis: Redis, redis_url: str) -> None:
    began = time.monotonic()
    RedisLimiter(RedisLine(redis_url)).ask("caller", 5).verdict()
    (name,) = redis.keys("*")
    left = int(redis.pttl(name))
    passed = (time.monotonic() - began) * 1000
    assert 60_000 - passed < left <= 61_000


def test_redis_that_has_forgotten_the_script_is_told_it_again(redis: Redis, redis_url: str) -> None:
    limiter = RedisLimiter(RedisLine(redis_url))
    for _ in range(3):
        assert limiter.ask("caller", 100).verdict().admitted
        redis.script_flush()
    assert limiter.ask("caller", 100).verdict().remaining == 96


def test_a_question_that_nobody_waited_for_does_not_answer_the_next(redis_url: str) -> None:
    line = RedisLine(redis_url)
    limiter = RedisLimiter(line)
    limiter.ask("one", 100).verdict()
    forgotten, connection = limiter.ask("one", 100), line._connection
    assert line.call("PING") == "PONG"
    assert line._connection is connection
    assert limiter.ask("another", 7).verdict().limit == 7
    assert limiter.ask("another", 7).verdict().remaining == 5
    # The one that was overtaken was heard out.
    assert forgotten.verdict().remaining == 98


def test_a_line_that_the_server_has_closed_is_made_again(redis: Redis, redis_url: str) -> None:
    limiter = RedisLimiter(RedisLine(redis_url))
    limiter.ask("caller", 5).verdict()
    for client in redis.client_list():
        if int(client["id"]) != redis.client_id():
            redis.client_kill_filter(_id=client["id"])
    time.sleep(redis_line.TRUSTED_SECONDS)
    assert limiter.ask("caller", 5).verdict().remaining == 3


def test_redis_away_costs_one_wait_and_then_nothing(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    # While it is there it answers in time, however busy the machine is.
    monkeypatch.setattr(redis_line, "PATIENCE_SECONDS", 2.0)
    monkeypatch.setattr(redis_line, "AVOIDED_SECONDS", 600.0)
    trips: list[float] = []
    line = RedisLine(own_redis.url, on_away=lambda: trips.append(time.monotonic()))
    limiter = RedisLimiter(line)
    assert limiter.ask("caller", 3).verdict().admitted
    own_redis.hang()
    verdicts = [limiter.ask("caller", 3).verdict() for _ in range(500)]
    # Its own window: three, whatever Redis had counted; one wait and not five hundred.
    assert [verdict.admitted for verdict in verdicts] == [True] * 3 + [False] * 497
    assert (len(trips), line.is_open) == (1, False)
    own_redis.go_on()
    line._avoid_until = 0.0
    # It may still hear the one question that nobody waited for.
    assert limiter.ask("caller", 3).verdict().remaining in {0, 1}


def test_redis_going_away_between_question_and_answer_fails_nothing(own_redis: RedisServer) -> None:
    limiter = RedisLimiter(RedisLine(own_redis.url))
    limiter.ask("caller", 100).verdict()
    asked = limiter.ask("caller", 100)
    own_redis.kill()
    assert asked.verdict().admitted
    assert limiter.ask("caller", 100).verdict().admitted


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:{port}/0", "rediss://127.0.0.1:{port}/0", "redis://nowhere.invalid"]
)
def test_redis_that_never_was_there_fails_nothing(url: str) -> None:
    limiter = RedisLimiter(RedisLine(url.format(port=free_port())))
    assert [limiter.ask("caller", 2).verdict().admitted for _ in range(3)] == [True, True, False]


def test_a_redis_that_takes_no_commands_fails_nothing(redis: Redis, redis_url: str) -> None:
    redis.set("medic:limit:caller", "not a window")
    assert RedisLimiter(RedisLine(redis_url)).ask("caller", 2).verdict().admitted


def test_the_memory_is_bounded() -> None:
    limiter = MemoryLimiter()
    for number in range(MOST_CALLERS + 100):
        limiter.ask(f"caller {number}", 1)
    assert len(limiter._windows) == MOST_CALLERS
    assert not limiter.ask(f"caller {MOST_CALLERS + 99}", 1).verdict().admitted
    assert limiter.ask("caller 0", 1).verdict().admitted


def test_nobody_waits_longer_than_was_promised() -> None:
    assert redis_line.PATIENCE_SECONDS <= 0.05
    assert redis_line.AVOIDED_SECONDS >= 100 * redis_line.PATIENCE_SECONDS
