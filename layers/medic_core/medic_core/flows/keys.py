"""API keys are made."""

from __future__ import annotations

from medic_core.domain.access.api_keys import Scope, parse
from medic_core.errors import BadRequest
from medic_core.ports import Hasher
from medic_core.store import api_keys
from medic_core.store.connection import Database


def ensure_admin_key(database: Database, text: str, hasher: Hasher) -> None:
    """Let the operator's own key in; given again, it changes nothing. Raises BadRequest for what is not a key."""
    key = parse(text)
    if key is None:
        raise BadRequest(
            "MEDIC_ADMIN_API_KEY must look like mdk_<id>_<secret>, with a secret of 43 characters or more."
        )
    with database.transaction() as tx:
        stored = api_keys.find(tx, key.key_id)
        if stored is None or stored.refusal or not hasher.matches(stored.secret_hash, key.secret):
            api_keys.ensure(tx, key.key_id, f"admin {key.key_id}", hasher.hashed(key.secret), {Scope.ADMIN})
