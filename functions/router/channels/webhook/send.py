"""Sends a webhook."""

from __future__ import annotations

from datetime import UTC, datetime

from channels.webhook.envelope import envelope, headers
from medic_core import ports
from medic_core.adapters import safe_http
from medic_core.config import Settings
from medic_core.domain.routing.messages import Notification
from medic_core.domain.routing.retries import Answer
from medic_core.domain.routing.targets import Target


def webhook(settings: Settings) -> ports.Channel:
    """A sender to any public address, and to the hosts that the operator excepted."""

    def send(notification: Notification, target: Target, receipt: str | None) -> Answer:  # noqa: ARG001
        now = datetime.now(UTC)  # noqa: TID251  (the moment of sending is a fact of the wire, not of a rule)
        return safe_http.post_json(
            target.address, envelope(notification), headers(notification, now), settings.allowed_webhook_hosts
        )

    return send
