"""Playbooks and their versions. A version is written once; a playbook that is deleted keeps its versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row, scalar_row

from medic_core.domain.watching.names import name_key
from medic_core.store.connection import Transaction


@dataclass(frozen=True, slots=True)
class PlaybookRow:
    """A playbook with its newest version."""

    playbook_id: int
    name: str
    description: str
    version: int
    yaml_content: str
    sha256: str
    approval_mode: str
    scripts: list[str]
    secrets: list[str]
    created_by: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version of a playbook."""

    playbook_id: int
    version: int
    yaml_content: str
    sha256: str
    approval_mode: str
    scripts: list[str]
    secrets: list[str]
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What a save writes."""

    name: str
    description: str
    yaml_content: str
    sha256: str
    approval_mode: str
    scripts: Sequence[str]
    secrets: Sequence[str]
    created_by: str

    def values(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "name_key": name_key(self.name),
            "description": self.description,
            "yaml_content": self.yaml_content,
            "sha256": self.sha256,
            "approval_mode": self.approval_mode,
            "scripts": list(self.scripts),
            "secrets": list(self.secrets),
            "created_by": self.created_by,
        }


CREATE: Final = """
WITH made AS (
    INSERT INTO medic.playbooks (name, name_key, description, version)
    VALUES (%(name)s, %(name_key)s, %(description)s, 1)
    RETURNING playbook_id
)
INSERT INTO medic.playbook_versions
       (playbook_id, version, yaml_content, sha256, approval_mode, scripts, secrets, created_by)
SELECT playbook_id, 1, %(yaml_content)s, %(sha256)s, %(approval_mode)s, %(scripts)s, %(secrets)s, %(created_by)s
  FROM made
RETURNING playbook_id
"""


def create(tx: Transaction, new: NewVersion) -> int | None:
    """Write a playbook with its first version; None where its name is taken."""
    try:
        with tx.transaction(), tx.cursor(row_factory=scalar_row) as cursor:
            return cursor.execute(CREATE, new.values()).fetchone()
    except UniqueViolation:
        return None


CHANGE: Final = """
WITH changed AS (
    UPDATE medic.playbooks
       SET name = %(name)s, name_key = %(name_key)s, description = %(description)s, version = version + 1,
           updated_at = now()
     WHERE playbook_id = %(playbook_id)s AND deleted_at IS NULL
    RETURNING playbook_id, version
)
INSERT INTO medic.playbook_versions
       (playbook_id, version, yaml_content, sha256, approval_mode, scripts, secrets, created_by)
SELECT playbook_id, version, %(yaml_content)s, %(sha256)s, %(approval_mode)s, %(scripts)s, %(secrets)s, %(created_by)s
  FROM changed
RETURNING version
"""


def change(tx: Transaction, playbook_id: int, new: NewVersion) -> int | None:
    """Write a further version; its number, None where the name is another's."""
    try:
        with tx.transaction(), tx.cursor(row_factory=scalar_row) as cursor:
            return cursor.execute(CHANGE, {**new.values(), "playbook_id": playbook_id}).fetchone()
    except UniqueViolation:
        return None


NEWEST: Final = """
SELECT p.playbook_id, p.name, p.description, p.version, v.yaml_content, v.sha256, v.approval_mode, v.scripts, v.secrets,
       v.created_by, p.created_at, p.updated_at
  FROM medic.playbooks p JOIN medic.playbook_versions v USING (playbook_id, version)
 WHERE p.playbook_id = %(playbook_id)s AND p.deleted_at IS NULL
"""
#: By itself: who has waited for another's change reads the version that it made only in a further statement.
LOCK: Final = "SELECT FROM medic.playbooks WHERE playbook_id = %(playbook_id)s FOR UPDATE"


def read(tx: Transaction, playbook_id: int, *, lock: bool = False) -> PlaybookRow | None:
    """A playbook, None where there is none (any more); with `lock` nobody else changes it meanwhile."""
    if lock:
        tx.execute(LOCK, {"playbook_id": playbook_id})
    with tx.cursor(row_factory=class_row(PlaybookRow)) as cursor:
        return cursor.execute(NEWEST, {"playbook_id": playbook_id}).fetchone()


