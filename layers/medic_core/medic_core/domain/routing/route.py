"""Who is told of an alert, in which order, and why not the others: what the router follows and previews show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from medic_core.domain.alerting.alerts import Priority
from medic_core.domain.routing.targets import ConfiguredTarget, Defaults, Mode, Target
from medic_core.domain.routing.working_hours import Period, WorkingHours, period_at

#: The delivery that stands for "nobody could be told", so that it shows.
NOBODY = "nobody"
DISABLED = "it is disabled"


@dataclass(frozen=True, slots=True)
class Reachable:
    """All who could be told of a service's alerts. `of_service` and `of_team` are in the order of their making."""

    of_service: tuple[ConfiguredTarget, ...] = ()
    of_team: tuple[ConfiguredTarget, ...] = ()
    team_channel: Target | None = None
    defaults: Defaults = field(default_factory=Defaults)
    webhooks: tuple[Target, ...] = ()
    hours: WorkingHours | None = None
    mode: Mode = Mode.NOTIFY_ALL


@dataclass(frozen=True, slots=True)
class Planned:
    """A delivery to make, and why this target. `position` is its place where only one is to be told, from 0."""

    target: Target
    because: str
    position: int | None = None


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A target that is not told, and why not."""

    target: Target
    because: str
    is_disabled: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """Who is told of an alert, in order, and who is not."""

    period: Period
    planned: tuple[Planned, ...]
    passed_over: tuple[PassedOver, ...]


def route(reachable: Reachable, priority: Priority, at: datetime) -> Route:
    """Of these, the first that has anybody, and every webhook. Nobody at all is an operator's error.

    The service's own targets for this time and urgency, its team's, the team's Slack channel, the default channel.
    """
    period = period_at(reachable.hours, at)
    told: list[_Candidate] = []
    passed_over: list[PassedOver] = []
    for group in _groups(reachable, priority, period):
        instead = f"{told[0].because} is told instead" if told else None
        willing = [one for one in group if one.why_not is None and instead is None]
        told += willing
        for one in group:
            why_not = one.why_not or instead
            if why_not is not None:
                passed_over.append(PassedOver(one.target, why_not, one.is_disabled))
    in_a_chain = reachable.mode is Mode.NOTIFY_UNTIL_SUCCESS
    planned = [Planned(one.target, one.because, position if in_a_chain else None) for position, one in enumerate(told)]
    planned += [Planned(webhook, f"webhook {webhook.webhook_id}") for webhook in reachable.webhooks]
    return Route(period, tuple(planned), tuple(passed_over))


@dataclass(frozen=True, slots=True)
class _Candidate:
    target: Target
    because: str
    why_not: str | None = None
    is_disabled: bool = False


def _groups(reachable: Reachable, priority: Priority, period: Period) -> Iterator[list[_Candidate]]:
    """Those of whom the first that has anybody willing is told, in that order."""
    for whose, configured in (("the service", reachable.of_service), ("its team", reachable.of_team)):
        # By priority; those with the same one in the order of their making (sorting keeps it).
        yield [
            _Candidate(one.target, f"a target of {whose}", _why_not(one, priority, period), not one.enabled)
            for one in sorted(configured, key=lambda one: one.priority)
        ]
    yield [_Candidate(reachable.team_channel, "the team's Slack channel")] if reachable.team_channel else []
    yield [_Candidate(target, "the default channel") for target in reachable.defaults.targets()]


def _why_not(one: ConfiguredTarget, priority: Priority, period: Period) -> str | None:
    if not one.enabled:
        return DISABLED
    if one.period not in {Period.ALWAYS, period}:
        return f"it is told {_spoken(one.period)}, and this is {_spoken(period)}"
    # The names sort as they mean: p1 is the most urgent.
    if one.min_priority is not None and priority > one.min_priority:
        return f"it is told of {one.min_priority} and more urgent alerts, and this is {priority}"
    return None


def _spoken(period: Period) -> str:
    return period.replace("_", " ")
