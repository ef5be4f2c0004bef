"""Sends a message to Slack, edits it, and answers in its thread."""

from __future__ import annotations

import logging
from http import HTTPStatus

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from channels.slack.message import message as shown
from channels.slack.message import reply
from medic_core import ports
from medic_core.adapters.safe_http import TIMED_OUT, retry_after
from medic_core.config import Settings
from medic_core.domain.alerting.alerts import AlertEvent
from medic_core.domain.routing.messages import Group, Message, Notice, NoticeKind, Notification
from medic_core.domain.routing.retries import Answer
from medic_core.domain.routing.targets import Target
from medic_core.errors import Unavailable

#: Slack says these with a 200; any other error means that repeating the message is useless.
TEMPORARY = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
)
#: After these the alert's first message is shown as it is now.
EDITS = frozenset({AlertEvent.ACKNOWLEDGED, AlertEvent.SNOOZED, AlertEvent.RESOLVED})
#: The first message cannot be edited any more; the answer in the thread still says all.
NOT_EDITABLE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "is_inactive"})
SHARED = "&shared"


def slack(settings: Settings, seconds: float) -> ports.Channel:
    """A sender for the operator's workspace. What follows an alert or a question edits its message, and answers below.

    A receipt is `channel/ts`: an edit wants the channel's id, whatever name the message was sent to. One that ends in
    `&shared` is of a message that lists several alerts, which stays as it is.
    """
    # At DEBUG it writes whole messages, and with them what opens an approval.
    logging.getLogger("slack_sdk").setLevel(logging.INFO)
    client = WebClient(base_url=settings.slack_api_url, timeout=max(1, int(seconds)))

    def send(message: Message, target: Target, receipt: str | None) -> Answer:
        try:
            client.token = settings.slack_api_token.value
            if receipt is None or isinstance(message, Group):
                return _posted(client, target.address, message)
            if isinstance(message, Notice) and message.kind is not NoticeKind.APPROVAL_DECIDED:
                return _again(client, target.address, message, receipt)
            return _followed(client, target.address, message, receipt)
        except SlackApiError as error:
            return _refused(error)
        except Unavailable as error:
            return Answer(None, error=error.message)
        except TimeoutError:
            return Answer(None, error=TIMED_OUT, timed_out=True)
        except OSError as error:
            late = isinstance(getattr(error, "reason", None), TimeoutError)
            return Answer(None, error=TIMED_OUT if late else type(error).__name__, timed_out=late)

    return send


def _posted(client: WebClient, address: str, told: Message) -> Answer:
    response = client.chat_postMessage(channel=address, **shown(told))
    receipt = f"{response.get('channel') or address}/{response.get('ts')}"
    shared = SHARED if isinstance(told, Group) else ""
    return Answer(response.status_code, str(response.data), receipt=receipt + shared)


def _again(client: WebClient, address: str, told: Notice, receipt: str) -> Answer:
    """A question is asked once more, in its thread and beside it: with its buttons, because the first are far up."""
    channel, stamp = _place(receipt, address)
    response = client.chat_postMessage(channel=channel, thread_ts=stamp, reply_broadcast=True, **shown(told))
    return Answer(response.status_code, str(response.data), receipt=receipt)


def _place(receipt: str, address: str) -> tuple[str, str]:
    channel, _, stamp = receipt.removesuffix(SHARED).rpartition("/")
    return channel or address, stamp


def _followed(client: WebClient, address: str, told: Notification | Notice, receipt: str) -> Answer:
    channel, stamp = _place(receipt, address)
    if _edits(told) and not receipt.endswith(SHARED):
        try:
            client.chat_update(channel=channel, ts=stamp, **shown(told))
        except SlackApiError as error:
            if str(error.response.get("error", "")) not in NOT_EDITABLE:
                raise
    broadcast = isinstance(told, Notification) and (told.is_recovery or told.event is AlertEvent.ESCALATED)
    response = client.chat_postMessage(channel=channel, thread_ts=stamp, reply_broadcast=broadcast, **reply(told))
    return Answer(response.status_code, str(response.data), receipt=receipt)


def _edits(told: Notification | Notice) -> bool:
    return isinstance(told, Notice) or told.event in EDITS


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
