"""Registered scripts. A version is written once, and kept when the script goes: executions may be running it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Final

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row, scalar_row

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


@dataclass(frozen=True, slots=True)
class ScriptRow:
    """A script with its newest version."""

    script_id: int
    name: str
    version: int
    content: str = field(repr=False)
    interpreter: str
    timeout_seconds: int
    sha256: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NewScriptVersion:
    """What a save writes."""

    content: str = field(repr=False)
    interpreter: str
    timeout_seconds: int
    sha256: str
    created_by: str


READ: Final = """
SELECT s.script_id, s.name, s.version, v.content, v.interpreter, v.timeout_seconds, v.sha256, s.created_at, s.updated_at
  FROM medic.registered_scripts s JOIN medic.script_versions v USING (script_id, version)
 WHERE s.script_id = %(script_id)s
"""
#: A statement of its own: joined, the second to wait would look for the version that it saw before it waited.
LOCK: Final = "SELECT FROM medic.registered_scripts WHERE script_id = %(script_id)s FOR UPDATE"


def read(tx: Transaction, script_id: int, *, lock: bool = False) -> ScriptRow | None:
    """One script; with `lock` nobody else changes it meanwhile."""
    if lock:
        tx.execute(LOCK, {"script_id": script_id})
    with tx.cursor(row_factory=class_row(ScriptRow)) as cursor:
        return cursor.execute(READ, {"script_id": script_id}).fetchone()


LISTED: Final = """
SELECT s.script_id, s.name, s.version, v.content, v.interpreter, v.timeout_seconds, v.sha256, s.created_at, s.updated_at
  FROM medic.registered_scripts s JOIN medic.script_versions v USING (script_id, version)
 WHERE s.script_id > %(after)s ORDER BY s.script_id LIMIT %(limit)s
"""


def listed(tx: Transaction, after: int, limit: int) -> list[ScriptRow]:
    """Scripts in the order of their making."""
    with tx.cursor(row_factory=class_row(ScriptRow)) as cursor:
        return cursor.execute(LISTED, {"after": after, "limit": limit}).fetchall()


VERSIONS: Final = """
SELECT script_id, name_key, version, content, interpreter, timeout_seconds, sha256, created_by, created_at
  FROM medic.script_versions WHERE script_id = %(script_id)s AND version < %(before)s
 ORDER BY version DESC LIMIT %(limit)s
"""


def versions(tx: Transaction, script_id: int, before: int, limit: int) -> list[ScriptVersion]:
    """A script's versions, newest first."""
    with tx.cursor(row_factory=class_row(ScriptVersion)) as cursor:
        values = {"script_id": script_id, "before": before, "limit": limit}
        return cursor.execute(VERSIONS, values).fetchall()


#: Nobody else registers or deletes a script of this name meanwhile.
CLAIM: Final = "SELECT pg_advisory_xact_lock(hashtextextended('script ' || %(name_key)s::text, 0))"
#: A name that comes back counts on: an execution that is under way finds the text that it began with, and no other.
CREATE: Final = """
INSERT INTO medic.registered_scripts (name, name_key, version)
SELECT %(name)s, %(name_key)s, COALESCE(max(version), 0) + 1
  FROM medic.script_versions WHERE name_key = %(name_key)s
RETURNING script_id
"""
ADD_VERSION: Final = """
INSERT INTO medic.script_versions
       (script_id, name_key, version, content, interpreter, timeout_seconds, sha256, created_by)
SELECT script_id, name_key, version, %(content)s, %(interpreter)s, %(timeout_seconds)s, %(sha256)s, %(created_by)s
  FROM medic.registered_scripts WHERE script_id = %(script_id)s
"""


def create(tx: Transaction, name: str, version: NewScriptVersion) -> int | None:
    """Register a script with its first version; None where its name is taken."""
    tx.execute(CLAIM, {"name_key": name_key(name)})
    try:
        with tx.transaction(), tx.cursor(row_factory=scalar_row) as cursor:
            script_id = cursor.execute(CREATE, {"name": name, "name_key": name_key(name)}).fetchone()
    except UniqueViolation:
        return None
    tx.execute(ADD_VERSION, {**asdict(version), "script_id": script_id})
    return script_id


CHANGE: Final = """
UPDATE medic.registered_scripts SET version = version + 1, updated_at = now() WHERE script_id = %(script_id)s
"""


def change(tx: Transaction, script_id: int, version: NewScriptVersion) -> None:
    """Write a further version of a script that is locked."""
    tx.execute(CHANGE, {"script_id": script_id})
    tx.execute(ADD_VERSION, {**asdict(version), "script_id": script_id})


DELETE: Final = "DELETE FROM medic.registered_scripts WHERE script_id = %(script_id)s"


def delete(tx: Transaction, script_id: int, name: str) -> None:
    """Remove a script; its versions stay."""
    tx.execute(CLAIM, {"name_key": name_key(name)})
    tx.execute(DELETE, {"script_id": script_id})
