"""What everybody may know of the services on a public page: how they do, in few words, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from medic_core.domain.watching.names import name_key
from medic_core.domain.watching.periods import Outage

#: What a page may be called: it is a part of its address.
STATUS_PAGE = re.compile(r"^[a-z0-9][a-z0-9-]{0,62}$")
NOT_OF_AN_ADDRESS = re.compile(r"[\W_]+")


class PublicState(StrEnum):
    """How a service does, the worst first."""

    DOWN = "down"  #: silent past its deadline, failing, or down by its own words
    LATE = "late"  #: past its time, and within its grace
    DEGRADED = "degraded"  #: heard in time, and not well
    NEW = "new"  #: never heard yet
    MAINTENANCE = "maintenance"  #: its silence is expected
    PAUSED = "paused"  #: nobody looks
    UP = "up"  #: heard in time, and well


class Mood(StrEnum):
    """What is said of several together."""

    BAD = "bad"  #: one is down
    WARN = "warn"  #: none is down, and one might be soon
    GOOD = "good"
    IDLE = "idle"  #: none is watched now: nobody can say


WORDS = {
    PublicState.DOWN: "down",
    PublicState.LATE: "late",
    PublicState.DEGRADED: "degraded",
    PublicState.NEW: "not heard yet",
    PublicState.MAINTENANCE: "under maintenance",
    PublicState.PAUSED: "paused",
    PublicState.UP: "operational",
}
#: In the order of the states; what is new or looked after is no trouble.
TROUBLES = (PublicState.DOWN, PublicState.LATE, PublicState.DEGRADED)
HEADLINES = {
    Mood.BAD: "Something is wrong",
    Mood.WARN: "Something is not quite right",
    Mood.GOOD: "All is well",
    Mood.IDLE: "Nothing is watched right now",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One state for several services, and the words for it."""

    state: PublicState
    message: str

    @property
    def mood(self) -> Mood:
        match self.state:
            case PublicState.DOWN:
                return Mood.BAD
            case PublicState.LATE | PublicState.DEGRADED:
                return Mood.WARN
            case PublicState.UP:
                return Mood.GOOD
            case _:
                return Mood.IDLE


def public_state(status: str, *, in_maintenance: bool, in_trouble: bool) -> PublicState:
    """How a service does for everybody.

    `in_trouble` is whether an alert is open: who was never heard in time is down, and who
    runs for too long is not well.
    """
    if status == PublicState.PAUSED:
        return PublicState.PAUSED
    if in_maintenance:
        return PublicState.MAINTENANCE
    if in_trouble and status == PublicState.NEW:
        return PublicState.DOWN
    if in_trouble and status == PublicState.UP:
        return PublicState.DEGRADED
    return PublicState(status)


def verdict(counts: Mapping[PublicState, int]) -> Verdict:
    """What to say of so many services in each state: the worst trouble with how many have it, else how they do.

    One that works is enough where others are new, paused or looked after. There must be one at least.
    """
    total = sum(counts.values())
    for state in TROUBLES:
        if counts.get(state):
            of_all = f"{counts[state]} of {total} " if total > 1 else ""
            return Verdict(state, f"{of_all}{WORDS[state]}")
    state = PublicState.UP if counts.get(PublicState.UP) else next(one for one in PublicState if counts.get(one))
    return Verdict(state, WORDS[state])


def since(
    state: PublicState, opened_at: datetime | None, due_at: datetime | None, outages: Iterable[Outage]
) -> datetime | None:
    """Since when it is so; None where nobody knows, as for what has been well all the time."""
    match state:
        case PublicState.DOWN | PublicState.DEGRADED:
            return opened_at
        case PublicState.LATE:
            return due_at
        case PublicState.UP:
            return max((one.ended for one in outages if one.ended is not None), default=None)
        case _:
            return None


def address_of(service_name: str) -> str:
    """What a service is called in the address of its badge: its public name, in whatever script that is written."""
    return NOT_OF_AN_ADDRESS.sub("-", name_key(service_name)).strip("-") or "service"
