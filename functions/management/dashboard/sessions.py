"""Who is signed in: a signed cookie names an API key, and each request asks the database whether that key still holds.

So a key that is revoked ends its sessions at once, and a scope that it loses is lost on the next page.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from http.cookies import CookieError, SimpleCookie

import door
from medic_core.api.request import Request
from medic_core.domain.access.api_keys import VerifiedKey
from medic_core.errors import Forbidden, Unauthorized
from medic_core.store import api_keys
from pages import forms

LASTS = timedelta(hours=12)
#: The browser itself sees to it that only this host over HTTPS can have set it.
SECURE_COOKIE, COOKIE = "__Host-medic_session", "medic_session"
PARTS = 3
OVER = "Your session is over: sign in again."
STALE = "This form is not of your session: look at the page again, and send it from there."


@dataclass(frozen=True, slots=True)
class Session:
    """A cookie that was signed here and is not over."""

    key_id: str
    api_key_id: int


def begun(request: Request, key: VerifiedKey) -> str:
    """The header that signs a browser in."""
    until = int((request.received_at + LASTS).timestamp())
    content = f"{key.key_id}.{key.api_key_id}.{until}"
    return _set_cookie(request, f"{content}.{_signature(content)}", int(LASTS.total_seconds()))


def ended(request: Request) -> str:
    """The header that signs it out."""
    return _set_cookie(request, "", 0)


def key_of(request: Request) -> VerifiedKey:
    """The key of who is signed in, as it is now. Raises Unauthorized, Unavailable."""
    session = _read(_cookie(request), request.received_at)
    with door.DATABASE.autocommit() as connection:
        stored = api_keys.find(connection, session.key_id)
    if stored is None or stored.api_key_id != session.api_key_id or stored.refusal is not None:
        raise Unauthorized(OVER, reason=(stored.refusal if stored else None) or "invalid_session")
    return stored.verified()


def form_value(request: Request) -> str:
    """What every form of this session carries: no other page knows it."""
    return forms.value(_cookie(request), b"dashboard")


def check_form(request: Request, said: str) -> None:
    """Raises Forbidden for a form that was not made for this session and sent from our own pages."""
    is_ours = hmac.compare_digest(said.encode(errors="replace"), form_value(request).encode())
    if not is_ours or not forms.is_from_here(request.headers):
        raise Forbidden(STALE)


def has_cookie(request: Request) -> bool:
    """Whether the browser brought one, whatever it is worth."""
    return bool(_cookie(request))


def _read(cookie: str, now: datetime) -> Session:
    content, _, signature = cookie.rpartition(".")
    parts = content.split(".")
    is_ours = hmac.compare_digest(signature.encode(errors="replace"), _signature(content).encode())
    if len(parts) != PARTS or not is_ours:
        raise Unauthorized(OVER, reason="invalid_session" if cookie else "missing_key")
    key_id, api_key_id, until = parts
    if int(until) <= now.timestamp():
        raise Unauthorized(OVER, reason="expired_session")
    return Session(key_id, int(api_key_id))


def _signature(content: str) -> str:
    return hmac.new(_secret(door.SETTINGS.key_cache_secret.value), content.encode(), hashlib.sha256).hexdigest()


@cache
def _secret(shared: str) -> bytes:
    """One purpose, one key. Where none is shared, sessions end with this process."""
    return hashlib.sha256(b"medic dashboard session\0" + (shared or secrets.token_hex(32)).encode()).digest()


def _is_secure(request: Request) -> bool:
    return door.base_url(request).startswith("https://")


def _set_cookie(request: Request, value: str, seconds: int) -> str:
    name, secure = (SECURE_COOKIE, "; Secure") if _is_secure(request) else (COOKIE, "")
    return f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"


def _cookie(request: Request) -> str:
    try:
        found = SimpleCookie(request.headers.get("cookie", "")).get(SECURE_COOKIE if _is_secure(request) else COOKIE)
    except CookieError:
        return ""
    return found.value if found is not None else ""
