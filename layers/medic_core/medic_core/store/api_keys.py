"""API keys and the hashes of their secrets. Revocation and expiry are also checked in `medic.record_heartbeat`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import class_row, scalar_row
from psycopg.types.json import Jsonb

from medic_core.domain.access.api_keys import Scope, VerifiedKey
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.store.connection import Transaction

FIND: Final = """
SELECT k.api_key_id, s.key_id, k.name, k.scopes, k.version, k.rate_limits, s.secret_hash,
       CASE WHEN k.revoked_at <= moment.at THEN 'revoked_key'
            WHEN LEAST(k.expires_at, s.valid_until) <= moment.at THEN 'expired_key' END AS refusal
  FROM medic.api_key_secrets s JOIN medic.api_keys k USING (api_key_id),
       LATERAL (SELECT COALESCE(%(at)s::timestamptz, now()) AS at) AS moment
 WHERE s.key_id = %(key_id)s
"""


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A secret with its key, and why it may not be used, if so."""

    api_key_id: int
    key_id: str
    name: str
    scopes: list[str]
    version: int
    rate_limits: dict[str, int]
    secret_hash: str
    refusal: str | None

    def verified(self) -> VerifiedKey:
        """What is known once the secret was found right."""
        return VerifiedKey(
            api_key_id=self.api_key_id,
            key_id=self.key_id,
            name=self.name,
            scopes=frozenset(map(Scope, self.scopes)),
            version=self.version,
            rate_limits={Endpoints(kind): limit for kind, limit in self.rate_limits.items()},
        )


def find(tx: Transaction, key_id: str, at: datetime | None = None) -> StoredSecret | None:
    """The secret of that public id, as it is now or was at a moment."""
    with tx.cursor(row_factory=class_row(StoredSecret)) as cursor:
        return cursor.execute(FIND, {"key_id": key_id, "at": at}).fetchone()


#: The operator's own key may be given again with every deployment: its name is its id.
ENSURE: Final = """
WITH key AS (
    INSERT INTO medic.api_keys (name, scopes) VALUES (%(name)s, %(scopes)s)
    ON CONFLICT (name) DO UPDATE SET revoked_at = NULL, expires_at = NULL, scopes = EXCLUDED.scopes,
                                     version = api_keys.version + 1, updated_at = now()
    RETURNING api_key_id
)
INSERT INTO medic.api_key_secrets (key_id, api_key_id, secret_hash)
SELECT %(key_id)s, api_key_id, %(secret_hash)s FROM key
ON CONFLICT (key_id) DO UPDATE
   SET secret_hash = EXCLUDED.secret_hash, valid_until = NULL, api_key_id = EXCLUDED.api_key_id
"""


def ensure(tx: Transaction, key_id: str, name: str, secret_hash: str, scopes: Collection[Scope]) -> None:
    """Add a key of that name, or give the existing one this secret and let it in again."""
    tx.execute(ENSURE, {"key_id": key_id, "name": name, "secret_hash": secret_hash, "scopes": sorted(scopes)})


ADD: Final = """
INSERT INTO medic.api_keys (name, scopes, expires_at, rate_limits)
VALUES (%(name)s, %(scopes)s, %(expires_at)s, %(rate_limits)s)
ON CONFLICT (name) DO NOTHING
RETURNING api_key_id
"""


def add(
    tx: Transaction,
    name: str,
    scopes: Collection[Scope],
    expires_at: datetime | None,
    rate_limits: Mapping[Endpoints, int],
) -> int | None:
    """Add a key without a secret yet; None where the name is taken."""
    values = {
        "name": name,
        "scopes": sorted(scopes),
        "expires_at": expires_at,
        "rate_limits": Jsonb(dict(rate_limits)),
    }
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(ADD, values).fetchone()


ADD_SECRET: Final = """
INSERT INTO medic.api_key_secrets (key_id, api_key_id, secret_hash)
VALUES (%(key_id)s, %(api_key_id)s, %(secret_hash)s)
"""


def add_secret(tx: Transaction, api_key_id: int, key_id: str, secret_hash: str) -> None:
    """Give a key a secret."""
    tx.execute(ADD_SECRET, {"api_key_id": api_key_id, "key_id": key_id, "secret_hash": secret_hash})


