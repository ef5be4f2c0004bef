"""Verified keys, remembered for a few minutes so that argon2 is off the hot path.

In the instance, and in Redis so that a new instance knows what the others do, also while the database is away.
Never the key: a digest of it under a secret that Redis does not hold; what is kept under it is sealed with the
same secret, so that nobody who can write to Redis can make a key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from medic_core.domain.access.api_keys import Scope, VerifiedKey

if TYPE_CHECKING:
    from redis import Redis

SECONDS = 300
MOST_KEYS = 5000
DIGEST_BYTES = 32
#: Redis may cost this much and no more; when it has failed, it is not asked again for a while.
REDIS_PATIENCE_SECONDS = 0.05
REDIS_AVOIDED_SECONDS = 5.0


class KeyCache:
    """Bounded, and forgetting. Revocation does not wait for it: the database is asked with each use."""

    def __init__(self, secret: str = "", redis_url: str = "") -> None:
        # BLAKE2 takes keys of 64 bytes at most.
        self._secret = hashlib.sha256((secret or secrets.token_hex(32)).encode()).digest()
        # Without a shared secret, what this instance writes would be unreadable for the others.
        self._redis_url = redis_url if secret else ""
        self._kept: OrderedDict[str, tuple[VerifiedKey, float]] = OrderedDict()
        self._avoid_redis_until = 0.0

    def get(self, presented: str) -> VerifiedKey | None:
        """What is known of a key as it was presented, if it was seen lately."""
        digest = self._mac(b"key", presented.encode())
        kept = self._kept.get(digest)
        if kept is not None and kept[1] > time.monotonic():
            return kept[0]
        found = self._from_redis(digest)
        if found is not None:
            self._keep(digest, found)
        return found

    def put(self, presented: str, key: VerifiedKey) -> None:
        """Remember a key whose secret was found right."""
        digest = self._mac(b"key", presented.encode())
        self._keep(digest, key)
        self._to_redis(digest, key)

    def _keep(self, digest: str, key: VerifiedKey) -> None:
        self._kept[digest] = (key, time.monotonic() + SECONDS)
        self._kept.move_to_end(digest)
        while len(self._kept) > MOST_KEYS:
            self._kept.popitem(last=False)

    def _mac(self, purpose: bytes, content: bytes) -> str:
        return hashlib.blake2b(purpose + b"\0" + content, key=self._secret, digest_size=DIGEST_BYTES).hexdigest()

    @cached_property
    def _redis(self) -> Redis:
        from redis import Redis  # noqa: PLC0415  (as in _ask_redis)

        return Redis.from_url(
            self._redis_url,
            socket_timeout=REDIS_PATIENCE_SECONDS,
            socket_connect_timeout=REDIS_PATIENCE_SECONDS,
            decode_responses=True,
        )

    def _from_redis(self, digest: str) -> VerifiedKey | None:
        text = self._ask_redis(lambda redis: redis.get(f"medic:key:{digest}"))
        return self._opened(digest, text) if isinstance(text, str) else None

    def _to_redis(self, digest: str, key: VerifiedKey) -> None:
        text = json.dumps([key.key_id, key.name, sorted(key.scopes), key.secret_hash])
        seal = self._mac(digest.encode(), text.encode())
        self._ask_redis(lambda redis: redis.set(f"medic:key:{digest}", f"{seal}{text}", ex=SECONDS))

    def _ask_redis(self, question: Callable[[Redis], object]) -> object:
        """What Redis says; None where there is none, or it is away: then nobody asks again for a while."""
        if not self._redis_url or time.monotonic() < self._avoid_redis_until:
            return None
        # 50-100 ms to import, and needed only when a key is seen for the first time.
        from redis import RedisError  # noqa: PLC0415

        try:
            return question(self._redis)
        except RedisError:
            self._avoid_redis_until = time.monotonic() + REDIS_AVOIDED_SECONDS
            return None

    def _opened(self, digest: str, sealed: str) -> VerifiedKey | None:
        seal, text = sealed[: DIGEST_BYTES * 2], sealed[DIGEST_BYTES * 2 :]
        if not hmac.compare_digest(seal, self._mac(digest.encode(), text.encode())):
            return None
        key_id, name, scopes, secret_hash = json.loads(text)
        return VerifiedKey(key_id, name, frozenset(map(Scope, scopes)), secret_hash)
