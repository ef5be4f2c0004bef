"""Sends through the Apprise library."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from channels.apprise.text import text, title
from medic_core import ports
from medic_core.adapters.public_only import public_only
from medic_core.config import Settings
from medic_core.domain.alerting.alerts import AlertEvent
from medic_core.domain.routing.apprise_urls import valid_apprise_url
from medic_core.domain.routing.messages import Message, Notification
from medic_core.domain.routing.retries import Answer
from medic_core.domain.routing.targets import Target
from medic_core.errors import BadRequest

UNKNOWN = "Apprise knows no such service, or something is missing in its URL"
#: Apprise does not say what went wrong; it writes that to its own log, with the URL.
FAILED = "Apprise could not send it"


def apprise(settings: Settings, seconds: float) -> ports.Channel:
    """A sender to whatever a URL means to Apprise, as long as that does not lie inside."""

    def send(message: Message, target: Target, receipt: str | None) -> Answer:  # noqa: ARG001
        try:
            service = _service(valid_apprise_url(target.address), seconds)
        except BadRequest as error:
            return Answer(None, error=error.message, permanent=True)
        if service is None:
            return Answer(None, error=UNKNOWN, permanent=True)
        with public_only(settings.allowed_webhook_hosts):
            is_sent = service.notify(body=text(message), title=title(message), notify_type=_type(message))
        return Answer(200) if is_sent else Answer(None, error=FAILED)

    return send


def _service(url: str, seconds: float) -> Any:
    # It takes a third of a second to import, and most have no such target.
    import apprise as library  # noqa: PLC0415

    logging.getLogger("apprise").disabled = True
    service = library.Apprise.instantiate(url)
    for timeout in ("socket_read_timeout", "socket_connect_timeout"):
        with suppress(AttributeError):
            setattr(service, timeout, seconds / 2)
    return service


def _type(message: Message) -> str:
    if not isinstance(message, Notification):
        return "info"
    if message.event in {AlertEvent.ACKNOWLEDGED, AlertEvent.SNOOZED}:
        return "info"
    return "success" if message.is_recovery else "failure"
