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


THROW: Final = """
INSERT INTO medic.kill_switches (level, subject_id, reason, thrown_by)
VALUES (%(level)s, %(subject_id)s, %(reason)s, %(thrown_by)s)
ON CONFLICT DO NOTHING
RETURNING kill_switch_id
"""


def throw(tx: Transaction, level: str, subject_id: int | None, reason: str, thrown_by: str) -> bool:
    """Throw one; False where it is thrown already."""
    values = {"level": level, "subject_id": subject_id, "reason": reason, "thrown_by": thrown_by}
    return tx.execute(THROW, values).fetchone() is not None


FIND: Final = """
SELECT kill_switch_id, level, subject_id, reason, thrown_by, thrown_at
  FROM medic.kill_switches
 WHERE (%(kill_switch_id)s::bigint IS NULL OR kill_switch_id = %(kill_switch_id)s)
   AND (%(level)s::text IS NULL OR (level = %(level)s AND subject_id IS NOT DISTINCT FROM %(subject_id)s::bigint))
   AND kill_switch_id > %(after)s
 ORDER BY kill_switch_id LIMIT %(limit)s
"""


def listed(
    tx: Transaction,
    kill_switch_id: int | None = None,
    level: str | None = None,
    subject_id: int | None = None,
    after: int = 0,
    limit: int = 1,
) -> list[KillSwitch]:
    """Those that are thrown; with `level`, the one about that subject."""
    values = {"kill_switch_id": kill_switch_id, "level": level, "subject_id": subject_id, "after": after}
    with tx.cursor(row_factory=class_row(KillSwitch)) as cursor:
        return cursor.execute(FIND, {**values, "limit": limit}).fetchall()


RELEASE: Final = "DELETE FROM medic.kill_switches WHERE kill_switch_id = %(kill_switch_id)s"


def release(tx: Transaction, kill_switch_id: int) -> None:
    """Repairs may start again."""
    tx.execute(RELEASE, {"kill_switch_id": kill_switch_id})
