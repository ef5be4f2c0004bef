"""Deliveries of approvals' questions: who was asked by which message, so that the same ones hear how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from psycopg.rows import class_row, scalar_row

from medic_core.store.connection import Transaction

ASKED_TARGETS: Final = """
SELECT DISTINCT d.target_key FROM medic.notices n JOIN medic.notification_deliveries d USING (notice_id)
 WHERE n.request_id = %(request_id)s AND n.kind IN ('approval_requested', 'approval_reminder')
   AND d.channel IS NOT NULL AND d.status IN ('pending', 'retrying', 'success')
 ORDER BY d.target_key
"""


def asked_targets(tx: Transaction, request_id: int) -> list[str]:
    """The targets that were asked about a request, or still may be."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(ASKED_TARGETS, {"request_id": request_id}).fetchall()


@dataclass(frozen=True, slots=True)
class Asked:
    """What a target has heard of a request. `thread` is the receipt of the first message.

    `under_way`: somebody is sending it just now, so that nobody knows yet.
    """

    was_told: bool
    under_way: bool
    thread: str | None


#: Only taking a delivery moves its `due_at` beyond `queued_at`: one that waits for its next try has both alike.
ASKED: Final = """
SELECT COALESCE(bool_or(d.status = 'success'), false) AS was_told,
       COALESCE(bool_or(d.due_at > now() AND d.due_at > d.queued_at), false) AS under_way,
       (array_agg(d.receipt ORDER BY d.delivery_id) FILTER (WHERE d.receipt IS NOT NULL))[1] AS thread
  FROM medic.notices n JOIN medic.notification_deliveries d USING (notice_id)
 WHERE n.request_id = %(request_id)s AND n.kind IN ('approval_requested', 'approval_reminder')
   AND d.target_key = %(target_key)s AND d.delivery_id <> %(delivery_id)s
"""


def asked(tx: Transaction, request_id: int, target_key: str, delivery_id: int) -> Asked:
    """What else than this delivery a target has been sent of a request."""
    values = {"request_id": request_id, "target_key": target_key, "delivery_id": delivery_id}
    with tx.cursor(row_factory=class_row(Asked)) as cursor:
        found = cursor.execute(ASKED, values).fetchone()
    assert found is not None
    return found
