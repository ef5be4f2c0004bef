"""API keys are made, changed, rotated and end."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from medic_core.domain.access.api_keys import Scope, parse, written
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.errors import BadRequest, Conflict, NotFound, Stale
from medic_core.ports import Hasher
from medic_core.store import api_keys, connection
from medic_core.store.api_keys import ApiKey
from medic_core.store.connection import Database, Transaction

OPERATORS_ID = "admin"
KEY_ID_BYTES = 6
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Shown:
    """A key and its text, which is shown once and kept nowhere."""

    key: ApiKey
    text: str


def ensure_admin_key(database: Database, text: str, hasher: Hasher) -> None:
    """Let the operator's own key in; given again, it changes nothing. Raises BadRequest for what is not a key.

    Without the form of a key it is the secret of the key whose id is `admin`.
    """
    key = parse(text) or parse(written(OPERATORS_ID, text))
    if key is None:
        raise BadRequest(
            "MEDIC_ADMIN_API_KEY must look like mdk_<id>_<secret>, with a secret of 43 characters or more."
        )
    with database.transaction() as tx:
        stored = api_keys.find(tx, key.key_id)
        if stored is None or stored.refusal or not hasher.matches(stored.secret_hash, key.secret):
            api_keys.ensure(tx, key.key_id, f"admin {key.key_id}", hasher.hashed(key.secret), {Scope.ADMIN})


def create(
    tx: Transaction,
    name: str,
    scopes: Collection[Scope],
    expires_at: datetime | None,
    rate_limits: Mapping[Endpoints, int],
    hasher: Hasher,
) -> Shown:
    """Make a key. Raises BadRequest for one that has ended already, Conflict where the name is taken."""
    _check_end(tx, expires_at)
    api_key_id = api_keys.add(tx, name, scopes, expires_at, rate_limits)
    if api_key_id is None:
        raise Conflict(f"name: there is an API key named {name!r} already.")
    text = _new_secret(tx, api_key_id, hasher)
    return Shown(read(tx, api_key_id), text)


def change(tx: Transaction, api_key_id: int, changes: Mapping[str, Any], version: int | None) -> ApiKey:
    """Change a key's name, scopes, limits or end; it holds from the next request on.

    Raises NotFound, Stale where `version` is not the key's, Conflict for a taken name or the last admin key.
    """
    key = _locked(tx, api_key_id, version)
    if "expires_at" in changes:
        _check_end(tx, changes["expires_at"])
    return _saved(tx, replace(key, **changes))


def revoke(tx: Transaction, api_key_id: int, version: int | None) -> ApiKey:
    """End a key, for good and from the next request on; it stays listed. Revoking it again changes nothing.

    Raises NotFound, Stale, Conflict for the last admin key.
    """
    key = _locked(tx, api_key_id, version)
    return key if key.revoked_at is not None else _saved(tx, replace(key, revoked_at=connection.now(tx)))


def delete(tx: Transaction, api_key_id: int, version: int | None) -> None:
    """Remove a key. Raises NotFound, Stale, Conflict for the last admin key."""
    _locked(tx, api_key_id, version)
    had_admin = api_keys.has_lasting_admin(tx)
    api_keys.delete(tx, api_key_id)
    _check_admin(tx, had_admin=had_admin)


def rotate(tx: Transaction, api_key_id: int, overlap: timedelta, version: int | None, hasher: Hasher) -> Shown:
    """Give a key a new secret; those that it has now go on for `overlap`.

    Raises NotFound, Stale, Conflict for a revoked key.
    """
    key = _locked(tx, api_key_id, version)
    if key.revoked_at is not None:
        raise Conflict("This API key is revoked. Make a new one.")
    api_keys.end_secrets(tx, api_key_id, connection.now(tx) + overlap)
    text = _new_secret(tx, api_key_id, hasher)
    return Shown(_saved(tx, key), text)


def _new_secret(tx: Transaction, api_key_id: int, hasher: Hasher) -> str:
    key_id, secret = secrets.token_hex(KEY_ID_BYTES), secrets.token_urlsafe(SECRET_BYTES)
    api_keys.add_secret(tx, api_key_id, key_id, hasher.hashed(secret))
    return written(key_id, secret)


def _locked(tx: Transaction, api_key_id: int, version: int | None) -> ApiKey:
    api_keys.lock_all(tx)
    key = read(tx, api_key_id)
    if version is not None and version != key.version:
        raise Stale
    return key


def read(tx: Transaction, api_key_id: int) -> ApiKey:
    """The key. Raises NotFound."""
    found = api_keys.read(tx, api_key_id=api_key_id)
    if not found:
        raise NotFound("No API key has this id.")
    return found[0]


def _saved(tx: Transaction, key: ApiKey) -> ApiKey:
    had_admin = api_keys.has_lasting_admin(tx)
    if not api_keys.update(tx, key):
        raise Conflict(f"name: there is an API key named {key.name!r} already.")
    _check_admin(tx, had_admin=had_admin)
    return read(tx, key.api_key_id)


def _check_admin(tx: Transaction, *, had_admin: bool) -> None:
    if had_admin and not api_keys.has_lasting_admin(tx):
        raise Conflict("This is the last admin key that lasts: make another one first.")


def _check_end(tx: Transaction, expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= connection.now(tx):
        raise BadRequest("expires_at must lie in the future.")
