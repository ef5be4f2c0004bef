"""From values to a page: what all pages have, and how a part of one is renewed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, unquote

from aws_lambda_powertools.event_handler import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from jinja2.environment import TemplateModule
from markupsafe import Markup

import pages
from dashboard import assets, charts, sessions
from dashboard.asked import again
from door import Visitor
from medic_core.api.answers import Answer, headers_of, rfc3339, status_of
from medic_core.api.request import Request
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.watching.lengths import spoken
from medic_core.domain.watching.public import address_of
from medic_core.errors import MedicError, NotFound

#: Only our own files run or are loaded, and forms go to us alone.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {**pages.HEADERS, "Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"}
#: What the script asks for when it renews a page: the block `live` alone.
FRAGMENT = "x-fragment"
#: What happened, for the page that a form leads to; a browser keeps it no longer.
SAID, SAID_SECONDS, LONGEST_SAID = "medic_said", 60, 500
NAVIGATION = (
    ("/ui", "Overview"),
    ("/ui/services", "Services"),
    ("/ui/alerts", "Alerts"),
    ("/ui/playbooks", "Playbooks"),
    ("/ui/executions", "Executions"),
    ("/ui/calendar", "Calendar"),
    ("/ui/targets", "Targets"),
    ("/ui/audit-log", "Audit log"),
)
#: A time within a sentence.
WRITTEN_TIME = re.compile(r"\b([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} UTC)\b", re.ASCII)
ADMINISTRATION = (("/ui/api-keys", "API keys"), ("/ui/settings", "Settings"))


def moment(at: datetime | None, otherwise: str = "never") -> str | Markup:
    """A time: UTC until the script writes it as the viewer's clock has it."""
    if at is None:
        return otherwise
    at = at.astimezone(UTC)
    whole, short = pages.utc(at), f"{at:%Y-%m-%d %H:%M} UTC"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(rfc3339(at), whole, short)


def dated(text: str) -> Markup:
    """A sentence of Medic's with times in it, which become times as `moment` has them."""
    # What stands between them is escaped as it is joined.
    return Markup("").join(_read(part) if at % 2 else part for at, part in enumerate(WRITTEN_TIME.split(text)))


def _read(written: str) -> str | Markup:
    try:
        return moment(datetime.fromisoformat(written.replace(" UTC", "+00:00")))
    except ValueError:
        return written


def said_of(wrong: str, names: Collection[str]) -> str:
    """What a message says of a field, by any of its names; empty where it says nothing of it."""
    field = "|".join(map(re.escape, names))
    found = re.search(rf"(?:^|; )(?:{field})(?:\.[\w.-]+)?:? (.+?)\.?(?=; [\w.-]+: |$)", wrong)
    return found[1] if found else ""


def seconds(length: float | None) -> str:
    """A length that is given in seconds, as people say it."""
    return "" if length is None else spoken(timedelta(seconds=length))


def milliseconds(length: float | None) -> str:
    """A length that is given in milliseconds, as people say it."""
    return "" if length is None else spoken(timedelta(milliseconds=length))


ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters |= {
    "dated": dated,
    "moment": moment,
    "seconds": seconds,
    "milliseconds": milliseconds,
    "spoken": spoken,
    "words": pages.words,
    "written": pages.written,
    "address": address_of,
}
ENVIRONMENT.globals |= {"asset": assets.path_of, "again": again, "strokes": charts.strokes, "said_of": said_of}


def page(
    caller: Visitor, template: str, *, title: str, status: int = HTTPStatus.OK, wrong: str = "", **values: Any
) -> Response[str]:
    """A page for who is signed in, or its live part alone where the script asks for that.

    `wrong` is what was not right about the form that was sent. A part that has not changed is answered with 304.
    """
    request = caller.request
    shown = {
        "title": title,
        "wrong": wrong,
        "path": request.path,
        "query": request.query,
        "form": sessions.form_value(request),
        "who": caller.key.name,
        "can_write": caller.key.allows(Scope.WRITE),
        "can_administer": caller.key.allows(Scope.ADMIN),
        "navigation": NAVIGATION,
        "administration": ADMINISTRATION,
        "said": _said(request),
        **values,
    }
    shown["parts"] = _parts(shown)
    found = ENVIRONMENT.get_template(template)
    if request.headers.get(FRAGMENT):
        return _fragment(request, _live(found, shown))
    headers: dict[str, Any] = dict(HEADERS)
    if shown["said"]:
        headers["Set-Cookie"] = f"{SAID}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"
    return Response(status, pages.CONTENT_TYPE, found.render(shown), headers=headers)


def open_page(
    template: str,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] = MappingProxyType({}),
    request: Request | None = None,
    **values: Any,
) -> Response[str]:
    """A page for everybody; where `request` is given, its live part alone if the script asks for that."""
    shown = {"form": "", "path": "", "query": {}, **values}
    shown["parts"] = _parts(shown)
    found = ENVIRONMENT.get_template(template)
    if request is not None and request.headers.get(FRAGMENT):
        return _fragment(request, _live(found, shown))
    return Response(status, pages.CONTENT_TYPE, found.render(shown), headers={**HEADERS, **headers})


def gone_to(path: str, said: str = "", cookie: str = "") -> Response[str]:
    """After a form: the page to look at now, which will say what happened; or one that another cookie goes with."""
    if said:
        cookie = f"{SAID}={quote(said[:LONGEST_SAID])}; Path=/; Max-Age={SAID_SECONDS}; HttpOnly; SameSite=Strict"
    headers: dict[str, Any] = {"Location": path, **({"Set-Cookie": cookie} if cookie else {})}
    return Response(HTTPStatus.SEE_OTHER, pages.CONTENT_TYPE, "", headers=headers)


def failed(error: MedicError) -> Answer:
    """What went wrong, on a page."""
    heading = "Nothing is here" if isinstance(error, NotFound) else "That did not work"
    body = ENVIRONMENT.get_template("failed.html").render(title=heading, text=error.message)
    headers = {"Content-Type": pages.CONTENT_TYPE, **HEADERS, **headers_of(error)}
    return {"statusCode": int(status_of(error)), "headers": headers, "body": body}


def _parts(shown: Mapping[str, Any]) -> TemplateModule:
    """The macros that all pages share. A part of a page that is renewed alone knows them too, as it would no import."""
    return ENVIRONMENT.get_template("parts.html").make_module(dict(shown))


def _live(template: Template, shown: dict[str, Any]) -> str:
    return "".join(template.blocks["live"](template.new_context(shown)))


def _fragment(request: Request, body: str) -> Response[str]:
    etag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    if request.headers.get("if-none-match") == etag:
        return Response(HTTPStatus.NOT_MODIFIED, pages.CONTENT_TYPE, "", headers={"ETag": etag})
    return Response(HTTPStatus.OK, pages.CONTENT_TYPE, body, headers={**HEADERS, "ETag": etag})


def _said(request: Request) -> str:
    try:
        found = SimpleCookie(request.headers.get("cookie", "")).get(SAID)
    except CookieError:
        return ""
    return unquote(found.value)[:LONGEST_SAID] if found is not None else ""
