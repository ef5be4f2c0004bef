"""Approvals that wait, all together, and when people were last told of them so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg.rows import class_row, dict_row

from medic_core.domain.repair.digest import Waiting
from medic_core.store.connection import Transaction


@dataclass(frozen=True, slots=True)
class Told:
    """The database's time, and when people were last told."""

    now: datetime
    told_at: datetime | None


LOCK: Final = "SELECT now() AS now, approvals_told_at AS told_at FROM medic.monitor_state FOR NO KEY UPDATE"


def lock(tx: Transaction) -> Told:
    """When people were last told; other monitors wait until the transaction ends."""
    with tx.cursor(row_factory=class_row(Told)) as cursor:
        found = cursor.execute(LOCK).fetchone()
    assert found is not None
    return found


NOTE: Final = "UPDATE medic.monitor_state SET approvals_told_at = %(at)s"


def note(tx: Transaction, at: datetime) -> None:
    """People are told at this moment."""
    tx.execute(NOTE, {"at": at})


OLDEST: Final = """
SELECT a.execution_id, p.name AS playbook_name, COALESCE(s.heartbeat_name, e.context->>'HEARTBEAT_NAME')
       AS heartbeat_name, a.requested_at, a.expires_at, (count(*) OVER ())::int AS together
  FROM medic.approval_requests a JOIN medic.playbook_executions e USING (execution_id)
  JOIN medic.playbooks p USING (playbook_id) LEFT JOIN medic.services s USING (service_id)
 WHERE a.status = 'pending' AND a.expires_at > now()
 ORDER BY a.requested_at, a.request_id LIMIT %(limit)s
"""


def oldest(tx: Transaction, limit: int) -> tuple[list[Waiting], int]:
    """The requests that have waited longest and can still be decided; and how many there are in all."""
    with tx.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(OLDEST, {"limit": limit}).fetchall()
    together = found[0]["together"] if found else 0
    return [Waiting(**{name: row[name] for name in Waiting.__dataclass_fields__}) for row in found], together
