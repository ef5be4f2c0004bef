"""What was committed and must leave: written with the change that caused it, leased until its receiver has it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from medic_core.store.connection import Transaction


class Topic(StrEnum):
    """Where a row goes."""

    NOTIFICATION = "notification"  #: to the router; the subject is an alert event
    NOTICE = "notice"  #: to the router; the subject is a notice


#: A lease doubles from 30 seconds to 15 minutes, so that a receiver that is away is not buried in repetitions.
LEASE: Final = """
WITH waiting AS (
    SELECT outbox_id FROM medic.outbox
     WHERE done_at IS NULL AND leave_at <= now()
     ORDER BY leave_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED
)
UPDATE medic.outbox o
   SET leases = leases + 1,
       leave_at = now() + LEAST(interval '30 seconds' * 2 ^ LEAST(leases, 10), interval '15 minutes')
  FROM waiting WHERE o.outbox_id = waiting.outbox_id
RETURNING o.topic, o.subject_id
"""


def lease(tx: Transaction, batch: int) -> list[tuple[Topic, int]]:
    """Take rows to send; each comes back by itself unless it is done before its lease ends."""
    return [(Topic(topic), subject_id) for topic, subject_id in tx.execute(LEASE, {"batch": batch}).fetchall()]


DONE: Final = """
UPDATE medic.outbox SET done_at = now() WHERE topic = %(topic)s AND subject_id = %(subject_id)s AND done_at IS NULL
"""


def done(tx: Transaction, topic: Topic, subject_id: int) -> None:
    """The receiver has taken it over in its own rows, in this transaction."""
    tx.execute(DONE, {"topic": topic, "subject_id": subject_id})


FORGET: Final = """
DELETE FROM medic.outbox WHERE outbox_id IN (
    SELECT outbox_id FROM medic.outbox WHERE done_at < now() - %(days)s * interval '1 day' LIMIT 10000
)
"""


def forget(tx: Transaction, days: int) -> int:
    """Remove rows done so long ago; returns how many, 10,000 at most."""
    return tx.execute(FORGET, {"days": days}).rowcount
