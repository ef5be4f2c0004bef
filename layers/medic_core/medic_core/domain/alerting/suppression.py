"""Why nobody is told now: one ordered list of reasons to hold back. Asked when an alert opens, never at its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the rules look at."""

    now: datetime
    active: bool
    muted_until: datetime | None


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Why nobody is told now, and until when (None: until somebody changes it)."""

    because: str
    until: datetime | None


def inactive(around: Circumstances) -> Suppressed | None:
    return None if around.active else Suppressed("the service is inactive", until=None)


def muted(around: Circumstances) -> Suppressed | None:
    if around.muted_until is not None and around.now < around.muted_until:
        return Suppressed("the service is muted", until=around.muted_until)
    return None


Rule = Callable[[Circumstances], Suppressed | None]
#: Asked in this order; the first answer counts and is the one that people see.
RULES: tuple[Rule, ...] = (inactive, muted)


def suppressed(around: Circumstances) -> Suppressed | None:
    """The first reason not to tell anyone, or None."""
    for rule in RULES:
        reason = rule(around)
        if reason is not None:
            return reason
    return None