LISTED: Final = """
SELECT p.playbook_id, p.name, p.description, p.version, v.yaml_content, v.sha256, v.approval_mode, v.scripts, v.secrets,
       v.created_by, p.created_at, p.updated_at
  FROM medic.playbooks p JOIN medic.playbook_versions v USING (playbook_id, version)
 WHERE p.deleted_at IS NULL AND p.playbook_id > %(after)s
 ORDER BY p.playbook_id LIMIT %(limit)s
"""


def listed(tx: Transaction, after: int, limit: int) -> list[PlaybookRow]:
    """Playbooks in the order of their making."""
    with tx.cursor(row_factory=class_row(PlaybookRow)) as cursor:
        return cursor.execute(LISTED, {"after": after, "limit": limit}).fetchall()


READ_VERSIONS: Final = """
SELECT playbook_id, version, yaml_content, sha256, approval_mode, scripts, secrets, created_by, created_at
  FROM medic.playbook_versions WHERE playbook_id = %(playbook_id)s AND version = ANY(%(versions)s::int[])
"""


def read_versions(tx: Transaction, playbook_id: int, *versions: int) -> dict[int, VersionRow]:
    """These versions by their numbers, as far as there are any; also of a playbook that was deleted."""
    with tx.cursor(row_factory=class_row(VersionRow)) as cursor:
        values = {"playbook_id": playbook_id, "versions": list(versions)}
        return {row.version: row for row in cursor.execute(READ_VERSIONS, values)}


def read_version(tx: Transaction, playbook_id: int, version: int) -> VersionRow | None:
    """One version, also of a playbook that was deleted."""
    return read_versions(tx, playbook_id, version).get(version)


VERSIONS: Final = """
SELECT playbook_id, version, yaml_content, sha256, approval_mode, scripts, secrets, created_by, created_at
  FROM medic.playbook_versions
 WHERE playbook_id = %(playbook_id)s AND (%(before)s::bigint IS NULL OR version < %(before)s)
 ORDER BY version DESC LIMIT %(limit)s
"""


def versions(tx: Transaction, playbook_id: int, before: int | None, limit: int) -> list[VersionRow]:
    """A playbook's versions, newest first."""
    with tx.cursor(row_factory=class_row(VersionRow)) as cursor:
        values = {"playbook_id": playbook_id, "before": before, "limit": limit}
        return cursor.execute(VERSIONS, values).fetchall()


DELETE: Final = """
WITH gone AS (
    UPDATE medic.playbooks SET deleted_at = now(), updated_at = now()
     WHERE playbook_id = %(playbook_id)s AND deleted_at IS NULL
    RETURNING playbook_id
)
DELETE FROM medic.playbook_triggers t USING gone WHERE t.playbook_id = gone.playbook_id
"""


def delete(tx: Transaction, playbook_id: int) -> None:
    """End a playbook and its triggers. What is under way goes on by its version."""
    tx.execute(DELETE, {"playbook_id": playbook_id})


FIGURES: Final = """
       count(*)::int AS executions,
       count(*) FILTER (WHERE status = 'completed')::int AS completed,
       count(*) FILTER (WHERE status = 'failed')::int AS failed,
       count(*) FILTER (WHERE outcome = 'cured')::int AS cured,
       count(*) FILTER (WHERE cause = 'alert' AND outcome IN ('cured', 'unverified', 'failed', 'escalated', 'unknown',
                                                             'timed_out'))::int AS tried
"""
STATS: Final = f"""
SELECT {FIGURES}
  FROM medic.playbook_executions
 WHERE playbook_id = %(playbook_id)s AND created_at > now() - %(days)s * interval '1 day'
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Stats:
    """How a playbook has done. `tried` are those that an alert started and that acted; `cured` those that helped."""

    executions: int
    completed: int
    failed: int
    cured: int
    tried: int

    @property
    def cure_rate(self) -> float | None:
        """The share that helped; None where none was tried."""
        return round(self.cured / self.tried, 4) if self.tried else None


def stats(tx: Transaction, playbook_id: int, days: int) -> Stats:
    """How a playbook has done over the last days."""
    with tx.cursor(row_factory=class_row(Stats)) as cursor:
        found = cursor.execute(STATS, {"playbook_id": playbook_id, "days": days}).fetchone()
    assert found is not None
    return found
