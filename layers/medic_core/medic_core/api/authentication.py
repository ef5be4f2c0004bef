"""Who is asking: from the headers to a verified key."""

from __future__ import annotations

from collections.abc import Mapping

from medic_core.adapters.key_cache import KeyCache
from medic_core.domain.access.api_keys import PresentedKey, Scope, VerifiedKey, parse
from medic_core.errors import Forbidden, Unauthorized
from medic_core.store import api_keys
from medic_core.store.api_keys import StoredKey
from medic_core.store.connection import Database

BEARER = "bearer "


def presented_key(headers: Mapping[str, str]) -> str:
    """The key that a request brings, in either header. Raises Unauthorized."""
    in_header = headers.get("x-api-key", "").strip()
    authorization = headers.get("authorization", "").strip()
    in_bearer = authorization[len(BEARER) :].strip() if authorization.lower().startswith(BEARER) else ""
    if in_header and in_bearer and in_header != in_bearer:
        raise Unauthorized("X-API-Key and Authorization bring two different keys: send one.", reason="invalid_key")
    if not in_header and not in_bearer:
        raise Unauthorized
    return in_header or in_bearer


def authenticate_remembered(
    headers: Mapping[str, str], scope: Scope, database: Database, cache: KeyCache
) -> VerifiedKey:
    """A verified key that may do this, without a statement where it was seen lately.

    The caller's own statement must check that it is still valid (`service_states.RECORD` does).
    """
    text = presented_key(headers)
    parts = _well_formed(text)
    return _permitted(cache.get(text) or _verified(text, parts, database, cache), scope)


def authenticate(headers: Mapping[str, str], scope: Scope, database: Database, cache: KeyCache) -> VerifiedKey:
    """A verified key that may do this, checked against the database as it is now."""
    text = presented_key(headers)
    parts = _well_formed(text)
    remembered = cache.get(text)
    if remembered is None:
        return _permitted(_verified(text, parts, database, cache), scope)
    with database.autocommit() as connection:
        stored = api_keys.find(connection, parts.key_id)
    if stored is None or stored.secret_hash != remembered.secret_hash:
        return _permitted(_verified(text, parts, database, cache), scope)
    return _permitted(_usable(stored), scope)


def _well_formed(text: str) -> PresentedKey:
    parts = parse(text)
    if parts is None:
        raise Unauthorized("This is not an API key: keys look like mdk_<id>_<secret>.", reason="invalid_key")
    return parts


def _verified(text: str, parts: PresentedKey, database: Database, cache: KeyCache) -> VerifiedKey:
    # argon2 is only for a key that is seen for the first time in a while.
    from medic_core.adapters import hashing  # noqa: PLC0415

    with database.autocommit() as connection:
        stored = api_keys.find(connection, parts.key_id)
    right = hashing.matches(stored.secret_hash if stored else hashing.NOBODYS, parts.secret)
    if stored is None or not right:
        raise Unauthorized("This API key is not valid.", reason="invalid_key")
    key = _usable(stored)
    cache.put(text, key)
    return key


def _usable(stored: StoredKey) -> VerifiedKey:
    if stored.refusal is not None:
        raise Unauthorized("This API key is not valid any more.", reason=stored.refusal)
    return stored.verified()


def _permitted(key: VerifiedKey, scope: Scope) -> VerifiedKey:
    if not key.allows(scope):
        raise Forbidden(f"This needs an API key with the scope {scope}.")
    return key
