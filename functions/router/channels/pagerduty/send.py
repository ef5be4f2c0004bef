"""Sends an event to PagerDuty."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from channels.pagerduty.event import event
from medic_core import ports
from medic_core.adapters import safe_http
from medic_core.config import Settings
from medic_core.domain.routing.messages import Message
from medic_core.domain.routing.retries import Answer
from medic_core.domain.routing.targets import Target


def pagerduty(settings: Settings, seconds: float) -> ports.Channel:
    """A sender to the operator's Events endpoint, which may lie anywhere: no user can set it."""
    host = (urlsplit(settings.pagerduty_events_url).hostname or "",)

    def send(message: Message, target: Target, receipt: str | None) -> Answer:  # noqa: ARG001
        content = json.dumps(event(message, target.address, settings.base_url)).encode()
        headers = {"Content-Type": "application/json"}
        return safe_http.post(settings.pagerduty_events_url, content, headers, host, seconds)

    return send
