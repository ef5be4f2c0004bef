"""Who can be told. One folder a kind; to delete a kind, delete its folder and its line here."""

from __future__ import annotations

from collections.abc import Callable

from channels.apprise.send import apprise
from channels.pagerduty.send import pagerduty
from channels.slack.send import slack
from channels.webhook.send import webhook
from medic_core import ports
from medic_core.config import Settings
from medic_core.domain.routing.targets import Channel

#: Each makes a sender that waits so many seconds for an answer.
CHANNELS: dict[Channel, Callable[[Settings, float], ports.Channel]] = {
    Channel.SLACK: slack,
    Channel.PAGERDUTY: pagerduty,
    Channel.WEBHOOK: webhook,
    Channel.APPRISE: apprise,
}
