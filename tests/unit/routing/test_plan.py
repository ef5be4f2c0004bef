from __future__ import annotations

import pytest

from medic_core.domain.routing.plan import plan
from medic_core.domain.routing.targets import Channel, Defaults, Target

SLACK = Target("default:slack", Channel.SLACK, "C1")
PAGERDUTY = Target("default:pagerduty", Channel.PAGERDUTY, "R1")
WEBHOOK = Target("default:webhook", Channel.WEBHOOK, "https://hooks.example")


@pytest.mark.parametrize(
    ("defaults", "targets"),
    [
        (Defaults(), ()),
        (Defaults("C1"), (SLACK,)),
        (Defaults(pagerduty_routing_key="R1"), (PAGERDUTY,)),
        (Defaults(webhook_url="https://hooks.example"), (WEBHOOK,)),
        (Defaults("C1", webhook_url="https://hooks.example"), (SLACK, WEBHOOK)),
        (Defaults("C1", "R1", "https://hooks.example"), (SLACK, PAGERDUTY, WEBHOOK)),
    ],
)
def test_everyone_who_is_configured_is_told_and_it_may_be_nobody(
    defaults: Defaults, targets: tuple[Target, ...]
) -> None:
    planned = plan(defaults)
    assert tuple(one.target for one in planned) == targets
    assert {one.because for one in planned} <= {"the default channel"}


def test_each_target_has_a_key_of_its_own() -> None:
    keys = [one.target.key for one in plan(Defaults("same", "same", "same"))]
    assert len(set(keys)) == len(keys) == len(Channel)
