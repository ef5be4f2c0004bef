"""How many requests a minute: a sliding window, so that no minute has more, wherever it begins."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

WINDOW_SECONDS = 60.0


class Endpoints(StrEnum):
    """Kinds of endpoint; each has a limit of its own, and is counted apart."""

    HEARTBEAT = "heartbeat"
    MANAGEMENT = "management"
    HEALTH = "health"
    METRICS = "metrics"
    DOCS = "docs"
    EXECUTION = "execution"  #: starting playbooks
    PAGE = "page"  #: what people look at


#: Requests a minute for each caller, where nobody said otherwise.
DEFAULTS = {
    Endpoints.HEARTBEAT: 100,
    Endpoints.MANAGEMENT: 20,
    Endpoints.HEALTH: 1000,
    Endpoints.METRICS: 100,
    Endpoints.DOCS: 60,
    Endpoints.EXECUTION: 10,
    Endpoints.PAGE: 300,
}
#: More is no limit at all, and fills the window's memory.
HIGHEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request is admitted. `reset_seconds` is when the next place in the window becomes free."""

    admitted: bool
    limit: int
    remaining: int
    reset_seconds: float

    @property
    def retry_after(self) -> int:
        """Whole seconds after which trying again makes sense."""
        return max(1, math.ceil(self.reset_seconds))


@dataclass(slots=True)
class SlidingWindow:
    """The requests that one caller was admitted with in the last window, oldest first.

    One that is exactly a window old does not count any more. A clock that steps back frees nothing.
    """

    admitted_at: deque[float] = field(default_factory=deque)

    def ask(self, now: float, limit: int, *, takes: bool = True) -> Verdict:
        """Admit a request at `now` (seconds) if there is a place; without `takes`, only look."""
        while self.admitted_at and self.admitted_at[0] <= now - WINDOW_SECONDS:
            self.admitted_at.popleft()
        admitted = len(self.admitted_at) < limit
        if admitted and takes:
            self.admitted_at.append(now)
        oldest = self.admitted_at[0] if self.admitted_at else now - WINDOW_SECONDS
        remaining = max(0, limit - len(self.admitted_at))
        return Verdict(admitted, limit, remaining, max(0.0, oldest + WINDOW_SECONDS - now))
