"""What people, and repairs that did not help, do with an open alert; who was told of it hears that too."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from medic_core.store.connection import Transaction

ACKNOWLEDGE: Final = """
WITH changed AS (
    UPDATE medic.alerts
       SET status = 'acknowledged', acknowledged_by = %(actor)s, acknowledged_at = now(), snoozed_until = NULL,
           remind_at = NULL
     WHERE alert_id = %(alert_id)s AND status IN ('open', 'snoozed')
    RETURNING alert_id, consecutive_failures, told_at
), history AS (
    INSERT INTO medic.alert_events (alert_id, event, at, actor, because, consecutive_failures)
    SELECT alert_id, 'acknowledged', now(), %(actor)s, %(because)s, consecutive_failures FROM changed
    RETURNING alert_event_id, alert_id
)
INSERT INTO medic.outbox (topic, subject_id)
SELECT 'notification', alert_event_id FROM history JOIN changed USING (alert_id) WHERE told_at IS NOT NULL
"""


def acknowledge(tx: Transaction, alert_id: int, actor: str, because: str) -> None:
    """Note that somebody looks after an alert: nobody is reminded of it. Those who were told of it hear who.

    Done already, or over, changes nothing.
    """
    tx.execute(ACKNOWLEDGE, {"alert_id": alert_id, "actor": actor, "because": because})


ESCALATE: Final = """
WITH history AS (
    INSERT INTO medic.alert_events (alert_id, event, at, because, consecutive_failures)
    SELECT alert_id, 'escalated', now(), %(because)s, consecutive_failures
      FROM medic.alerts WHERE alert_id = %(alert_id)s AND resolved_at IS NULL
    RETURNING alert_event_id
)
INSERT INTO medic.outbox (topic, subject_id) SELECT 'notification', alert_event_id FROM history RETURNING outbox_id
"""


def escalate(tx: Transaction, alert_id: int, because: str) -> bool:
    """All whom an alert's route reaches hear that its repair did not help; False where it is over."""
    return tx.execute(ESCALATE, {"alert_id": alert_id, "because": because}).fetchone() is not None


SNOOZE: Final = """
WITH changed AS (
    UPDATE medic.alerts
       SET status = 'snoozed', snoozed_until = %(until)s, remind_at = %(until)s,
           next_look_at = LEAST(next_look_at, %(until)s)
     WHERE alert_id = %(alert_id)s AND resolved_at IS NULL AND snoozed_until IS DISTINCT FROM %(until)s
    RETURNING alert_id, consecutive_failures, told_at
), history AS (
    INSERT INTO medic.alert_events (alert_id, event, at, actor, because, consecutive_failures)
    SELECT alert_id, 'snoozed', now(), %(actor)s, %(because)s, consecutive_failures FROM changed
    RETURNING alert_event_id, alert_id
)
INSERT INTO medic.outbox (topic, subject_id)
SELECT 'notification', alert_event_id FROM history JOIN changed USING (alert_id) WHERE told_at IS NOT NULL
"""


def snooze(tx: Transaction, alert_id: int, until: datetime, actor: str, because: str) -> None:
    """Leave people alone with an alert until a moment; those who were told hear of that. Over, it changes nothing."""
    tx.execute(SNOOZE, {"alert_id": alert_id, "until": until, "actor": actor, "because": because})
