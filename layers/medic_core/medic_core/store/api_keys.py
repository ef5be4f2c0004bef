"""API keys: their hashes and what they may do. Revocation and expiry are also checked in `service_states.RECORD`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from psycopg.rows import class_row

from medic_core.domain.access.api_keys import Scope, VerifiedKey
from medic_core.store.connection import Transaction

FIND: Final = """
SELECT key_id, name, scopes, secret_hash,
       CASE WHEN revoked_at <= now() THEN 'revoked_key' WHEN expires_at <= now() THEN 'expired_key' END AS refusal
  FROM medic.api_keys WHERE key_id = %(key_id)s
"""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as it is stored, and why it may not be used, if so."""

    key_id: str
    name: str
    scopes: list[str]
    secret_hash: str
    refusal: str | None

    def verified(self) -> VerifiedKey:
        """What is known once its secret was found right."""
        return VerifiedKey(self.key_id, self.name, frozenset(map(Scope, self.scopes)), self.secret_hash)


def find(tx: Transaction, key_id: str) -> StoredKey | None:
    """The key of that id."""
    with tx.cursor(row_factory=class_row(StoredKey)) as cursor:
        return cursor.execute(FIND, {"key_id": key_id}).fetchone()


#: The operator's own key may be given again with every deployment: the same one changes nothing.
ENSURE: Final = """
INSERT INTO medic.api_keys (key_id, name, secret_hash, scopes)
VALUES (%(key_id)s, %(name)s, %(secret_hash)s, %(scopes)s)
ON CONFLICT (key_id) DO UPDATE SET secret_hash = EXCLUDED.secret_hash, updated_at = now(), revoked_at = NULL
"""


def ensure(tx: Transaction, key_id: str, name: str, secret_hash: str, scopes: Collection[Scope]) -> None:
    """Add a key, or give an existing one this secret."""
    tx.execute(ENSURE, {"key_id": key_id, "name": name, "secret_hash": secret_hash, "scopes": sorted(scopes)})
