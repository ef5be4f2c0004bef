"""A service that goes down and up too often: people hear of that once, and of its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from medic_core.domain.watching.lengths import spoken

DEFAULT_MAX_CHANGES = 10
DEFAULT_WINDOW = timedelta(hours=1)
#: So many changes are remembered of each service, and can be allowed.
MOST_CHANGES = 50


@dataclass(frozen=True, slots=True)
class FlapLimit:
    """More than `changes` between down and not down within `window` is flapping."""

    changes: int = DEFAULT_MAX_CHANGES
    window: timedelta = DEFAULT_WINDOW


@dataclass(frozen=True, slots=True)
class Steadiness:
    """When a service last went down or came back, newest first, and until when it counts as flapping if it does."""

    changes: tuple[datetime, ...] = ()
    flapping_until: datetime | None = None

    def is_flapping(self, now: datetime) -> bool:
        """Whether its openings and recoveries are held."""
        return self.flapping_until is not None and now < self.flapping_until


STEADY = Steadiness()


def changed(known: Steadiness, at: datetime, limit: FlapLimit | None) -> Steadiness:
    """After one more change. It flaps for a whole window after its last change; without a limit it never does."""
    if limit is None:
        return STEADY
    changes = (at, *known.changes)[: MOST_CHANGES + 1]
    lately = sum(at - change <= limit.window for change in changes)
    flaps = known.is_flapping(at) or lately > limit.changes
    return Steadiness(changes, at + limit.window if flaps else known.flapping_until)


def begins(known: Steadiness, after: Steadiness, now: datetime) -> bool:
    """Whether this change made it flap: the one moment when people are told."""
    return after.is_flapping(now) and not known.is_flapping(now)


def why(steadiness: Steadiness, now: datetime, limit: FlapLimit) -> str:
    """What people are told."""
    lately = [change for change in steadiness.changes if now - change <= limit.window]
    return (
        f"it went down or came back {len(lately)} times since {min(lately):%Y-%m-%d %H:%M:%S} UTC; "
        f"you will hear of it again when it has been stable for {spoken(limit.window)}"
    )
