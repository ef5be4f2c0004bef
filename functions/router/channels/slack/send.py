"""Sends a message to Slack."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from channels.slack.message import message
from medic_core import ports
from medic_core.adapters.safe_http import retry_after
from medic_core.config import Settings
from medic_core.domain.routing.messages import Notification
from medic_core.domain.routing.retries import Answer
from medic_core.domain.routing.targets import Target

TIMEOUT_SECONDS = 10
#: Slack says these with a 200; any other error means that repeating the message is useless.
TEMPORARY = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
)


def slack(settings: Settings) -> ports.Channel:
    """A sender for the operator's workspace. A recovery answers in the thread of the alert's first message."""
    client = WebClient(settings.slack_api_token, base_url=settings.slack_api_url, timeout=TIMEOUT_SECONDS)

    def send(notification: Notification, target: Target, receipt: str | None) -> Answer:
        thread: dict[str, Any] = {"thread_ts": receipt, "reply_broadcast": notification.is_recovery} if receipt else {}
        try:
            response = client.chat_postMessage(channel=target.address, **message(notification), **thread)
        except SlackApiError as error:
            return _refused(error)
        except OSError as error:
            return Answer(None, error=f"{type(error).__name__}: {error}")
        return Answer(response.status_code, str(response.data), receipt=receipt or response.get("ts"))

    return send


def _refused(error: SlackApiError) -> Answer:
    response = error.response
    said = str(response.get("error", "")) if hasattr(response, "get") else ""
    status = getattr(response, "status_code", None)
    headers = getattr(response, "headers", {}) or {}
    return Answer(
        status,
        body=str(getattr(response, "data", "")),
        error=f"Slack said {said or status}",
        retry_after=retry_after(headers.get("Retry-After") or headers.get("retry-after")),
        permanent=status == HTTPStatus.OK and said not in TEMPORARY,
    )
