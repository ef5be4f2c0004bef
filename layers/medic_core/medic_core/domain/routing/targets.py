"""Where notifications can go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from medic_core.domain.alerting.alerts import Priority
from medic_core.domain.routing.working_hours import Period


class Channel(StrEnum):
    """How a target is reached."""

    SLACK = "slack"
    PAGERDUTY = "pagerduty"
    WEBHOOK = "webhook"
    APPRISE = "apprise"


#: Channels whose messages can speak of several alerts; elsewhere each alert is an incident of its own.
GROUPING = frozenset({Channel.SLACK, Channel.APPRISE})


class Mode(StrEnum):
    """How many of a service's targets are told."""

    NOTIFY_ALL = "notify_all"
    NOTIFY_UNTIL_SUCCESS = "notify_until_success"


@dataclass(frozen=True, slots=True)
class Target:
    """Somewhere to tell people. `key` stays the same over all notifications of an alert.

    `secrets` sign what a webhook is sent: the newest first, and the one before it while it is being replaced.
    """

    key: str
    channel: Channel
    address: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    target_id: int | None = None
    webhook_id: int | None = None


@dataclass(frozen=True, slots=True)
class ConfiguredTarget:
    """A target that somebody gave a service or a team, and when it is told. Lower `priority` comes first."""

    target: Target
    priority: int = 0
    period: Period = Period.ALWAYS
    min_priority: Priority | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Defaults:
    """The operator's default channel: a Slack channel id, a PagerDuty routing key, a URL; any may be empty."""

    slack_channel_id: str = ""
    pagerduty_routing_key: str = ""
    webhook_url: str = ""
    webhook_secret: str = ""

    def targets(self) -> tuple[Target, ...]:
        """Those that are set."""
        secrets = (self.webhook_secret,) if self.webhook_secret else ()
        possible = (
            Target("default:slack", Channel.SLACK, self.slack_channel_id),
            Target("default:pagerduty", Channel.PAGERDUTY, self.pagerduty_routing_key),
            Target("default:webhook", Channel.WEBHOOK, self.webhook_url, secrets=secrets),
        )
        return tuple(target for target in possible if target.address)
