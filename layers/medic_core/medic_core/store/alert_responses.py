"""What was done about an alert: who was told, and which repairs were tried."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from medic_core.store.connection import Transaction
from medic_core.store.gathering import gathered


@dataclass(frozen=True, slots=True)
class Told:
    """A delivery: of what, to whom, and what came of it."""

    created_at: datetime
    event: str
    channel: str | None
    target_key: str
    because: str
    status: str
    attempts: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Repair:
    """A playbook that ran because of it."""

    execution_id: int
    playbook_name: str
    status: str
    started_at: datetime | None


@dataclass(frozen=True, slots=True)
class Responses:
    """Both newest first."""

    told: list[Told]
    repairs: list[Repair]


RESPONSES: Final = """
SELECT ARRAY(SELECT ROW(d.created_at, COALESCE(e.event, n.kind), d.channel, d.target_key, d.because, d.status,
                        d.attempts, d.error)
               FROM medic.notification_deliveries d
               LEFT JOIN medic.alert_events e USING (alert_event_id)
               LEFT JOIN medic.notices n USING (notice_id)
              WHERE d.alert_id = %(alert_id)s
              ORDER BY d.delivery_id DESC LIMIT %(most_told)s) AS told,
       ARRAY(SELECT ROW(e.execution_id, p.name, e.status, e.started_at)
               FROM medic.playbook_executions e JOIN medic.playbooks p USING (playbook_id)
              WHERE e.alert_id = %(alert_id)s
              ORDER BY e.execution_id DESC LIMIT %(most_repairs)s) AS repairs
"""


def of_alert(tx: Transaction, alert_id: int, most_told: int, most_repairs: int) -> Responses:
    """What was done about an alert."""
    found = gathered(tx, RESPONSES, alert_id=alert_id, most_told=most_told, most_repairs=most_repairs)
    assert found is not None
    return Responses([Told(*one) for one in found["told"]], [Repair(*one) for one in found["repairs"]])
