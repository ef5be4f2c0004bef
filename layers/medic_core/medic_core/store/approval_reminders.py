"""Which approvals people must be reminded of, and when next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg.rows import class_row

from medic_core.store.connection import Transaction


@dataclass(frozen=True, slots=True)
class Due:
    """A request that people are reminded of now, with what it is about."""

    request_id: int
    execution_id: int
    playbook_id: int
    playbook_name: str
    service_id: int | None
    team_id: int | None
    heartbeat_name: str | None
    message: str
    approvers_required: int
    agreed: int
    requested_at: datetime
    expires_at: datetime
    now: datetime


#: The lock lets votes in meanwhile, and keeps other monitors and the decision out.
CLAIM: Final = """
SELECT a.request_id, a.execution_id, e.playbook_id, p.name AS playbook_name, s.service_id, s.team_id,
       COALESCE(s.heartbeat_name, e.context->>'HEARTBEAT_NAME') AS heartbeat_name, a.message, a.approvers_required,
       (SELECT count(*)::int FROM medic.approval_votes v WHERE v.request_id = a.request_id AND v.approved) AS agreed,
       a.requested_at, a.expires_at, now() AS now
  FROM medic.approval_requests a JOIN medic.playbook_executions e USING (execution_id)
  JOIN medic.playbooks p USING (playbook_id) LEFT JOIN medic.services s USING (service_id)
 WHERE a.status = 'pending' AND a.remind_at <= now() AND a.expires_at > now()
 ORDER BY a.remind_at LIMIT %(batch)s
   FOR NO KEY UPDATE OF a SKIP LOCKED
"""


def claim(tx: Transaction, batch: int) -> list[Due]:
    """Requests whose reminder is due; nobody else reminds of them until the transaction ends."""
    with tx.cursor(row_factory=class_row(Due)) as cursor:
        return cursor.execute(CLAIM, {"batch": batch}).fetchall()


NOTE: Final = """
UPDATE medic.approval_requests SET reminders = %(reminders)s, remind_at = %(remind_at)s
 WHERE request_id = %(request_id)s
"""


def note(tx: Transaction, request_id: int, reminders: int, remind_at: datetime | None) -> None:
    """So many reminders are behind it; the next one is due at `remind_at`, None where there is none."""
    tx.execute(NOTE, {"request_id": request_id, "reminders": reminders, "remind_at": remind_at})
