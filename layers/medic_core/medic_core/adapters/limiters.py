"""Two places to keep a sliding window in: Redis, where all instances share it, and the instance's own memory.

Both keep `ports.Limiter`.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from medic_core.adapters.redis_line import RedisLine
from medic_core.domain.access.rate_limits import WINDOW_SECONDS, SlidingWindow, Verdict

#: Callers that a memory keeps; the one that was not heard for longest goes first.
MOST_CALLERS = 5000
#: Redis' own clock, so that instances whose clocks differ share one window. One script, one round trip.
#: KEYS: the window. ARGV: its length in microseconds, the limit, whether to take a place.
#: Returns: admitted, places taken, microseconds until the next place is free.
SCRIPT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local window, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local taken = redis.call('ZCARD', KEYS[1])
local admitted = 0
if taken < limit then
  admitted = 1
  if ARGV[3] == '1' then
    redis.call('ZADD', KEYS[1], now, string.format('%.0f-%d', now, taken))
    redis.call('PEXPIRE', KEYS[1], window / 1000 + 1000)
    taken = taken + 1
  end
end
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local reset = 0
if oldest[2] then reset = math.max(0, oldest[2] + window - now) end
return {admitted, taken, reset}
"""
SCRIPT_ID: Final = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
WINDOW_MICROSECONDS: Final = int(WINDOW_SECONDS * 1_000_000)
#: While so many places were free when last heard, and at least half, a request need not wait for its verdict:
#: others would have to take them all meanwhile for it to be one too many.
ROOMY: Final = 32


@dataclass(frozen=True, slots=True)
class Known:
    """A verdict that need not be waited for."""

    known: Verdict

    def verdict(self) -> Verdict:
        return self.known


class MemoryLimiter:
    """The instance's own windows, bounded."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: OrderedDict[str, SlidingWindow] = OrderedDict()

    def ask(self, caller: str, limit: int, *, takes: bool = True) -> Known:
        """Whether the caller has a place."""
        window = self._windows.setdefault(caller, SlidingWindow())
        self._windows.move_to_end(caller)
        if len(self._windows) > MOST_CALLERS:
            self._windows.popitem(last=False)
        return Known(window.ask(self._clock(), limit, takes=takes))


class RedisLimiter:
    """Windows that all instances share; the instance's own while Redis is away."""

    def __init__(self, line: RedisLine, own: MemoryLimiter | None = None) -> None:
        self._line = line
        self._own = own or MemoryLimiter()
        self._heard: OrderedDict[str, tuple[Verdict, float]] = OrderedDict()

    def ask(self, caller: str, limit: int, *, takes: bool = True) -> Asked:
        """Redis is asked at once. Only a caller who may be near the limit waits for the verdict here."""
        arguments = (1, f"medic:limit:{caller}", WINDOW_MICROSECONDS, limit, int(takes))
        question = self._line.ask("EVALSHA", SCRIPT_ID, *arguments)

        def settle() -> Verdict:
            reply = question.reply()
            if is_unknown_script(reply):
                reply = self._line.call("EVAL", SCRIPT, *arguments)
            return self._verdict(caller, limit, reply, takes=takes)

        return Asked(settle) if self._is_roomy(caller) else Asked(settle, settle())

    def _verdict(self, caller: str, limit: int, reply: Any, *, takes: bool) -> Verdict:
        if not isinstance(reply, list):
            return self._own.ask(caller, limit, takes=takes).verdict()
        admitted, taken, reset = reply
        verdict = Verdict(bool(admitted), limit, max(0, limit - taken), reset / 1_000_000)
        self._heard[caller] = (verdict, time.monotonic())
        self._heard.move_to_end(caller)
        if len(self._heard) > MOST_CALLERS:
            self._heard.popitem(last=False)
        return verdict

    def _is_roomy(self, caller: str) -> bool:
        verdict, at = self._heard.get(caller, (None, 0.0))
        return (
            verdict is not None
            and time.monotonic() - at < WINDOW_SECONDS
            and verdict.remaining >= max(ROOMY, verdict.limit / 2)
        )


def is_unknown_script(reply: object) -> bool:
    """Whether Redis has not seen the script (since it was started), and wants to hear it whole."""
    if not isinstance(reply, Exception):
        return False
    # Whoever has an error of Redis has paid for its library.
    from redis.exceptions import NoScriptError  # noqa: PLC0415

    return isinstance(reply, NoScriptError)


class Asked:
    """A question under way: its verdict can be waited for after other work."""

    def __init__(self, settle: Callable[[], Verdict], known: Verdict | None = None) -> None:
        self._settle = settle
        self.known = known

    def verdict(self) -> Verdict:
        """Wait for it, for a bounded time."""
        if self.known is None:
            self.known = self._settle()
        return self.known
