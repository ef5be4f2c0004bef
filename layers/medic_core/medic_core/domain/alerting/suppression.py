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
    flapping_until: datetime | None = None
    maintenance_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Why nobody is told now, and until when (None: until somebody changes it)."""

    because: str
    until: datetime | None


def inactive(around: Circumstances) -> Suppressed | None:
    return None if around.active else Suppressed("the service is inactive", until=None)


def maintenance(around: Circumstances) -> Suppressed | None:
    if around.maintenance_until is not None and around.now < around.maintenance_until:
        return Suppressed("the service is in maintenance", until=around.maintenance_until)
    return None


def muted(around: Circumstances) -> Suppressed | None:
    if around.muted_until is not None and around.now < around.muted_until:
        return Suppressed("the service is muted", until=around.muted_until)
    return None


def flapping(around: Circumstances) -> Suppressed | None:
    if around.flapping_until is not None and around.now < around.flapping_until:
        return Suppressed("the service is flapping", until=around.flapping_until)
    return None


Rule = Callable[[Circumstances], Suppressed | None]
#: Asked in this order; the first answer counts and is the one that people see.
RULES: tuple[Rule, ...] = (inactive, maintenance, muted, flapping)


def all_suppressed(around: Circumstances) -> list[Suppressed]:
    """Every reason that holds now."""
    return [reason for rule in RULES if (reason := rule(around)) is not None]


def suppressed(around: Circumstances) -> Suppressed | None:
    """The first reason not to tell anyone, or None."""
    return next(iter(all_suppressed(around)), None)
