"""/v2/slack/interactions: a button in a message was pressed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from door import Sent
from medic_core import telemetry
from medic_core.adapters import safe_http
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.domain.access.slack_signatures import is_from_slack
from medic_core.domain.repair.approvals import Via, Voter
from medic_core.errors import BadRequest, Conflict, Forbidden, NotFound, TooLarge
from medic_core.flows import approve, attend, change
from medic_core.flows.change import By
from medic_core.store import connection, slack_requests
from medic_core.store.connection import Transaction
from models.fields import LARGEST_ID, Envelope, Nothing
from pages.forms import FORM_TYPE

router = Router()  # type: ignore[no-untyped-call]
LOGGER = telemetry.logger("management")
TAG = "slack"
#: Slack's own are a few kilobytes, with the message that the button is in.
LONGEST_BODY = 262_144
MUTED_FOR = timedelta(hours=1)
MAX_ACTOR = 255
MAX_USER_ID = 100
#: Where Slack takes answers to a press, and how long it may take to: Slack itself waits for three seconds.
ANSWERS_GO_TO = "hooks.slack.com"
SECONDS_FOR_ANSWER = 1.5
NOT_OURS = "Only members of the workspace that Medic belongs to may decide about this."


@dataclass(frozen=True, slots=True)
class Presser:
    """Who pressed a button. A guest from another workspace, in a channel that is shared with it, is none of ours."""

    user_id: str
    name: str
    is_guest: bool

    def as_voter(self) -> Voter:
        """Raises Forbidden."""
        if self.is_guest or not self.user_id:
            raise Forbidden(NOT_OURS)
        return Voter(self.user_id, self.name, Via.SLACK, self.user_id)


# Slack speaks for a whole workspace from few addresses, so the widest limit is its.
@door.route(router, "POST", "/v2/slack/interactions", needs=None, limited=Endpoints.HEALTH, tag=TAG)
def interacted(sent: Sent) -> Response[Envelope[Nothing]]:
    """Do what a button says: acknowledge an alert, mute its service for an hour, approve or reject an execution.

    Signed by Slack over the raw body (`X-Slack-Signature`), not older than 5 minutes, and not sent before. Who presses
    too late, or may not, is told so in Slack.
    """
    if len(sent.body) > LONGEST_BODY:
        raise TooLarge(f"The body must not be longer than {LONGEST_BODY} bytes.")
    timestamp, signature = (sent.headers.get(f"x-slack-{name}", "") for name in ("request-timestamp", "signature"))
    secret = door.SETTINGS.slack_signing_secret.value
    if not is_from_slack(secret, timestamp, sent.body, signature, sent.received_at):
        raise Forbidden("This does not come from Slack, or too late, or SLACK_SIGNING_SECRET is not set.")
    if not sent.headers.get("content-type", "").lower().startswith(FORM_TYPE):
        raise BadRequest(f"Slack sends a form: Content-Type must be {FORM_TYPE}.")
    payload = _payload(sent.body)
    presser = _presser(payload)
    with door.DATABASE.transaction() as tx:
        if not slack_requests.add(tx, hashlib.sha256(signature.encode()).digest()):
            raise Conflict("This was sent before, and is done.")
        refusals = [because for action in _actions(payload) if (because := _do(tx, action, presser))]
    door.relay()
    if refusals:
        _tell(payload, " ".join(refusals))
    return door.answer()


def _payload(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(parse_qs(body.decode())["payload"][0])
    except (ValueError, KeyError, RecursionError) as error:
        raise BadRequest("payload must be a form field that holds JSON.") from error
    if not isinstance(found, dict):
        raise BadRequest("payload must hold a JSON object.")
    return found


def _presser(payload: dict[str, Any]) -> Presser:
    user, team = (found if isinstance(found := payload.get(name), dict) else {} for name in ("user", "team"))
    user_id = user.get("id")
    name = user.get("username") or user.get("name") or user_id or "somebody"
    known_as = "".join(letter for letter in f"{name} (Slack)" if letter.isprintable())[:MAX_ACTOR]
    is_id = isinstance(user_id, str) and user_id.isascii() and user_id.isalnum() and len(user_id) <= MAX_USER_ID
    home, here = user.get("team_id"), team.get("id")
    return Presser(str(user_id) if is_id else "", known_as, is_guest=bool(home and here and home != here))


def _actions(payload: dict[str, Any]) -> list[dict[str, Any]]:
    found = payload.get("actions")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _do(tx: Transaction, action: dict[str, Any], presser: Presser) -> str:
    """Why it was not done; empty where it was. What is over or gone is no mistake of who presses."""
    try:
        with tx.transaction():
            match action.get("action_id"):
                case "acknowledge":
                    attend.acknowledge(tx, _number(action), presser.name, "acknowledged in Slack")
                case "mute":
                    mute = change.mute(tx, connection.now(tx) + MUTED_FOR, "muted in Slack")
                    change.change(tx, _number(action), mute, By(presser.name))
                case "approve" | "reject" as said:
                    voter = presser.as_voter()
                    approve.decide_request(tx, _number(action), voter, "", approved=said == "approve")
                case _:
                    pass
    except (NotFound, Conflict, Forbidden) as error:
        LOGGER.info("a button was pressed in vain", because=error.message)
        return error.message
    return ""


def _number(action: dict[str, Any]) -> int:
    value = str(action.get("value", ""))
    if not (value.isascii() and value.isdigit() and len(value) < len(str(LARGEST_ID))):
        raise BadRequest("value must be an id.")
    return int(value)


def _tell(payload: dict[str, Any], text: str) -> None:
    """Say it to who pressed, and to nobody else. Slack's own address, or that of who stands in for it; no other."""
    url = payload.get("response_url")
    stands_in = urlsplit(door.SETTINGS.slack_api_url).netloc
    if not isinstance(url, str) or _host(url) not in {ANSWERS_GO_TO, stands_in}:
        return
    body = json.dumps({"response_type": "ephemeral", "replace_original": False, "text": text}).encode()
    answer = safe_http.post(url, body, {"Content-Type": "application/json"}, (stands_in,), SECONDS_FOR_ANSWER)
    if answer.status is None:
        LOGGER.warning("Slack could not be told why a button did nothing", because=answer.error)


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""
