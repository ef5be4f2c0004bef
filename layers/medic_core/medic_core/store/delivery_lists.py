"""The delivery log, as people read it, and what they send again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg.rows import class_row, scalar_row

from medic_core.store.connection import Transaction

COLUMNS: Final = """
SELECT d.delivery_id, d.alert_id, d.alert_event_id, d.notice_id, COALESCE(e.event, n.kind) AS event, d.target_key,
       d.target_id, d.webhook_id, d.channel, d.because, d.status, d.attempts, d.last_attempt_at,
       CASE WHEN d.due_at > now() THEN d.due_at END AS next_attempt_at, d.response_code, d.response_body, d.error,
       d.created_at
"""
JOINED: Final = """
  LEFT JOIN medic.alert_events e USING (alert_event_id)
  LEFT JOIN medic.notices n USING (notice_id)
 WHERE (%(delivery_id)s::bigint IS NULL OR d.delivery_id = %(delivery_id)s)
   AND (%(alert_id)s::bigint IS NULL OR d.alert_id = %(alert_id)s)
   AND (%(target_id)s::bigint IS NULL OR d.target_id = %(target_id)s)
   AND (%(webhook_id)s::bigint IS NULL OR d.webhook_id = %(webhook_id)s)
   AND (%(status)s::text IS NULL OR d.status = %(status)s)
   AND (%(before)s::bigint IS NULL OR d.delivery_id < %(before)s)
 ORDER BY d.delivery_id DESC
 LIMIT %(limit)s
"""
LIST: Final = COLUMNS + "  FROM medic.notification_deliveries d" + JOINED
LIST_OF_WEBHOOKS: Final = COLUMNS + "  FROM medic.webhook_deliveries d" + JOINED


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as it is listed."""

    delivery_id: int
    alert_id: int | None
    alert_event_id: int | None
    notice_id: int | None
    event: str
    target_key: str
    target_id: int | None
    webhook_id: int | None
    channel: str | None
    because: str
    status: str
    attempts: int
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None
    response_code: int | None
    response_body: str | None
    error: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which deliveries are listed; None does not filter."""

    delivery_id: int | None = None
    alert_id: int | None = None
    target_id: int | None = None
    webhook_id: int | None = None
    status: str | None = None


def listed(tx: Transaction, wanted: Wanted, *, before: int | None = None, limit: int = 1) -> list[Delivery]:
    """Deliveries, newest first, from the one before `before`."""
    values = {name: getattr(wanted, name) for name in Wanted.__dataclass_fields__}
    statement = LIST if wanted.webhook_id is None else LIST_OF_WEBHOOKS
    with tx.cursor(row_factory=class_row(Delivery)) as cursor:
        return cursor.execute(statement, {**values, "before": before, "limit": limit}).fetchall()


OF_NOTICE: Final = "SELECT delivery_id FROM medic.notification_deliveries WHERE notice_id = %(notice_id)s"


def of_notice(tx: Transaction, notice_id: int) -> int | None:
    """The delivery of a notice that is for one target."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(OF_NOTICE, {"notice_id": notice_id}).fetchone()


REDELIVER: Final = """
UPDATE medic.notification_deliveries
   SET status = 'pending', due_at = now(), queued_at = now(), attempts = 0, throttled = 0, group_at = NULL,
       chain_position = NULL
 WHERE delivery_id = %(delivery_id)s AND due_at IS NULL AND NOT waits_its_turn AND channel IS NOT NULL
"""


def redeliver(tx: Transaction, delivery_id: int) -> bool:
    """Make a finished delivery again, from the first try; False where it is under way, or nobody was to be told."""
    return tx.execute(REDELIVER, {"delivery_id": delivery_id}).rowcount == 1
