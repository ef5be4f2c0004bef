"""Registered scripts. A version is written once, and kept when the script goes: executions may be running it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from psycopg.rows import class_row

from medic_core.domain.watching.names import name_key
from medic_core.store.connection import Transaction


@dataclass(frozen=True, slots=True)
class ScriptVersion:
    """One version of a script."""

    script_id: int
    name_key: str
    version: int
    content: str = field(repr=False)
    interpreter: str
    timeout_seconds: int
    sha256: str
    created_by: str
    created_at: datetime


NEWEST: Final = "SELECT name_key, version FROM medic.registered_scripts WHERE name_key = ANY(%(name_keys)s::text[])"


def newest(tx: Transaction, names: Sequence[str]) -> dict[str, int]:
    """The newest versions of those that are registered, by the names that were asked for."""
    rows = tx.execute(NEWEST, {"name_keys": [name_key(name) for name in names]}).fetchall()
    known: dict[str, int] = dict(rows)
    return {name: known[name_key(name)] for name in names if name_key(name) in known}


VERSION: Final = """
SELECT script_id, name_key, version, content, interpreter, timeout_seconds, sha256, created_by, created_at
  FROM medic.script_versions WHERE name_key = %(name_key)s AND version = %(version)s
 ORDER BY script_id DESC LIMIT 1
"""


def read_version(tx: Transaction, name: str, version: int) -> ScriptVersion | None:
    """One version, also of a script that was deleted."""
    with tx.cursor(row_factory=class_row(ScriptVersion)) as cursor:
        return cursor.execute(VERSION, {"name_key": name_key(name), "version": version}).fetchone()
