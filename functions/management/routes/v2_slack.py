"""/v2/slack/interactions: a button in a message was pressed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from door import Sent
from medic_core import telemetry
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.domain.access.slack_signatures import is_from_slack
from medic_core.errors import BadRequest, Conflict, Forbidden, NotFound, TooLarge
from medic_core.flows import attend, change
from medic_core.flows.change import By
from medic_core.store import connection
from medic_core.store.connection import Transaction
from models.fields import LARGEST_ID, Envelope, Nothing

router = Router()  # type: ignore[no-untyped-call]
LOGGER = telemetry.logger("management")
TAG = "slack"
#: Slack's own are a few kilobytes, with the message that the button is in.
LONGEST_BODY = 262_144
MUTED_FOR = timedelta(hours=1)
MAX_ACTOR = 255


# Slack speaks for a whole workspace from few addresses, so the widest limit is its.
@door.route(router, "POST", "/v2/slack/interactions", needs=None, limited=Endpoints.HEALTH, tag=TAG)
def interacted(sent: Sent) -> Response[Envelope[Nothing]]:
    """Do what a button says: acknowledge an alert, or mute its service for an hour.

    Signed by Slack over the raw body (`X-Slack-Signature`), not older than 5 minutes.
    """
    if len(sent.body) > LONGEST_BODY:
        raise TooLarge(f"The body must not be longer than {LONGEST_BODY} bytes.")
    timestamp, signature = (sent.headers.get(f"x-slack-{name}", "") for name in ("request-timestamp", "signature"))
    secret = door.SETTINGS.slack_signing_secret
    if not is_from_slack(secret, timestamp, sent.body, signature, sent.received_at):
        raise Forbidden("This does not come from Slack, or too late, or SLACK_SIGNING_SECRET is not set.")
    payload = _payload(sent.body)
    actor = _actor(payload)
    with door.DATABASE.transaction() as tx:
        for action in _actions(payload):
            _do(tx, action, actor)
    door.relay()
    return door.answer()


def _payload(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(parse_qs(body.decode())["payload"][0])
    except (ValueError, KeyError, RecursionError) as error:
        raise BadRequest("payload must be a form field that holds JSON.") from error
    if not isinstance(found, dict):
        raise BadRequest("payload must hold a JSON object.")
    return found


def _actor(payload: dict[str, Any]) -> str:
    user = payload.get("user")
    known = user if isinstance(user, dict) else {}
    name = known.get("username") or known.get("name") or known.get("id") or "somebody"
    return "".join(letter for letter in f"{name} (Slack)" if letter.isprintable())[:MAX_ACTOR]


def _actions(payload: dict[str, Any]) -> list[dict[str, Any]]:
    found = payload.get("actions")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _do(tx: Transaction, action: dict[str, Any], actor: str) -> None:
    """What is over or gone is no mistake of who presses: the message will say so."""
    try:
        with tx.transaction():
            match action.get("action_id"):
                case "acknowledge":
                    attend.acknowledge(tx, _number(action), actor, "acknowledged in Slack")
                case "mute":
                    mute = change.mute(tx, connection.now(tx) + MUTED_FOR, "muted in Slack")
                    change.change(tx, _number(action), mute, By(actor))
                case _:
                    pass
    except (NotFound, Conflict) as error:
        LOGGER.info("a button was pressed too late", because=error.message)


def _number(action: dict[str, Any]) -> int:
    value = str(action.get("value", ""))
    if not (value.isascii() and value.isdigit() and len(value) < len(str(LARGEST_ID))):
        raise BadRequest("value must be an id.")
    return int(value)
