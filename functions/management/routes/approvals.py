"""/approvals/{token}: a page that shows what is asked, and the form on it that decides. Opened by its link alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Path

import door
import pages
from door import Sent
from medic_core.api.authentication import permitted
from medic_core.api.request import Request
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.domain.repair.approvals import Via, Voter
from medic_core.domain.watching.names import is_printable
from medic_core.errors import BadRequest, Conflict, Forbidden, MedicError, NotFound, Unauthorized
from medic_core.flows import approval_links, approve
from medic_core.flows.approve import Counted
from medic_core.flows.show_approval import Shown, show
from medic_core.store.approval_links import Link
from pages import approval, forms
from pages.approval import Asks

router = Router()  # type: ignore[no-untyped-call]
TAG = "approvals"
PATH = "/approvals/"
LONGEST_NAME, LONGEST_REASON = 100, 1000
APPROVES = {"approve": True, "reject": False}
NO_LINK = "There is no approval under this link. It may have been cut off, or is older than Medic remembers."
WRONG_CODE = (
    "That is not the code of this link. It stands beside the link in the message; after five wrong ones the link ends."
)
PathToken = Annotated[str, Path()]


@dataclass(frozen=True, slots=True)
class Opened:
    """A link that was found, and what it opens."""

    token: str
    link: Link
    shown: Shown

    @property
    def asks(self) -> Asks:
        if self.link.key_name is not None:
            return Asks.NOTHING
        return Asks.KEY if self.shown.request.rules.wants_identity else Asks.CODE


@door.route(router, "GET", "/approvals/<token>", needs=None, limited=Endpoints.PAGE, tag=TAG, listed=False)
def shown(sent: Sent, token: PathToken) -> Response[str]:
    """What is asked, every step as it would run, and a form. Looking changes nothing, whoever or whatever looks."""
    try:
        opened = _opened(token)
    except MedicError as error:
        return pages.failed(error)
    return _question(sent, opened) if opened.shown.request.is_open else approval.over(opened.shown)


@door.route(router, "HEAD", "/approvals/<token>", needs=None, limited=Endpoints.PAGE, tag=TAG, listed=False)
def looked(sent: Sent, token: PathToken) -> Response[str]:
    """The same without its body."""
    answer = shown(sent, token)
    answer.body = ""
    return answer


@door.route(router, "POST", "/approvals/<token>", needs=None, limited=Endpoints.PAGE, tag=TAG, listed=False)
def decided(sent: Sent, token: PathToken) -> Response[str]:
    """Decide. A link decides once; what was wrong with the form is said on it."""
    try:
        fields = forms.fields(sent.body, sent.headers)
        opened = _opened(token)
    except MedicError as error:
        return pages.failed(error)
    if not opened.shown.request.is_open:
        return approval.over(opened.shown, too_late=True)
    try:
        counted = _decide(sent, fields, opened)
    except Conflict as error:
        return _too_late(sent, token, error)
    except MedicError as error:
        return _question(sent, opened, error)
    door.relay()
    return approval.thanks(opened.shown, counted)


def _opened(token: str) -> Opened:
    """Raises NotFound, Unavailable."""
    with door.DATABASE.transaction() as tx:
        link = approval_links.opened(tx, token)
        if link is None:
            raise NotFound(NO_LINK)
        return Opened(token, link, show(tx, link.request_id, door.SETTINGS.allowed_webhook_hosts))


def _question(sent: Request, opened: Opened, error: MedicError | None = None) -> Response[str]:
    cookie = forms.cookie(sent.headers)
    is_secure = door.base_url(sent).startswith("https://")
    form = forms.value(cookie, bytes(opened.link.digest))
    given = {"Set-Cookie": forms.set_cookie(cookie, PATH, is_secure=is_secure)}
    return approval.question(opened.shown, opened.asks, opened.link.key_name, form, error, given)


def _decide(sent: Request, fields: Mapping[str, str], opened: Opened) -> Counted:
    """Raises BadRequest, Forbidden, TooManyRequests, Conflict, NotFound, Unavailable."""
    forms.check(sent.headers, fields.get("form", ""), bytes(opened.link.digest))
    approved = APPROVES.get(fields.get("decision", ""))
    if approved is None:
        raise BadRequest("Approve or reject: press one of the buttons.")
    reason = fields.get("reason", "").strip()
    if len(reason) > LONGEST_REASON or "\0" in reason:
        raise BadRequest(f"The reason must be text of at most {LONGEST_REASON} characters.")
    voter = _voter(sent, fields, opened)
    with door.DATABASE.transaction() as tx:
        return approve.decide_request(tx, opened.link.request_id, voter, reason, approved=approved)


def _voter(sent: Request, fields: Mapping[str, str], opened: Opened) -> Voter:
    """Who decides. Raises BadRequest, Forbidden, TooManyRequests, Unavailable."""
    match opened.asks:
        case Asks.NOTHING:
            name = str(opened.link.key_name)
            return Voter(name, name, Via.LINK, name)
        case Asks.KEY:
            name = _key_name(sent, fields.get("api_key", "").strip())
            return Voter(name, name, Via.LINK, name)
        case Asks.CODE:
            return _whoever_has_the_code(fields, opened)


def _key_name(sent: Request, text: str) -> str:
    """The name of a key that may decide. Raises Forbidden, TooManyRequests."""
    if not text:
        raise Forbidden("Give your API key: it matters who decides about this.")
    try:
        key = door.key_given(sent, text)
    except Unauthorized as error:
        raise Forbidden(error.message) from error
    return permitted(key, Scope.WRITE).name


def _whoever_has_the_code(fields: Mapping[str, str], opened: Opened) -> Voter:
    name = " ".join(fields.get("name", "").split())
    if len(name) > LONGEST_NAME or not is_printable(name):
        raise BadRequest(f"Your name must be at most {LONGEST_NAME} printable characters.")
    code = fields.get("code", "").replace(" ", "")
    if not approval_links.is_code_right(door.DATABASE, opened.link, opened.token, code):
        raise Forbidden(WRONG_CODE)
    known_as = f"{name} (link)" if name else f"somebody with the link sent to {opened.link.holder}"
    return Voter(f"link:{opened.link.link_id}", known_as, Via.LINK)


def _too_late(sent: Request, token: str, error: Conflict) -> Response[str]:
    """Somebody else was faster, or the clock; or this voter has voted already."""
    try:
        opened = _opened(token)
    except MedicError as other:
        return pages.failed(other)
    if opened.shown.request.is_open:
        return _question(sent, opened, error)
    return approval.over(opened.shown, too_late=True)
