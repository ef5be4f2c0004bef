"""Sends a webhook."""

from __future__ import annotations

from datetime import UTC, datetime
from secrets import token_hex

from channels.webhook.envelope import body, headers, trace_of
from medic_core import ports
from medic_core.adapters import safe_http
from medic_core.config import Settings
from medic_core.domain.routing.messages import Group, Message
from medic_core.domain.routing.retries import Answer
from medic_core.domain.routing.targets import Target
from medic_core.domain.routing.webhook_signatures import NotASecret


def webhook(settings: Settings, seconds: float) -> ports.Channel:
    """A sender to any public address, and to the hosts that the operator excepted."""

    def send(message: Message, target: Target, receipt: str | None) -> Answer:  # noqa: ARG001
        assert not isinstance(message, Group)
        now = datetime.now(UTC)  # noqa: TID251  (the moment of sending is a fact of the wire, not of a rule)
        sent = body(message)
        about = {"Content-Type": "application/json", "traceparent": trace_of(message).traceparent(token_hex(8))}
        try:
            ours = {**about, **headers(message, sent, target.secrets, now)}
        except NotASecret as error:
            return Answer(None, error=str(error), permanent=True)
        return safe_http.post(target.address, sent, {**target.headers, **ours}, settings.allowed_webhook_hosts, seconds)

    return send
