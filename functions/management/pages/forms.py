"""Forms on pages: read, and known to come from the page and the browser that they were made for.

A form carries a value that is computed from a cookie which the browser was given with it. A page elsewhere can make a
browser send a form here, but neither the cookie (SameSite=Strict) nor the value with it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl

from medic_core.errors import BadRequest, Forbidden, TooLarge

LONGEST_BODY = 16_384
MOST_FIELDS = 10
FORM_TYPE = "application/x-www-form-urlencoded"
COOKIE = "medic_form"
COOKIE_BYTES = 32
STALE = "This form was not made for this page, or its cookie is missing. Look at what is asked, and send it again."


def fields(body: bytes, headers: Mapping[str, str]) -> dict[str, str]:
    """What was filled in. Raises BadRequest, TooLarge."""
    return dict(pairs(body, headers, LONGEST_BODY, MOST_FIELDS))


def pairs(body: bytes, headers: Mapping[str, str], longest: int, most: int) -> list[tuple[str, str]]:
    """The same of a form whose fields may come several times. Raises BadRequest, TooLarge."""
    if len(body) > longest:
        raise TooLarge(f"The form must not be longer than {longest} bytes.")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
        raise BadRequest("This takes the form on the page, and nothing else.")
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=most)
    except ValueError as error:
        raise BadRequest("The form cannot be read.") from error


def cookie(headers: Mapping[str, str]) -> str:
    """The cookie that the browser has; a new one where it has none."""
    return _brought(headers) or secrets.token_urlsafe(COOKIE_BYTES)


def set_cookie(value: str, path: str, *, is_secure: bool) -> str:
    """The header that gives a browser its cookie."""
    secure = "; Secure" if is_secure else ""
    return f"{COOKIE}={value}; Path={path}; HttpOnly; SameSite=Strict{secure}"


def value(cookie: str, page: bytes) -> str:
    """What a form on a page carries. `page` tells the page from all others."""
    return hmac.new(cookie.encode(), page, hashlib.sha256).hexdigest()


def check(headers: Mapping[str, str], said: str, page: bytes) -> None:
    """Raises Forbidden for a form that does not come from its own page."""
    brought = _brought(headers)
    is_ours = brought is not None and hmac.compare_digest(said.encode(), value(brought, page).encode())
    if not is_ours or not is_from_here(headers):
        raise Forbidden(STALE)


def is_from_here(headers: Mapping[str, str]) -> bool:
    """Browsers say where a form was sent from; what is no browser says nothing."""
    return headers.get("sec-fetch-site", "same-origin") == "same-origin"


def _brought(headers: Mapping[str, str]) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return found.value if found is not None and len(found.value) >= COOKIE_BYTES else None
