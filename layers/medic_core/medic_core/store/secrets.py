"""Secrets, sealed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from psycopg.rows import class_row

from medic_core.store.connection import Transaction


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret as it is kept."""

    name: str
    version: int
    sealed: bytes = field(repr=False)


USE: Final = """
UPDATE medic.secrets SET last_used_at = now() WHERE name = ANY(%(names)s::text[])
RETURNING name, version, sealed
"""


def use(tx: Transaction, names: Collection[str]) -> list[Sealed]:
    """Those that exist, noted as used."""
    with tx.cursor(row_factory=class_row(Sealed)) as cursor:
        return cursor.execute(USE, {"names": sorted(names)}).fetchall()
