"""What an approval is about, as its page shows it: one row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import class_row

from medic_core.store.connection import Transaction


@dataclass(frozen=True, slots=True)
class About:
    """The execution that waits, its playbook's version, its service and the alert that started it."""

    execution_id: int
    playbook_id: int
    playbook_name: str
    version: int
    sha256: str
    context: Mapping[str, Any]
    outputs: Mapping[str, Any]
    started_by: str
    created_at: datetime
    service_name: str | None
    heartbeat_name: str | None
    team: str | None
    runbook: str | None
    alert_id: int | None
    alert_kind: str | None
    alert_opened_at: datetime | None
    alert_resolved_at: datetime | None
    consecutive_failures: int | None


ABOUT: Final = """
SELECT e.execution_id, e.playbook_id, p.name AS playbook_name, e.version, v.sha256,
       e.context || jsonb_build_object('EXECUTION_ID', e.execution_id::text) AS context,
       COALESCE(e.progress->'outputs', '{}') AS outputs, e.started_by, e.created_at, s.service_name, s.heartbeat_name,
       t.name AS team, s.runbook, a.alert_id, a.kind AS alert_kind, a.opened_at AS alert_opened_at,
       a.resolved_at AS alert_resolved_at, a.consecutive_failures
  FROM medic.playbook_executions e
  JOIN medic.playbooks p ON p.playbook_id = e.playbook_id
  JOIN medic.playbook_versions v ON v.playbook_id = e.playbook_id AND v.version = e.version
  LEFT JOIN medic.services s ON s.service_id = e.service_id LEFT JOIN medic.teams t ON t.team_id = s.team_id
  LEFT JOIN medic.alerts a ON a.alert_id = e.alert_id
 WHERE e.execution_id = %(execution_id)s
"""


def about(tx: Transaction, execution_id: int) -> About | None:
    """What an execution that asks is about."""
    with tx.cursor(row_factory=class_row(About)) as cursor:
        return cursor.execute(ABOUT, {"execution_id": execution_id}).fetchone()
