"""Kill switches that are thrown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg.rows import class_row, scalar_row

from medic_core.store.connection import Transaction


@dataclass(frozen=True, slots=True)
class KillSwitch:
    """One that is thrown."""

    kill_switch_id: int
    level: str
    subject_id: int | None
    reason: str
    thrown_by: str
    thrown_at: datetime


EXISTS: Final = """
SELECT CASE %(level)s::text
       WHEN 'team' THEN EXISTS (SELECT FROM medic.teams WHERE team_id = %(subject_id)s::bigint)
       WHEN 'service' THEN EXISTS (SELECT FROM medic.services WHERE service_id = %(subject_id)s::bigint)
       WHEN 'playbook' THEN EXISTS (SELECT FROM medic.playbooks
                                     WHERE playbook_id = %(subject_id)s::bigint AND deleted_at IS NULL)
       ELSE true END
"""


def subject_exists(tx: Transaction, level: str, subject_id: int | None) -> bool:
    """Whether there is what it would be about."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return bool(cursor.execute(EXISTS, {"level": level, "subject_id": subject_id}).fetchone())


#: The update that changes nothing makes the statement return the one that is thrown already.
THROW: Final = """
INSERT INTO medic.kill_switches (level, subject_id, reason, thrown_by)
VALUES (%(level)s, %(subject_id)s, %(reason)s, %(thrown_by)s)
ON CONFLICT (level, subject_id) DO UPDATE SET level = EXCLUDED.level
RETURNING xmax = 0, kill_switch_id, level, subject_id, reason, thrown_by, thrown_at
"""


def throw(tx: Transaction, level: str, subject_id: int | None, reason: str, thrown_by: str) -> tuple[KillSwitch, bool]:
    """Throw one, or find the one that is thrown already; and whether it is new."""
    values = {"level": level, "subject_id": subject_id, "reason": reason, "thrown_by": thrown_by}
    row = tx.execute(THROW, values).fetchone()
    assert row is not None
    return KillSwitch(*row[1:]), row[0]


LISTED: Final = """
SELECT kill_switch_id, level, subject_id, reason, thrown_by, thrown_at
  FROM medic.kill_switches WHERE kill_switch_id > %(after)s ORDER BY kill_switch_id LIMIT %(limit)s
"""


def listed(tx: Transaction, after: int, limit: int) -> list[KillSwitch]:
    """Those that are thrown, in the order in which they were."""
    with tx.cursor(row_factory=class_row(KillSwitch)) as cursor:
        return cursor.execute(LISTED, {"after": after, "limit": limit}).fetchall()


SUBJECT: Final = """
SELECT CASE %(level)s::text
       WHEN 'team' THEN (SELECT team_id FROM medic.teams WHERE name_key = %(name_key)s::text)
       WHEN 'service' THEN (SELECT service_id FROM medic.services WHERE name_key = %(name_key)s::text)
       WHEN 'playbook' THEN (SELECT playbook_id FROM medic.playbooks
                              WHERE name_key = %(name_key)s::text AND deleted_at IS NULL) END
"""


def subject_named(tx: Transaction, level: str, key: str) -> int | None:
    """The id of what one would be about, by its name's key; None where there is no such thing."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(SUBJECT, {"level": level, "name_key": key}).fetchone()


RELEASE: Final = """
DELETE FROM medic.kill_switches WHERE kill_switch_id = %(kill_switch_id)s
RETURNING kill_switch_id, level, subject_id, reason, thrown_by, thrown_at
"""


def release(tx: Transaction, kill_switch_id: int) -> KillSwitch | None:
    """Repairs may start again: the one that was thrown; None where there is none (any more)."""
    with tx.cursor(row_factory=class_row(KillSwitch)) as cursor:
        return cursor.execute(RELEASE, {"kill_switch_id": kill_switch_id}).fetchone()
