"""Requests that may be repeated: an answer is kept in the transaction of the change that it tells of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from medic_core.store.connection import Transaction

#: The second of two at once waits here until the first has committed or not. An old key is a new one.
CLAIM: Final = """
INSERT INTO medic.idempotency_keys AS claimed (api_key_id, idempotency_key, request_digest)
VALUES (%(api_key_id)s, %(idempotency_key)s, %(request_digest)s)
ON CONFLICT (api_key_id, idempotency_key) DO UPDATE
   SET request_digest = EXCLUDED.request_digest, response = NULL, created_at = now()
 WHERE claimed.created_at < now() - interval '24 hours'
RETURNING true
"""
FIND: Final = """
SELECT request_digest, response FROM medic.idempotency_keys
 WHERE api_key_id = %(api_key_id)s AND idempotency_key = %(idempotency_key)s
"""


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that was answered before."""

    request_digest: bytes
    response: dict[str, Any]


def claim(tx: Transaction, api_key_id: int, idempotency_key: str, request_digest: bytes) -> Answered | None:
    """Claim a key for a request, until the transaction ends; or the answer that was given under it."""
    values = {"api_key_id": api_key_id, "idempotency_key": idempotency_key, "request_digest": request_digest}
    if tx.execute(CLAIM, values).fetchone() is not None:
        return None
    with tx.cursor(row_factory=class_row(Answered)) as cursor:
        return cursor.execute(FIND, values).fetchone()


KEEP: Final = """
UPDATE medic.idempotency_keys SET response = %(response)s
 WHERE api_key_id = %(api_key_id)s AND idempotency_key = %(idempotency_key)s
"""


def keep(tx: Transaction, api_key_id: int, idempotency_key: str, response: dict[str, Any]) -> None:
    """Keep the answer to a claimed key's request."""
    tx.execute(KEEP, {"api_key_id": api_key_id, "idempotency_key": idempotency_key, "response": Jsonb(response)})


FORGET: Final = """
DELETE FROM medic.idempotency_keys WHERE created_at < now() - interval '24 hours'
"""


def forget(tx: Transaction) -> int:
    """Remove what nobody will repeat any more; returns how many."""
    return tx.execute(FORGET).rowcount
