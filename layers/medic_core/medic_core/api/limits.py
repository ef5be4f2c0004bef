"""How many requests a caller may make: every answer says how many are left."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping

from medic_core.adapters.limiters import MemoryLimiter, RedisLimiter
from medic_core.adapters.redis_line import RedisLine
from medic_core.api import answers
from medic_core.api.answers import Answer
from medic_core.config import LimiterType, Settings
from medic_core.domain.access.api_keys import VerifiedKey
from medic_core.domain.access.rate_limits import Endpoints, Verdict
from medic_core.domain.watching.signals import BySlug, Whom
from medic_core.errors import MedicError, TooManyRequests
from medic_core.ports import Asked, Limiter


class Limits:
    """The limits of each kind of endpoint, asked of one limiter."""

    def __init__(self, limiter: Limiter, allowed: Mapping[Endpoints, int]) -> None:
        self._limiter = limiter
        self._allowed = allowed

    @classmethod
    def from_settings(cls, settings: Settings, line: RedisLine) -> Limits:
        """With the limiter that the operator chose. Raises ValueError where it cannot be had."""
        if settings.limiter_type is LimiterType.REDIS and not settings.redis:
            raise ValueError("MEDIC_RATE_LIMITER_TYPE is redis, but REDIS_URL is empty")
        in_memory = settings.limiter_type is LimiterType.MEMORY or not settings.redis
        return cls(MemoryLimiter() if in_memory else RedisLimiter(line), settings.rate_limits)

    def of_key(self, endpoints: Endpoints, key: VerifiedKey) -> Admission:
        """A request with a verified key, counted against that key. Raises TooManyRequests."""
        limit = key.rate_limits.get(endpoints, self._allowed[endpoints])
        return self._admit(self._limiter.ask(f"{endpoints}:key:{key.api_key_id}", limit))

    def of_address(self, endpoints: Endpoints, address: str) -> Admission:
        """A request without a verified key, counted against where it came from. Raises TooManyRequests."""
        return self._admit(self._limiter.ask(f"{endpoints}:address:{address}", self._allowed[endpoints]))

    def of_ping(self, whom: Whom) -> Admission:
        """A ping, counted against the service that it names. Raises TooManyRequests."""
        named = (whom.ping_key, whom.slug) if isinstance(whom, BySlug) else whom
        # What a ping URL says is a secret: it does not become a name in Redis.
        digest = hashlib.blake2b(repr(named).encode(), digest_size=16).hexdigest()
        return self._admit(self._limiter.ask(f"ping:{digest}", self._allowed[Endpoints.HEARTBEAT]))

    def look_at_address(self, endpoints: Endpoints, address: str) -> None:
        """Whether an address may try a key that nobody has seen lately. Raises TooManyRequests."""
        self._admit(self._limiter.ask(f"{endpoints}:address:{address}", self._allowed[endpoints], takes=False))

    def _admit(self, asked: Asked) -> Admission:
        if asked.known is not None and not asked.known.admitted:
            raise _refusal(asked.known)
        return Admission(asked)


class Admission:
    """A request that may go on, though its verdict may still be on its way."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def certain(self) -> None:
        """Wait for the verdict, before something is done that counts. Raises TooManyRequests."""
        verdict = self._asked.verdict()
        if not verdict.admitted:
            raise _refusal(verdict)

    def stamped(self, answer: Answer, failed: Callable[[MedicError], Answer] = answers.failed) -> Answer:
        """The answer with what is left of the limit; the refusal, where it turns out that nothing was."""
        verdict = self._asked.verdict()
        if not verdict.admitted:
            return failed(_refusal(verdict))
        answer["headers"].update(_headers(verdict))
        return answer


def _refusal(verdict: Verdict) -> TooManyRequests:
    wait = verdict.retry_after
    message = f"More than {verdict.limit} requests a minute. Try again in {wait} s."
    return TooManyRequests(message, {**_headers(verdict), "Retry-After": str(wait)})


def _headers(verdict: Verdict) -> dict[str, str]:
    """`X-RateLimit-Reset` is a Unix time in whole seconds: when the next place becomes free."""
    return {
        "X-RateLimit-Limit": str(verdict.limit),
        "X-RateLimit-Remaining": str(verdict.remaining),
        "X-RateLimit-Reset": str(math.ceil(time.time() + verdict.reset_seconds)),
    }
