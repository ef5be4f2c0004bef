"""Who is told: tables, and against a naive specification that says the same in another way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.alerting.alerts import Priority
from medic_core.domain.routing.route import DISABLED, Reachable, Route, route
from medic_core.domain.routing.targets import Channel, ConfiguredTarget, Defaults, Mode, Target
from medic_core.domain.routing.working_hours import Period, WorkingHours, read_ranges

OFFICE = WorkingHours("UTC", read_ranges({"monday": [{"start": "09:00", "end": "17:00"}]}))
DAY = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
NIGHT = datetime(2026, 3, 2, 22, tzinfo=UTC)
DEFAULT = Defaults("C-default")
TEAM = Target("team:1", Channel.SLACK, "C-team")
HOOK = Target("webhook:9", Channel.WEBHOOK, "https://example.com", webhook_id=9)


def a_target(number: int, **wanted: Any) -> ConfiguredTarget:
    return ConfiguredTarget(Target(f"target:{number}", Channel.SLACK, f"C{number}", target_id=number), **wanted)


def told(found: Route) -> list[str]:
    return [one.target.key for one in found.planned]


def at(
    of_service: tuple[ConfiguredTarget, ...] = (),
    of_team: tuple[ConfiguredTarget, ...] = (),
    when: datetime = DAY,
    priority: Priority = Priority.P3,
    **wanted: Any,
) -> Route:
    known = {"team_channel": TEAM, "defaults": DEFAULT, "hours": OFFICE} | wanted
    return route(Reachable(of_service, of_team, **known), priority, when)


@pytest.mark.parametrize(
    ("defaults", "keys"),
    [
        (Defaults(), []),
        (Defaults("C1"), ["default:slack"]),
        (Defaults(pagerduty_routing_key="R1"), ["default:pagerduty"]),
        (Defaults(webhook_url="https://hooks.example"), ["default:webhook"]),
        (Defaults("C1", "R1", "https://x.example"), ["default:slack", "default:pagerduty", "default:webhook"]),
    ],
)
def test_who_has_nothing_of_its_own_has_the_default_channel_which_may_be_nobody(
    defaults: Defaults, keys: list[str]
) -> None:
    assert told(route(Reachable(defaults=defaults), Priority.P1, DAY)) == keys


def test_the_chain_of_those_who_are_told() -> None:
    own, teams = (a_target(1),), (a_target(2),)
    assert told(at(own, teams)) == ["target:1"]
    assert told(at((), teams)) == ["target:2"]
    assert told(at()) == ["team:1"]
    assert told(at(team_channel=None)) == ["default:slack"]
    assert told(at(team_channel=None, defaults=Defaults())) == []


def test_webhooks_are_told_besides() -> None:
    assert told(at((a_target(1),), webhooks=(HOOK,))) == ["target:1", "webhook:9"]
    assert told(at(team_channel=None, defaults=Defaults(), webhooks=(HOOK,))) == ["webhook:9"]


def test_periods() -> None:
    targets = (
        a_target(1, period=Period.DURING_HOURS),
        a_target(2, period=Period.AFTER_HOURS),
        a_target(3, period=Period.ALWAYS),
    )
    assert told(at(targets)) == ["target:1", "target:3"]
    assert told(at(targets, when=NIGHT)) == ["target:2", "target:3"]
    assert told(at(targets, when=NIGHT, hours=None)) == ["target:1", "target:3"]
    assert told(at(targets[:1], when=NIGHT)) == ["team:1"]


@pytest.mark.parametrize(
    ("least", "priority", "is_told"),
    [(None, "p5", True), ("p1", "p1", True), ("p1", "p2", False), ("p3", "p2", True), ("p3", "p4", False)],
)
def test_a_target_for_urgent_alerts_only(least: str | None, priority: str, is_told: bool) -> None:
    found = at((a_target(1, min_priority=Priority(least) if least else None),), priority=Priority(priority))
    assert told(found) == (["target:1"] if is_told else ["team:1"])


def test_lower_numbers_come_first_and_equals_in_the_order_of_their_making() -> None:
    targets = (a_target(1, priority=5), a_target(2, priority=1), a_target(3, priority=5))
    assert told(at(targets)) == ["target:2", "target:1", "target:3"]
    chain = at(targets, mode=Mode.NOTIFY_UNTIL_SUCCESS, webhooks=(HOOK,))
    assert [one.position for one in chain.planned] == [0, 1, 2, None]


def test_each_who_is_not_told_hears_why_not() -> None:
    own = (a_target(1), a_target(2, enabled=False), a_target(3, period=Period.AFTER_HOURS))
    found = at(own, (a_target(4),), priority=Priority.P3)
    assert {one.target.key: one.because for one in found.passed_over} == {
        "target:2": DISABLED,
        "target:3": "it is told after hours, and this is during hours",
        "target:4": "a target of the service is told instead",
        "team:1": "a target of the service is told instead",
        "default:slack": "a target of the service is told instead",
    }
    assert [one.target.key for one in found.passed_over if one.is_disabled] == ["target:2"]


PERIODS = st.sampled_from(list(Period))
PRIORITIES = st.sampled_from(list(Priority))
TARGETS = st.builds(
    dict,
    priority=st.integers(0, 3),
    period=PERIODS,
    min_priority=st.none() | PRIORITIES,
    enabled=st.booleans(),
)


def naive(reachable: Reachable, priority: Priority, when: datetime) -> list[tuple[str, int | None]]:
    """The rule in other words: drop who is not meant, take the first group that is left, count it off."""
    is_day = reachable.hours is None or (when.weekday() == 0 and 9 <= when.hour < 17)
    groups: list[list[str]] = []
    for configured in (reachable.of_service, reachable.of_team):
        left = list(configured)
        left = [one for one in left if one.enabled]
        left = [one for one in left if one.period != ("after_hours" if is_day else "during_hours")]
        left = [one for one in left if one.min_priority is None or int(priority[1]) <= int(one.min_priority[1])]
        numbered = sorted((one.priority, index, one.target.key) for index, one in enumerate(left))
        groups.append([key for _, _, key in numbered])
    groups.append([reachable.team_channel.key] if reachable.team_channel else [])
    groups.append([target.key for target in reachable.defaults.targets()])
    first = next((group for group in groups if group), [])
    chained = reachable.mode == "notify_until_success"
    return [(key, place if chained else None) for place, key in enumerate(first)] + [
        (webhook.key, None) for webhook in reachable.webhooks
    ]


@given(
    own=st.lists(TARGETS, max_size=6),
    teams=st.lists(TARGETS, max_size=4),
    team_channel=st.booleans(),
    defaults=st.builds(Defaults, st.sampled_from(["", "C"]), st.sampled_from(["", "R"]), st.sampled_from(["", "u"])),
    webhooks=st.integers(0, 3),
    hours=st.sampled_from([None, OFFICE]),
    mode=st.sampled_from(list(Mode)),
    priority=PRIORITIES,
    when=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_it_is_the_naive_specification(
    own: list[dict[str, Any]], teams: list[dict[str, Any]], team_channel: bool, defaults: Defaults, webhooks: int,
    hours: WorkingHours | None, mode: Mode, priority: Priority, when: datetime,
) -> None:  # fmt: skip
    reachable = Reachable(
        of_service=tuple(a_target(number, **wanted) for number, wanted in enumerate(own, 1)),
        of_team=tuple(a_target(number, **wanted) for number, wanted in enumerate(teams, 100)),
        team_channel=TEAM if team_channel else None,
        defaults=defaults,
        webhooks=tuple(Target(f"webhook:{n}", Channel.WEBHOOK, "u", webhook_id=n) for n in range(webhooks)),
        hours=hours,
        mode=mode,
    )
    found = route(reachable, priority, when)
    assert [(one.target.key, one.position) for one in found.planned] == naive(reachable, priority, when)
    everyone = [*(one.target.key for one in (*reachable.of_service, *reachable.of_team)), *(["team:1"] * team_channel)]
    everyone += [target.key for target in (*defaults.targets(), *reachable.webhooks)]
    mentioned = told(found) + [one.target.key for one in found.passed_over]
    assert sorted(mentioned) == sorted(everyone)
