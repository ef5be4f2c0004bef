"""Who is told of a notification, and why: the plan that the router follows."""

from __future__ import annotations

from dataclasses import dataclass

from medic_core.domain.routing.targets import Defaults, Target

#: The delivery that stands for "nobody could be told", so that it shows.
NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Planned:
    """A delivery to make, and why this target."""

    target: Target
    because: str


def plan(defaults: Defaults) -> tuple[Planned, ...]:
    """The deliveries of one notification; empty where nothing is configured, which is an operator's error."""
    return tuple(Planned(target, "the default channel") for target in defaults.targets())
