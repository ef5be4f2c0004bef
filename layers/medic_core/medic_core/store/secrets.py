"""Secrets, sealed; and the tokens of approvals, which are sealed under the same keys."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from psycopg.rows import class_row, scalar_row

from medic_core.store.connection import Transaction


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret as it is kept."""

    name: str
    version: int
    sealed: bytes = field(repr=False)


#: Locked in the order of their names, as a re-encryption does: steps wait for one another and not in a circle.
USE: Final = """
WITH locked AS (
    SELECT secret_id FROM medic.secrets WHERE name = ANY(%(names)s::text[]) ORDER BY name FOR UPDATE
)
UPDATE medic.secrets s SET last_used_at = now() FROM locked WHERE s.secret_id = locked.secret_id
RETURNING s.name, s.version, s.sealed
"""


def use(tx: Transaction, names: Collection[str]) -> list[Sealed]:
    """Those that exist, noted as used."""
    with tx.cursor(row_factory=class_row(Sealed)) as cursor:
        return cursor.execute(USE, {"names": sorted(names)}).fetchall()


EXISTING: Final = "SELECT name FROM medic.secrets WHERE name = ANY(%(names)s::text[])"


def existing(tx: Transaction, names: Collection[str]) -> frozenset[str]:
    """Those of the names under which there is a secret."""
    return frozenset(name for (name,) in tx.execute(EXISTING, {"names": sorted(names)}).fetchall())


@dataclass(frozen=True, slots=True)
class SecretRow:
    """What is known of a secret."""

    secret_id: int
    name: str
    description: str
    version: int
    updated_by: str
    last_used_at: datetime | None
    created_at: datetime
    updated_at: datetime


READ: Final = """
SELECT secret_id, name, description, version, updated_by, last_used_at, created_at, updated_at
  FROM medic.secrets WHERE name = %(name)s
"""


def read(tx: Transaction, name: str) -> SecretRow | None:
    """One secret, by its name."""
    with tx.cursor(row_factory=class_row(SecretRow)) as cursor:
        return cursor.execute(READ, {"name": name}).fetchone()


LISTED: Final = """
SELECT secret_id, name, description, version, updated_by, last_used_at, created_at, updated_at
  FROM medic.secrets WHERE secret_id > %(after)s ORDER BY secret_id LIMIT %(limit)s
"""


def listed(tx: Transaction, after: int, limit: int) -> list[SecretRow]:
    """Secrets in the order of their making."""
    with tx.cursor(row_factory=class_row(SecretRow)) as cursor:
        return cursor.execute(LISTED, {"after": after, "limit": limit}).fetchall()


#: Nobody else writes a secret of this name meanwhile, also one that is not there yet.
CLAIM: Final = "SELECT pg_advisory_xact_lock(hashtextextended('secret ' || %(name)s::text, 0))"
VERSION: Final = "SELECT version FROM medic.secrets WHERE name = %(name)s"


def claim(tx: Transaction, name: str) -> int:
    """The version of a secret that nobody else changes until the transaction ends; 0 where there is none."""
    tx.execute(CLAIM, {"name": name})
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(VERSION, {"name": name}).fetchone() or 0


PUT: Final = """
INSERT INTO medic.secrets (name, description, sealed, version, updated_by)
VALUES (%(name)s, %(description)s, %(sealed)s, %(version)s, %(updated_by)s)
ON CONFLICT (name) DO UPDATE
   SET description = EXCLUDED.description, sealed = EXCLUDED.sealed, version = EXCLUDED.version,
       updated_by = EXCLUDED.updated_by, updated_at = now()
"""


def put(tx: Transaction, name: str, description: str, sealed: bytes, version: int, updated_by: str) -> None:
    """Write a secret that was claimed."""
    values = {"name": name, "description": description, "sealed": sealed, "version": version, "updated_by": updated_by}
    tx.execute(PUT, values)


DELETE: Final = "DELETE FROM medic.secrets WHERE name = %(name)s RETURNING name"


def delete(tx: Transaction, name: str) -> bool:
    """Remove a secret; False where there is none."""
    return tx.execute(DELETE, {"name": name}).fetchone() is not None


AFTER: Final = """
SELECT name, version, sealed FROM medic.secrets WHERE name > %(after)s ORDER BY name LIMIT %(limit)s FOR UPDATE
"""


def after(tx: Transaction, name: str, limit: int) -> list[Sealed]:
    """The next secrets by name, which nobody else changes until the transaction ends."""
    with tx.cursor(row_factory=class_row(Sealed)) as cursor:
        return cursor.execute(AFTER, {"after": name, "limit": limit}).fetchall()


RESEAL: Final = "UPDATE medic.secrets SET sealed = %(sealed)s WHERE name = %(name)s"


def reseal(tx: Transaction, name: str, sealed: bytes) -> None:
    """The same value, under another key."""
    tx.execute(RESEAL, {"name": name, "sealed": sealed})


@dataclass(frozen=True, slots=True)
class SealedToken:
    """What lets the state machine go on after an approval, as it is kept."""

    request_id: int
    sealed: bytes = field(repr=False)


#: Of decisions that were taken: those that may be on their way to the state machine.
TOKENS_AFTER: Final = """
SELECT request_id, task_token AS sealed FROM medic.approval_requests
 WHERE task_token IS NOT NULL AND (status = 'pending' OR decided_at > now() - interval '1 day')
   AND request_id > %(after)s ORDER BY request_id LIMIT %(limit)s FOR UPDATE
"""


def tokens_after(tx: Transaction, request_id: int, limit: int) -> list[SealedToken]:
    """The next tokens that will be needed, which nobody else changes until the transaction ends."""
    with tx.cursor(row_factory=class_row(SealedToken)) as cursor:
        return cursor.execute(TOKENS_AFTER, {"after": request_id, "limit": limit}).fetchall()


RESEAL_TOKEN: Final = "UPDATE medic.approval_requests SET task_token = %(sealed)s WHERE request_id = %(request_id)s"


def reseal_token(tx: Transaction, request_id: int, sealed: bytes) -> None:
    """The same token, under another key."""
    tx.execute(RESEAL_TOKEN, {"request_id": request_id, "sealed": sealed})
