"""Deliveries: one attempt-tracked sending of one notification to one target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from psycopg.rows import class_row, scalar_row

from medic_core.domain.routing.plan import NOBODY, Planned
from medic_core.store.connection import Transaction

ADD_ALL: Final = """
INSERT INTO medic.notification_deliveries (alert_event_id, alert_id, target_key, channel, because, status, due_at)
SELECT %(alert_event_id)s, %(alert_id)s, target_key, channel, because, 'pending', now()
  FROM unnest(%(keys)s::text[], %(channels)s::text[], %(becauses)s::text[]) AS planned (target_key, channel, because)
ON CONFLICT DO NOTHING
RETURNING delivery_id
"""


def add_all(tx: Transaction, alert_event_id: int, alert_id: int, planned: Sequence[Planned]) -> list[int]:
    """Plan the deliveries of a notification; returns the new ones (none where they were planned before)."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(
            ADD_ALL,
            {
                "alert_event_id": alert_event_id,
                "alert_id": alert_id,
                "keys": [one.target.key for one in planned],
                "channels": [one.target.channel for one in planned],
                "becauses": [one.because for one in planned],
            },
        ).fetchall()


ADD_NOBODY: Final = """
INSERT INTO medic.notification_deliveries (alert_event_id, alert_id, target_key, because, status, error)
VALUES (%(alert_event_id)s, %(alert_id)s, %(key)s, %(because)s, 'failed', %(because)s)
ON CONFLICT DO NOTHING
"""


def add_nobody(tx: Transaction, alert_event_id: int, alert_id: int, because: str) -> None:
    """Record that nobody could be told."""
    tx.execute(ADD_NOBODY, {"alert_event_id": alert_event_id, "alert_id": alert_id, "key": NOBODY, "because": because})


#: Taking a delivery moves its `due_at` ahead: a router that dies leaves it to be taken again. An earlier
#: notification of the same alert goes first, so that nobody hears of an end before its beginning.
CLAIM: Final = """
UPDATE medic.notification_deliveries d
   SET attempts = attempts + 1, last_attempt_at = now(), due_at = now() + %(lease)s
 WHERE delivery_id = %(delivery_id)s AND due_at <= now()
   AND NOT EXISTS (
       SELECT FROM medic.notification_deliveries earlier
        WHERE earlier.alert_id = d.alert_id AND earlier.target_key = d.target_key
          AND earlier.delivery_id < d.delivery_id AND earlier.due_at IS NOT NULL
   )
RETURNING delivery_id, alert_event_id, alert_id, target_key, attempts, (
    SELECT receipt FROM medic.notification_deliveries first
     WHERE first.alert_id = d.alert_id AND first.target_key = d.target_key AND first.receipt IS NOT NULL
     ORDER BY first.delivery_id LIMIT 1
) AS thread
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is ours to make until the lease ends. `thread` is the receipt of the alert's first message."""

    delivery_id: int
    alert_event_id: int
    alert_id: int
    target_key: str
    attempts: int
    thread: str | None


def claim(tx: Transaction, delivery_id: int, lease: timedelta) -> Claimed | None:
    """Take a delivery that is due; None where it is done, taken, not yet due, or must wait for an earlier one."""
    with tx.cursor(row_factory=class_row(Claimed)) as cursor:
        return cursor.execute(CLAIM, {"delivery_id": delivery_id, "lease": lease}).fetchone()


SUCCEED: Final = """
UPDATE medic.notification_deliveries
   SET status = 'success', due_at = NULL, response_code = %(code)s, response_body = %(body)s, error = NULL,
       receipt = %(receipt)s
 WHERE delivery_id = %(delivery_id)s AND due_at IS NOT NULL
"""


def succeed(tx: Transaction, delivery_id: int, code: int | None, body: str, receipt: str | None) -> None:
    """It arrived."""
    tx.execute(SUCCEED, {"delivery_id": delivery_id, "code": code, "body": body, "receipt": receipt})


POSTPONE: Final = """
UPDATE medic.notification_deliveries
   SET status = 'retrying', due_at = now() + %(wait)s, queued_at = now() + %(wait)s, response_code = %(code)s,
       response_body = %(body)s, error = %(error)s
 WHERE delivery_id = %(delivery_id)s AND due_at IS NOT NULL
"""


def postpone(tx: Transaction, delivery_id: int, wait: timedelta, code: int | None, body: str, error: str) -> None:
    """It did not arrive and is tried again after `wait`."""
    tx.execute(POSTPONE, {"delivery_id": delivery_id, "wait": wait, "code": code, "body": body, "error": error})


FAIL: Final = """
UPDATE medic.notification_deliveries
   SET status = 'failed', due_at = NULL, response_code = %(code)s, response_body = %(body)s, error = %(error)s
 WHERE delivery_id = %(delivery_id)s AND due_at IS NOT NULL
"""


def fail(tx: Transaction, delivery_id: int, code: int | None, body: str, error: str) -> None:
    """It did not arrive and is not tried again by itself."""
    tx.execute(FAIL, {"delivery_id": delivery_id, "code": code, "body": body, "error": error})


NEXT_WAITING: Final = """
SELECT delivery_id FROM medic.notification_deliveries
 WHERE alert_id = %(alert_id)s AND target_key = %(target_key)s AND due_at <= now()
 ORDER BY delivery_id LIMIT 1
"""


def next_waiting(tx: Transaction, alert_id: int, target_key: str) -> int | None:
    """The delivery that waited for the one before it, if any."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(NEXT_WAITING, {"alert_id": alert_id, "target_key": target_key}).fetchone()


#: Due for longer than a message needs on its way, and not sent again lately.
FORGOTTEN: Final = """
WITH forgotten AS (
    SELECT delivery_id FROM medic.notification_deliveries
     WHERE due_at <= now() - %(patience)s::interval AND queued_at <= now() - %(patience)s::interval
     ORDER BY due_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED
)
UPDATE medic.notification_deliveries d SET queued_at = now()
  FROM forgotten WHERE d.delivery_id = forgotten.delivery_id
RETURNING d.delivery_id
"""


def forgotten(tx: Transaction, patience: timedelta, batch: int) -> list[int]:
    """Deliveries whose router died or whose message was lost: they must be queued again."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(FORGOTTEN, {"patience": patience, "batch": batch}).fetchall()


FORGET: Final = """
DELETE FROM medic.notification_deliveries WHERE delivery_id IN (
    SELECT delivery_id FROM medic.notification_deliveries
     WHERE created_at < now() - %(days)s * interval '1 day' AND due_at IS NULL LIMIT 10000
)
"""


def forget(tx: Transaction, days: int) -> int:
    """Remove finished deliveries older than that; returns how many, 10,000 at most."""
    return tx.execute(FORGET, {"days": days}).rowcount
