"""Where notifications can go."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Channel(StrEnum):
    """How a target is reached."""

    SLACK = "slack"
    PAGERDUTY = "pagerduty"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Target:
    """Somewhere to tell people. `key` stays the same over all notifications of an alert."""

    key: str
    channel: Channel
    address: str


@dataclass(frozen=True, slots=True)
class Defaults:
    """The operator's default channel: a Slack channel id, a PagerDuty routing key, a URL; any may be empty."""

    slack_channel_id: str = ""
    pagerduty_routing_key: str = ""
    webhook_url: str = ""

    def targets(self) -> tuple[Target, ...]:
        """Those that are set."""
        possible = (
            Target("default:slack", Channel.SLACK, self.slack_channel_id),
            Target("default:pagerduty", Channel.PAGERDUTY, self.pagerduty_routing_key),
            Target("default:webhook", Channel.WEBHOOK, self.webhook_url),
        )
        return tuple(target for target in possible if target.address)
