"""Who is asking: from the headers to a verified key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from medic_core.adapters.key_cache import KeyCache
from medic_core.domain.access.api_keys import PresentedKey, Scope, VerifiedKey, parse
from medic_core.errors import Forbidden, Unauthorized, Unavailable
from medic_core.store import api_keys
from medic_core.store.api_keys import StoredSecret
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


def permitted(key: VerifiedKey, scope: Scope) -> VerifiedKey:
    """The key, if it may do this. Raises Forbidden."""
    if not key.allows(scope):
        raise Forbidden(f"This needs an API key with the scope {scope}.")
    return key


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Verifies keys against a database, and remembers those that were right."""

    database: Database
    cache: KeyCache

    def remembered(self, headers: Mapping[str, str], before_hashing: Callable[[], None]) -> VerifiedKey:
        """A verified key, without a statement where it was seen lately.

        The caller's own statement must check that it still holds (`medic.record_heartbeat` does).
        `before_hashing` may refuse one that was not. Raises Unauthorized, Unavailable.
        """
        text = presented_key(headers)
        parts = _well_formed(text)
        return self.cache.get(text) or self._verified(text, parts, before_hashing)

    def checked(self, headers: Mapping[str, str], before_hashing: Callable[[], None]) -> VerifiedKey:
        """A verified key, checked against the database as it is now. Raises Unauthorized, Unavailable."""
        text = presented_key(headers)
        parts = _well_formed(text)
        key = self.cache.get(text)
        if key is None:
            return self._verified(text, parts, before_hashing)
        with self.database.autocommit() as connection:
            stored = api_keys.find(connection, parts.key_id)
        if stored is None or (stored.api_key_id, stored.version) != (key.api_key_id, key.version):
            return self._verified(text, parts, before_hashing)
        return _usable(stored)

    def note_use(self, headers: Mapping[str, str], key: VerifiedKey, *, is_recorded: bool = True) -> None:
        """Write down that a key is in use: seldom, for its owner to see and for Redis to go on knowing it.

        `is_recorded` is False where the database is away and should not be tried again.
        """
        if not self.cache.is_to_be_noted(key):
            return
        self.cache.share(presented_key(headers), key)
        if is_recorded:
            self._record_use(key)

    def note_session(self, key: VerifiedKey) -> None:
        """The same of a key that a session stands for: it is not at hand for Redis to know."""
        if self.cache.is_to_be_noted(key):
            self._record_use(key)

    def _record_use(self, key: VerifiedKey) -> None:
        with suppress(Unavailable), self.database.autocommit() as connection:
            api_keys.note_use(connection, key.api_key_id)

    def _verified(self, text: str, parts: PresentedKey, before_hashing: Callable[[], None]) -> VerifiedKey:
        # argon2 is only for a key that is seen for the first time in a while.
        from medic_core.adapters import hashing  # noqa: PLC0415

        before_hashing()
        with self.database.autocommit() as connection:
            stored = api_keys.find(connection, parts.key_id)
        right = hashing.matches(stored.secret_hash if stored else hashing.NOBODYS, parts.secret)
        if stored is None or not right:
            self.cache.forget(text)
            raise Unauthorized("This API key is not valid.", reason="invalid_key")
        key = _usable(stored)
        self.cache.put(text, key)
        return key


def _well_formed(text: str) -> PresentedKey:
    parts = parse(text)
    if parts is None:
        raise Unauthorized("This is not an API key: keys look like mdk_<id>_<secret>.", reason="invalid_key")
    return parts


def _usable(stored: StoredSecret) -> VerifiedKey:
    if stored.refusal is not None:
        raise Unauthorized("This API key is not valid any more.", reason=stored.refusal)
    return stored.verified()
