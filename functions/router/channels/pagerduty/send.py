"""Sends an event to PagerDuty."""

from __future__ import annotations

from urllib.parse import urlsplit

from channels.pagerduty.event import event
from medic_core import ports
from medic_core.adapters import safe_http
from medic_core.config import Settings
from medic_core.domain.routing.messages import Notification
from medic_core.domain.routing.retries import Answer
from medic_core.domain.routing.targets import Target


def pagerduty(settings: Settings) -> ports.Channel:
    """A sender to the operator's Events endpoint, which may lie anywhere: no user can set it."""
    host = (urlsplit(settings.pagerduty_events_url).hostname or "",)

    def send(notification: Notification, target: Target, receipt: str | None) -> Answer:  # noqa: ARG001
        content = event(notification, target.address, settings.base_url)
        return safe_http.post_json(settings.pagerduty_events_url, content, {}, allowed_hosts=host)

    return send
