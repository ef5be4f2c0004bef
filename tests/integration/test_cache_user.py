"""What the data stack lets Medic do in its cache is what Medic does there, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from local.template import Template
from medic_core.adapters.key_cache import KeyCache
from medic_core.adapters.limiters import RedisLimiter
from medic_core.adapters.redis_line import RedisLine
from medic_core.domain.access.api_keys import Scope, VerifiedKey
from tests.conftest import ROOT

RULES: str = Template(ROOT / "infra" / "data.yaml").content["Resources"]["CacheUser"]["Properties"]["AccessString"]
PASSWORD = "of-the-cache"


@pytest.fixture
def as_user(redis_url: str) -> Iterator[str]:
    """The address of Redis for the user whom the data stack makes."""
    with Redis.from_url(redis_url) as redis:
        redis.execute_command("ACL", "SETUSER", "medic", "reset", *RULES.split(), f">{PASSWORD}")
        yield redis_url.replace("://", f"://medic:{PASSWORD}@" if urlsplit(redis_url).hostname else "://", 1)
        redis.execute_command("ACL", "DELUSER", "medic")


def test_limits_are_kept_for_all_instances(as_user: str) -> None:
    one, another = RedisLimiter(RedisLine(as_user)), RedisLimiter(RedisLine(as_user))
    verdicts = [limiter.ask("caller", 3).verdict() for limiter in (one, another) * 2]
    assert [verdict.admitted for verdict in verdicts] == [True, True, True, False]
    assert [verdict.remaining for verdict in verdicts] == [2, 1, 0, 0]


def test_a_verified_key_is_known_to_another_instance(as_user: str) -> None:
    key = VerifiedKey(1, "abcd", "deploys", frozenset({Scope.HEARTBEAT}), 1, {})
    KeyCache("a secret", RedisLine(as_user)).share("mdk_abcd_text", key)
    assert KeyCache("a secret", RedisLine(as_user)).get("mdk_abcd_text") == key


@pytest.mark.parametrize(
    "command", ["FLUSHALL", "KEYS *", "CONFIG GET *", "ACL LIST", "GET another:key", "DEL medic:x"]
)
def test_nothing_else_can_be_done_there(as_user: str, command: str) -> None:
    with Redis.from_url(as_user) as redis, pytest.raises(NoPermissionError):
        redis.execute_command(*command.split())
