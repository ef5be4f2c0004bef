"""Verified keys, remembered by the instance and by a real Redis."""

from __future__ import annotations

from dataclasses import replace

import pytest
from redis import Redis

from medic_core.adapters import key_cache
from medic_core.adapters.key_cache import KeyCache
from medic_core.adapters.redis_line import RedisLine
from medic_core.api.authentication import Authenticator
from medic_core.domain.access.api_keys import Scope, VerifiedKey
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.store.connection import Database
from tests.builders import a_service, away
from tests.fixtures.functions import ADMIN_KEY, Functions

KEY = VerifiedKey(7, "abcd", "a key", frozenset({Scope.HEARTBEAT}), 3, {Endpoints.HEARTBEAT: 500})
TEXT = "mdk_abcd_" + "s" * 43


def a_cache(redis_url: str, secret: str = "shared") -> KeyCache:
    return KeyCache(secret, RedisLine(redis_url))


def test_what_one_instance_learns_another_knows(redis_url: str) -> None:
    a_cache(redis_url).share(TEXT, KEY)
    assert a_cache(redis_url).get(TEXT) == KEY
    assert a_cache(redis_url).get(TEXT + "x") is None
    assert a_cache(redis_url, "another secret").get(TEXT) is None
    assert a_cache(redis_url, "").get(TEXT) is None


def test_redis_never_sees_a_key_and_can_make_none(redis_url: str) -> None:
    a_cache(redis_url).share(TEXT, KEY)
    redis = Redis.from_url(redis_url, decode_responses=True)
    (name,) = redis.keys("*")
    sealed = str(redis.get(name))
    assert "s" * 43 not in name + sealed
    assert 0 < int(redis.ttl(name)) <= key_cache.SECONDS
    redis.set(name, sealed.replace("heartbeat", "admin"))
    assert a_cache(redis_url).get(TEXT) is None
    for garbage in ("", "x", "[]", "\0" * 500, "é" * 80):
        redis.set(name, garbage)
        assert a_cache(redis_url).get(TEXT) is None
    redis.close()


def test_a_redis_that_is_away_is_not_waited_for() -> None:
    cache = a_cache("redis://127.0.0.1:1/0")
    assert cache.get(TEXT) is None
    cache.put(TEXT, KEY)
    cache.share(TEXT, KEY)
    assert cache.get(TEXT) == KEY


def test_it_is_bounded() -> None:
    cache = KeyCache("shared", RedisLine(""))
    for number in range(key_cache.MOST_KEYS + 10):
        cache.put(f"{TEXT}{number}", KEY)
    assert len(cache._kept) == key_cache.MOST_KEYS
    assert cache.get(f"{TEXT}9") is None
    assert cache.get(f"{TEXT}10") == KEY


def test_what_is_used_is_remembered_and_what_is_not_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 1000.0
    monkeypatch.setattr(key_cache.time, "monotonic", lambda: clock)
    cache = KeyCache("shared", RedisLine(""))
    cache.put(TEXT, KEY)
    assert [cache.is_to_be_noted(KEY), cache.is_to_be_noted(KEY)] == [True, False]
    for _ in range(20):
        clock += key_cache.SECONDS - 1
        assert cache.get(TEXT) == KEY
    assert [cache.is_to_be_noted(KEY), cache.is_to_be_noted(KEY)] == [True, False]
    clock += key_cache.SECONDS
    assert cache.get(TEXT) is None
    for number in range(key_cache.MOST_KEYS + 10):
        cache.is_to_be_noted(replace(KEY, key_id=f"key{number}"))
    assert len(cache._noted_until) == key_cache.MOST_KEYS


def test_a_new_instance_takes_heartbeats_while_the_database_is_away(
    functions: Functions, database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_service(database)
    body = {"heartbeat_name": "nightly-backup", "status": "UP"}
    ingest = functions.module("ingest")
    monkeypatch.setattr(ingest, "KEYS", Authenticator(ingest.DATABASE, a_cache(redis_url)))
    assert functions.heartbeat(body).status == 201
    monkeypatch.setattr(ingest, "KEYS", Authenticator(ingest.DATABASE, a_cache(redis_url)))
    with away(ingest.DATABASE):
        assert functions.heartbeat(body).status == 202
        assert functions.heartbeat(body, ADMIN_KEY[:-1] + "t").status == 503
