"""/ui/sign-in and /sign-out: an API key is given once, and a cookie stands for it until the session is over."""

from __future__ import annotations

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from dashboard import rendering, sessions
from dashboard.asked import Form, again
from door import Caller, Sent
from medic_core.api.answers import Answer, status_of
from medic_core.api.authentication import permitted
from medic_core.api.request import Request
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.errors import Forbidden, MedicError
from pages import CONTENT_TYPE, forms

router = Router()  # type: ignore[no-untyped-call]
HOME = "/ui"
PATH = "/ui/sign-in"
FORM = b"sign-in"
LONGEST_KEY, LONGEST_PATH = 300, 2000
STALE = "This form was not made for this browser, or is too old. Send it again."


@door.route(router, "GET", PATH, needs=None, limited=Endpoints.PAGE, tag="dashboard", listed=False)
def shown(sent: Sent) -> Response[str]:
    """The form that asks for a key."""
    return _form(sent, safe(sent.query.get("next", HOME)))


@door.route(router, "POST", PATH, needs=None, limited=Endpoints.PAGE, tag="dashboard", listed=False)
def signed_in(sent: Sent) -> Response[str]:
    """Begin a session with a key that may read."""
    onward = HOME
    try:
        form = Form.of(sent)
        onward = safe(form.line("next", LONGEST_PATH))
        forms.check(sent.headers, form.text("form"), FORM)
        key = door.key_given(sent, form.line("api_key", LONGEST_KEY))
        permitted(key, Scope.READ)
    except MedicError as error:
        return _form(sent, onward, error)
    return rendering.gone_to(onward, cookie=sessions.begun(sent, key))


@door.page(router, "POST", "/ui/sign-out")
def signed_out(caller: Caller) -> Response[str]:
    """End the session in this browser."""
    return rendering.gone_to(PATH, cookie=sessions.ended(caller.request))


def asked(request: Request) -> Answer:
    """Who looks and is not signed in is asked to, and comes back to where they wanted to go."""
    if request.headers.get("sec-fetch-site") == "cross-site" and not sessions.has_cookie(request):
        # A strict cookie does not come along on the way from elsewhere, a chat say. From our own page it does.
        return _answer(rendering.open_page("onward.html", title="One moment"))
    target = request.path + (f"?{request.raw_query}" if request.raw_query else "")
    return _answer(rendering.gone_to(again(PATH, {}, next=target if target != HOME else None)))


def safe(path: str) -> str:
    """Where to go after signing in: to a page of ours, whatever was asked for."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and path.isascii()
    return path if is_ours else HOME


def _form(sent: Request, onward: str, error: MedicError | None = None) -> Response[str]:
    cookie = forms.cookie(sent.headers)
    is_secure = door.base_url(sent).startswith("https://")
    message = None
    if error is not None:
        message = STALE if isinstance(error, Forbidden) and error.message == forms.STALE else error.message
    return rendering.open_page(
        "sign_in.html",
        status_of(error) if error is not None else HTTPStatus.OK,
        {"Set-Cookie": forms.set_cookie(cookie, PATH, is_secure=is_secure)},
        title="Sign in",
        onward=onward,
        form=forms.value(cookie, FORM),
        wrong=message,
    )


def _answer(response: Response[str]) -> Answer:
    headers = {"Content-Type": CONTENT_TYPE, **response.headers}
    return {"statusCode": int(response.status_code), "headers": headers, "body": response.body}
