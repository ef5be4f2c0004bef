"""What was committed and must leave: written with the change that caused it, leased until its receiver has it."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Final

from psycopg.rows import scalar_row

from medic_core.store.connection import Transaction


class Topic(StrEnum):
    """Where a row goes."""

    NOTIFICATION = "notification"  #: to the router; the subject is an alert event
    NOTICE = "notice"  #: to the router; the subject is a notice
    START = "start"  #: to the state machine; the subject is an execution
    STOP = "stop"  #: to the state machine; the subject is an execution that is over
    DECISION = "decision"  #: to the state machine; the subject is an approval request that is decided


#: A lease doubles from 30 seconds to 15 minutes, so that a receiver that is away is not buried in repetitions.
LEASE: Final = """
WITH waiting AS (
    SELECT outbox_id FROM medic.outbox
     WHERE done_at IS NULL AND leave_at <= now() AND topic = ANY(%(topics)s::text[])
     ORDER BY leave_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED
)
UPDATE medic.outbox o
   SET leases = leases + 1,
       leave_at = now() + LEAST(interval '30 seconds' * 2 ^ LEAST(leases, 10), interval '15 minutes')
  FROM waiting WHERE o.outbox_id = waiting.outbox_id
RETURNING o.topic, o.subject_id
"""


def lease(tx: Transaction, topics: Collection[Topic], batch: int) -> list[tuple[Topic, int]]:
    """Take rows of these topics to send; each comes back by itself unless it is done before its lease ends."""
    found = tx.execute(LEASE, {"batch": batch, "topics": sorted(topics)}).fetchall()
    return [(Topic(topic), subject_id) for topic, subject_id in found]


#: One that has left before leaves again.
ADD: Final = """
INSERT INTO medic.outbox (topic, subject_id) VALUES (%(topic)s, %(subject_id)s)
ON CONFLICT (topic, subject_id) DO UPDATE SET done_at = NULL, leave_at = now(), leases = 0
"""


def add(tx: Transaction, topic: Topic, subject_id: int) -> None:
    """Have something leave, once this transaction is committed."""
    tx.execute(ADD, {"topic": topic, "subject_id": subject_id})


DONE: Final = """
UPDATE medic.outbox SET done_at = now() WHERE topic = %(topic)s AND subject_id = %(subject_id)s AND done_at IS NULL
"""


def done(tx: Transaction, topic: Topic, subject_id: int) -> None:
    """The receiver has taken it over in its own rows, in this transaction."""
    tx.execute(DONE, {"topic": topic, "subject_id": subject_id})


#: Waits for a router that plans one of them now, and does not find it any more then.
WAITING_BEFORE: Final = """
SELECT o.subject_id
  FROM medic.alert_events this
  JOIN medic.alert_events e ON e.alert_id = this.alert_id AND e.alert_event_id < this.alert_event_id
  JOIN medic.outbox o ON o.topic = 'notification' AND o.subject_id = e.alert_event_id
 WHERE this.alert_event_id = %(alert_event_id)s AND o.done_at IS NULL
 ORDER BY o.subject_id
   FOR UPDATE OF o
"""


def waiting_before(tx: Transaction, alert_event_id: int) -> list[int]:
    """Earlier events of the same alert that nobody has planned yet: queues keep no order."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(WAITING_BEFORE, {"alert_event_id": alert_event_id}).fetchall()


FORGET: Final = """
DELETE FROM medic.outbox WHERE outbox_id IN (
    SELECT outbox_id FROM medic.outbox WHERE done_at < now() - %(days)s * interval '1 day' LIMIT 10000
)
"""


def forget(tx: Transaction, days: int) -> int:
    """Remove rows done so long ago; returns how many, 10,000 at most."""
    return tx.execute(FORGET, {"days": days}).rowcount