END_SECRETS: Final = """
UPDATE medic.api_key_secrets SET valid_until = LEAST(valid_until, %(at)s) WHERE api_key_id = %(api_key_id)s
"""


def end_secrets(tx: Transaction, api_key_id: int, at: datetime) -> None:
    """Let the secrets that a key has now end at a moment, or sooner where they already do."""
    tx.execute(END_SECRETS, {"api_key_id": api_key_id, "at": at})


#: Of secrets that ended, few are worth keeping: they tell "expired" from "never existed".
FORGET_SECRETS: Final = """
DELETE FROM medic.api_key_secrets WHERE valid_until < now() - interval '1 day' * %(days)s
"""


def forget_secrets(tx: Transaction, days: int) -> int:
    """Remove secrets that ended long ago; returns how many."""
    return tx.execute(FORGET_SECRETS, {"days": days}).rowcount


READ: Final = """
SELECT api_key_id, name, scopes, rate_limits, expires_at, last_used_at, revoked_at, version, created_at, updated_at
  FROM medic.api_keys
 WHERE (%(api_key_id)s::bigint IS NULL OR api_key_id = %(api_key_id)s) AND api_key_id > %(after)s
 ORDER BY api_key_id LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is listed: all but its secrets."""

    api_key_id: int
    name: str
    scopes: list[str]
    rate_limits: dict[str, int]
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


def read(tx: Transaction, *, api_key_id: int | None = None, after: int = 0, limit: int = 1) -> list[ApiKey]:
    """Keys in the order of their making; None does not filter."""
    with tx.cursor(row_factory=class_row(ApiKey)) as cursor:
        return cursor.execute(READ, {"api_key_id": api_key_id, "after": after, "limit": limit}).fetchall()


UPDATE: Final = """
UPDATE medic.api_keys
   SET name = %(name)s, scopes = %(scopes)s, rate_limits = %(rate_limits)s, expires_at = %(expires_at)s,
       revoked_at = %(revoked_at)s, version = version + 1, updated_at = now()
 WHERE api_key_id = %(api_key_id)s
   AND NOT EXISTS (SELECT FROM medic.api_keys other WHERE other.name = %(name)s AND other.api_key_id <> %(api_key_id)s)
"""


def update(tx: Transaction, key: ApiKey) -> bool:
    """Write a locked key as it shall be; False where another has that name."""
    values: dict[str, Any] = {
        "api_key_id": key.api_key_id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "rate_limits": Jsonb(key.rate_limits),
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }
    return tx.execute(UPDATE, values).rowcount == 1


DELETE: Final = "DELETE FROM medic.api_keys WHERE api_key_id = %(api_key_id)s"


def delete(tx: Transaction, api_key_id: int) -> None:
    """Remove a key with its secrets."""
    tx.execute(DELETE, {"api_key_id": api_key_id})


#: Makes two that would each remove the other's last way in wait for one another.
LOCK_ALL: Final = "SELECT pg_advisory_xact_lock(hashtext('medic.api_keys'))"
HAS_ADMIN: Final = """
SELECT EXISTS (
    SELECT FROM medic.api_keys k JOIN medic.api_key_secrets s USING (api_key_id)
     WHERE 'admin' = ANY(k.scopes) AND k.revoked_at IS NULL AND k.expires_at IS NULL AND s.valid_until IS NULL
)
"""


def lock_all(tx: Transaction) -> None:
    """Have nobody else change keys until the transaction ends."""
    tx.execute(LOCK_ALL)


def has_lasting_admin(tx: Transaction) -> bool:
    """Whether there is an admin key that neither ends nor is revoked."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return bool(cursor.execute(HAS_ADMIN).fetchone())


NOTE_USE: Final = """
UPDATE medic.api_keys SET last_used_at = now()
 WHERE api_key_id = %(api_key_id)s AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
"""


def note_use(tx: Transaction, api_key_id: int) -> None:
    """Note that a key was used, unless that was noted within a minute: callers need not know of each other."""
    tx.execute(NOTE_USE, {"api_key_id": api_key_id})
