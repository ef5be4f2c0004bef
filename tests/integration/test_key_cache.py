"""Verified keys, remembered by the instance and by a real Redis."""

from __future__ import annotations

import time

import pytest
from redis import Redis

from medic_core.adapters import key_cache
from medic_core.adapters.key_cache import KeyCache
from medic_core.domain.access.api_keys import Scope, VerifiedKey
from medic_core.store.connection import Database
from tests.builders import a_service
from tests.fixtures.functions import ADMIN_KEY, Functions

KEY = VerifiedKey("abcd", "a key", frozenset({Scope.HEARTBEAT}), "$argon2id$hash")
TEXT = "mdk_abcd_" + "s" * 43


def test_what_one_instance_learns_another_knows(redis_url: str) -> None:
    KeyCache("shared", redis_url).put(TEXT, KEY)
    assert KeyCache("shared", redis_url).get(TEXT) == KEY
    assert KeyCache("shared", redis_url).get(TEXT + "x") is None
    assert KeyCache("another secret", redis_url).get(TEXT) is None
    assert KeyCache("", redis_url).get(TEXT) is None


def test_redis_never_sees_a_key_and_can_make_none(redis_url: str) -> None:
    KeyCache("shared", redis_url).put(TEXT, KEY)
    redis = Redis.from_url(redis_url, decode_responses=True)
    (name,) = redis.keys("*")
    sealed = str(redis.get(name))
    assert "s" * 43 not in name + sealed
    assert 0 < int(redis.ttl(name)) <= key_cache.SECONDS
    redis.set(name, sealed.replace("heartbeat", "admin"))
    assert KeyCache("shared", redis_url).get(TEXT) is None
    for garbage in ("", "x", "[]", "\0" * 500):
        redis.set(name, garbage)
        assert KeyCache("shared", redis_url).get(TEXT) is None
    redis.close()


def test_a_redis_that_is_away_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    away = KeyCache("shared", "redis://127.0.0.1:1/0")
    assert away.get(TEXT) is None
    away.put(TEXT, KEY)
    assert away.get(TEXT) == KEY


def test_it_is_bounded_and_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = KeyCache("shared")
    for number in range(key_cache.MOST_KEYS + 10):
        cache.put(f"{TEXT}{number}", KEY)
    assert len(cache._kept) == key_cache.MOST_KEYS
    assert cache.get(f"{TEXT}0") is None
    cache._kept[next(reversed(cache._kept))] = (KEY, time.monotonic() - 1)
    assert cache.get(f"{TEXT}{key_cache.MOST_KEYS + 9}") is None


def test_a_new_instance_takes_heartbeats_while_the_database_is_away(
    functions: Functions, database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_service(database)
    body = {"heartbeat_name": "nightly-backup", "status": "UP"}
    ingest = functions.module("ingest")
    monkeypatch.setattr(ingest, "KEYS", KeyCache("shared", redis_url))
    assert functions.heartbeat(body).status == 201
    monkeypatch.setattr(ingest, "KEYS", KeyCache("shared", redis_url))
    ingest.DATABASE.close()
    monkeypatch.setattr(ingest, "DATABASE", Database("postgresql://medic@127.0.0.1:1/none"))
    assert functions.heartbeat(body).status == 202
    assert functions.heartbeat(body, ADMIN_KEY[:-1] + "t").status == 503
