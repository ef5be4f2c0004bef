"""Verified keys, remembered while they are used so that argon2 is off the hot path.

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
from dataclasses import dataclass
from functools import cached_property

from medic_core.adapters.redis_line import RedisLine
from medic_core.credentials import SecretText
from medic_core.domain.access.api_keys import Scope, VerifiedKey
from medic_core.domain.access.rate_limits import Endpoints

#: Forgotten when it was not used for this long. What is remembered of a key in use is written down again sooner.
SECONDS = 300
NOTED_EVERY_SECONDS = 120
MOST_KEYS = 5000
DIGEST_BYTES = 32


@dataclass(slots=True)
class _Kept:
    key: VerifiedKey
    until: float


class KeyCache:
    """Bounded, and forgetting. Revocation does not wait for it: the database is asked with each use."""

    def __init__(self, secret: SecretText | str, line: RedisLine) -> None:
        self._text = secret
        # Without a shared secret, what this instance writes would be unreadable for the others.
        self._line = line if secret else RedisLine("")
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._noted_until: OrderedDict[str, float] = OrderedDict()

    @cached_property
    def _secret(self) -> bytes:
        """BLAKE2 takes keys of 64 bytes at most. Raises Unavailable."""
        text = self._text if isinstance(self._text, str) else self._text.value
        return hashlib.sha256((text or secrets.token_hex(32)).encode()).digest()

    def get(self, presented: str) -> VerifiedKey | None:
        """What is known of a key as it was presented, if it was seen lately."""
        digest, now = self._mac(b"key", presented.encode()), time.monotonic()
        kept = self._kept.get(digest)
        if kept is not None and kept.until > now:
            kept.until = now + SECONDS
            self._kept.move_to_end(digest)
            return kept.key
        found = self._from_redis(digest)
        if found is not None:
            self._keep(digest, found)
        return found

    def put(self, presented: str, key: VerifiedKey) -> None:
        """Remember a key whose secret was found right; `share` it to have other instances know."""
        self._keep(self._mac(b"key", presented.encode()), key)

    def share(self, presented: str, key: VerifiedKey) -> None:
        """Have Redis remember a key, from now on for as long as an instance would."""
        digest = self._mac(b"key", presented.encode())
        content = [key.api_key_id, key.key_id, key.name, sorted(key.scopes), key.version, dict(key.rate_limits)]
        text = json.dumps(content)
        seal = self._mac(digest.encode(), text.encode())
        self._line.call("SET", f"medic:key:{digest}", f"{seal}{text}", "EX", SECONDS)

    def forget(self, presented: str) -> None:
        """Know nothing of a key any more: it has changed."""
        self._kept.pop(self._mac(b"key", presented.encode()), None)

    def is_to_be_noted(self, key: VerifiedKey) -> bool:
        """Whether the use of a key should be written down: once in a while, not with each request."""
        now = time.monotonic()
        if self._noted_until.get(key.key_id, 0.0) > now:
            return False
        self._noted_until[key.key_id] = now + NOTED_EVERY_SECONDS
        self._noted_until.move_to_end(key.key_id)
        if len(self._noted_until) > MOST_KEYS:
            self._noted_until.popitem(last=False)
        return True

    def _keep(self, digest: str, key: VerifiedKey) -> None:
        now = time.monotonic()
        self._kept[digest] = _Kept(key, now + SECONDS)
        self._kept.move_to_end(digest)
        while len(self._kept) > MOST_KEYS:
            self._kept.popitem(last=False)

    def _mac(self, purpose: bytes, content: bytes) -> str:
        return hashlib.blake2b(purpose + b"\0" + content, key=self._secret, digest_size=DIGEST_BYTES).hexdigest()

    def _from_redis(self, digest: str) -> VerifiedKey | None:
        text = self._line.call("GET", f"medic:key:{digest}")
        return self._opened(digest, text) if isinstance(text, str) else None

    def _opened(self, digest: str, sealed: str) -> VerifiedKey | None:
        seal, text = sealed[: DIGEST_BYTES * 2], sealed[DIGEST_BYTES * 2 :]
        if not hmac.compare_digest(seal.encode(), self._mac(digest.encode(), text.encode()).encode()):
            return None
        try:
            api_key_id, key_id, name, scopes, version, limits = json.loads(text)
        except ValueError:
            # Written by a release that kept something else.
            return None
        return VerifiedKey(
            api_key_id,
            key_id,
            name,
            frozenset(map(Scope, scopes)),
            version,
            {Endpoints(kind): limit for kind, limit in limits.items()},
        )
