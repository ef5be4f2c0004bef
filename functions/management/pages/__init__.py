"""Pages for people: rendered here, styled inline, without a script. Whatever comes from a user is escaped."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Any

from aws_lambda_powertools.event_handler import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from medic_core.api.answers import Answer, headers_of, status_of
from medic_core.domain.watching.lengths import spoken
from medic_core.errors import MedicError, NotFound

HERE = Path(__file__).parent
STYLE = (HERE / "style.css").read_text(encoding="utf-8")
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
#: Nothing runs, nothing is loaded, forms go to us alone, and nobody shows the page inside another one.
POLICY = (
    f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
#: A page's address may be a secret: it is told to nobody, and kept nowhere.
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
}
CONTENT_TYPE = "text/html; charset=utf-8"


def utc(moment: datetime) -> str:
    """A time as a page writes it."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def words(name: str) -> str:
    """`missed_heartbeat` as people write it."""
    return ACRONYMS.get(name) or name.replace("_", " ").capitalize()


ACRONYMS = {"url": "URL", "pagerduty": "PagerDuty"}


def written(value: Any) -> str:
    """What a step is given, as text: a line for each entry of what is flat, JSON for what is not."""
    match value:
        case str():
            return value
        case list() if all(_is_plain(one) for one in value):
            return ", ".join(map(str, value))
        case dict() if all(_is_plain(one) for one in value.values()):
            return "\n".join(f"{name}: {one}" for name, one in value.items())
        case _:
            return json.dumps(value, indent=2, ensure_ascii=False)


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and "\n" not in str(value)


ENVIRONMENT = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters |= {"utc": utc, "spoken": spoken, "words": words, "written": written}
ENVIRONMENT.globals |= {"style": STYLE, "zero": timedelta(0)}


def rendered(template: str, **values: Any) -> str:
    """The HTML of a template."""
    return ENVIRONMENT.get_template(template).render(**values)


def page(
    template: str, status: int = HTTPStatus.OK, headers: Mapping[str, str] = MappingProxyType({}), **values: Any
) -> Response[str]:
    """A page as an answer."""
    return Response(
        status_code=status,
        content_type=CONTENT_TYPE,
        body=rendered(template, **values),
        headers={**HEADERS, **headers},
    )


def said(
    heading: str,
    text: str,
    *,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] = MappingProxyType({}),
    tone: str = "",
    facts: Sequence[tuple[str, str]] = (),
) -> Response[str]:
    """A page that says one thing. `tone` is `good` or `bad`, or neither."""
    return page("said.html", status, headers, heading=heading, text=text, tone=tone, facts=facts)


def failed(error: MedicError) -> Response[str]:
    """What went wrong."""
    heading = "Nothing is here" if isinstance(error, NotFound) else "That did not work"
    return said(heading, error.message, status=status_of(error), headers=headers_of(error), tone="bad")


def failed_answer(error: MedicError) -> Answer:
    """The same, as the gateway takes it."""
    response = failed(error)
    headers = {"Content-Type": CONTENT_TYPE, **response.headers}
    return {"statusCode": response.status_code, "headers": headers, "body": response.body}
