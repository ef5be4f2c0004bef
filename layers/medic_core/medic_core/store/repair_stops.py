"""What keeps repairs from starting, in one list: kill switches that are thrown, and batches that were held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg.rows import class_row

from medic_core.store.connection import Transaction

#: Of each kind so many; all repairs first, then those that wait for somebody.
LISTED: Final = """
WITH found AS (
    (SELECT k.level, k.kill_switch_id AS number, k.subject_id, COALESCE(t.name, s.heartbeat_name, p.name) AS subject,
            k.reason AS because, k.thrown_by AS by, k.thrown_at AS since, NULL::timestamptz AS until,
            NULL::int AS services
       FROM medic.kill_switches k
       LEFT JOIN medic.teams t ON k.level = 'team' AND t.team_id = k.subject_id
       LEFT JOIN medic.services s ON k.level = 'service' AND s.service_id = k.subject_id
       LEFT JOIN medic.playbooks p ON k.level = 'playbook' AND p.playbook_id = k.subject_id
      ORDER BY k.level <> 'global', k.kill_switch_id LIMIT %(limit)s)
    UNION ALL
    (SELECT 'batch', b.batch_id, t.playbook_id, p.name, b.because, '', b.created_at, b.expires_at,
            (SELECT count(*)::int FROM medic.trigger_firings f WHERE f.batch_id = b.batch_id)
       FROM medic.repair_batches b
       JOIN medic.playbook_triggers t USING (trigger_id)
       JOIN medic.playbooks p ON p.playbook_id = t.playbook_id
      WHERE b.status = 'pending' AND b.expires_at > now()
      ORDER BY b.batch_id LIMIT %(limit)s)
)
SELECT * FROM found ORDER BY until IS NOT NULL, level <> 'global', number
"""


@dataclass(frozen=True, slots=True)
class Stop:
    """A kill switch at its level, or a batch. `subject` is what it is about; None where that is everything."""

    level: str
    number: int
    subject_id: int | None
    subject: str | None
    because: str
    by: str
    since: datetime
    #: Of a batch: how long it waits, and for how many services.
    until: datetime | None
    services: int | None

    @property
    def is_batch(self) -> bool:
        """Whether it waits for a decision."""
        return self.until is not None


def listed(tx: Transaction, limit: int) -> list[Stop]:
    """Kill switches, those of everything first, then batches, oldest first; so many of each."""
    with tx.cursor(row_factory=class_row(Stop)) as cursor:
        return cursor.execute(LISTED, {"limit": limit}).fetchall()
