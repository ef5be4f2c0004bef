"""What keeps a playbook from starting by itself, asked in one order; the first answer counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

#: Executions of one service are counted over so long.
BREAKER_WINDOW = timedelta(hours=1)
#: More than this share of a trigger's services, and at least so many, within so long: that is no fault of theirs.
BRAKE_SHARE, BRAKE_AT_LEAST, BRAKE_WINDOW = 0.2, 5, timedelta(minutes=5)
#: The question about a batch is worth no answer after this.
BATCH_EXPIRES_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Start:
    """Nothing is in the way."""


@dataclass(frozen=True, slots=True)
class Hold:
    """It waits for the decision about its batch."""

    because: str


@dataclass(frozen=True, slots=True)
class Blocked:
    """It does not start."""

    because: str


Decision = Start | Hold | Blocked


@dataclass(frozen=True, slots=True)
class Situation:
    """What the guards look at. `stopped_by` is a kill switch that is thrown, `recent` the executions of the service."""

    stopped_by: str | None = None
    is_active: bool = False
    recent: int = 0
    most_recent: int = 5
    failing: int = 0
    services: int = 0
    brake_released: bool = False


def decide(situation: Situation) -> Decision:
    """Whether an automatic repair may start."""
    if situation.stopped_by is not None:
        return Blocked(situation.stopped_by)
    if situation.is_active:
        return Blocked("an execution of this playbook for this service is under way")
    if is_mass_failure(situation.failing, situation.services) and not situation.brake_released:
        return Hold(
            f"{situation.failing} of {situation.services} services of this trigger failed within "
            f"{BRAKE_WINDOW // timedelta(minutes=1)} minutes: somebody must decide for all of them"
        )
    if situation.recent >= situation.most_recent:
        return Blocked(f"circuit breaker: {situation.recent} executions for this service within an hour")
    return Start()


def is_mass_failure(failing: int, services: int) -> bool:
    """Whether so many of a trigger's services fail that each repaired by itself would do harm."""
    return failing >= BRAKE_AT_LEAST and failing > BRAKE_SHARE * services
