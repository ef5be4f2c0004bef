"""Deliveries: one attempt-tracked sending of one notification to one target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from psycopg.rows import class_row, scalar_row

from medic_core.domain.routing.route import NOBODY, PassedOver, Planned
from medic_core.domain.routing.targets import GROUPING
from medic_core.store.connection import Transaction


class Status(StrEnum):
    """How a delivery stands."""

    PENDING = "pending"
    RETRYING = "retrying"
    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"  #: it was not to be made after all


@dataclass(frozen=True, slots=True)
class Subject:
    """What is delivered: an event of an alert, or a notice. `group_at` is the sweep with which it may be grouped."""

    alert_event_id: int | None = None
    alert_id: int | None = None
    notice_id: int | None = None
    group_at: datetime | None = None


#: What may be grouped waits a moment for the others of its sweep.
GROUPING_WAIT: Final = timedelta(seconds=1)
ADD_ALL: Final = """
INSERT INTO medic.notification_deliveries (
    alert_event_id, alert_id, notice_id, target_key, channel, because, target_id, webhook_id, chain_position,
    waits_its_turn, group_at, status, due_at, queued_at, error)
SELECT %(alert_event_id)s, %(alert_id)s, %(notice_id)s, target_key, channel, because, target_id, webhook_id, position,
       NOT skipped AND COALESCE(position > 0, false), grouping.at,
       CASE WHEN skipped THEN 'skipped' ELSE 'pending' END,
       CASE WHEN NOT skipped AND COALESCE(position, 0) = 0 THEN due.at END, due.at,
       CASE WHEN skipped THEN because END
  FROM unnest(%(keys)s::text[], %(channels)s::text[], %(becauses)s::text[], %(target_ids)s::bigint[],
              %(webhook_ids)s::bigint[], %(positions)s::int[], %(skipped)s::boolean[])
       AS planned (target_key, channel, because, target_id, webhook_id, position, skipped),
       LATERAL (SELECT CASE WHEN channel = ANY(%(grouping)s::text[]) THEN %(group_at)s::timestamptz END AS at)
           AS grouping,
       LATERAL (SELECT CASE WHEN grouping.at IS NULL THEN now() ELSE now() + %(wait)s END AS at) AS due
ON CONFLICT DO NOTHING
RETURNING delivery_id, CASE WHEN due_at IS NOT NULL THEN due_at > now() END AS later
"""


def add_all(
    tx: Transaction, subject: Subject, planned: Sequence[Planned], skipped: Sequence[PassedOver] = ()
) -> tuple[list[int], list[int]]:
    """Plan the deliveries of something: those to make now, and those to make a moment later (`GROUPING_WAIT`).

    What was planned before is in neither. A chain's later ones wait their turn; the skipped are only recorded.
    """
    targets = [one.target for one in planned] + [one.target for one in skipped]
    values: dict[str, Any] = {
        "alert_event_id": subject.alert_event_id,
        "alert_id": subject.alert_id,
        "notice_id": subject.notice_id,
        "group_at": subject.group_at,
        "grouping": sorted(GROUPING),
        "wait": GROUPING_WAIT,
        "keys": [target.key for target in targets],
        "channels": [target.channel for target in targets],
        "target_ids": [target.target_id for target in targets],
        "webhook_ids": [target.webhook_id for target in targets],
        "becauses": [one.because for one in planned] + [one.because for one in skipped],
        "positions": [one.position for one in planned] + [None] * len(skipped),
        "skipped": [False] * len(planned) + [True] * len(skipped),
    }
    rows = tx.execute(ADD_ALL, values).fetchall()
    return [number for number, later in rows if later is False], [number for number, later in rows if later]


ADD_NOBODY: Final = """
INSERT INTO medic.notification_deliveries (alert_event_id, alert_id, notice_id, target_key, because, status, error)
VALUES (%(alert_event_id)s, %(alert_id)s, %(notice_id)s, %(key)s, %(because)s, 'failed', %(because)s)
ON CONFLICT DO NOTHING
"""


def add_nobody(tx: Transaction, subject: Subject, because: str) -> None:
    """Record that nobody could be told."""
    values = {"alert_event_id": subject.alert_event_id, "alert_id": subject.alert_id, "notice_id": subject.notice_id}
    tx.execute(ADD_NOBODY, {**values, "key": NOBODY, "because": because})


TOLD_OF: Final = """
SELECT DISTINCT ON (target_key) target_key FROM medic.notification_deliveries
 WHERE alert_id = %(alert_id)s AND channel IS NOT NULL AND status IN ('pending', 'retrying', 'success')
 ORDER BY target_key
"""


def told_of(tx: Transaction, alert_id: int) -> list[str]:
    """The targets that were told of an alert, or still may be."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(TOLD_OF, {"alert_id": alert_id}).fetchall()


#: Taking a delivery moves its `due_at` ahead: a router that dies leaves it to be taken again. An earlier
#: notification of the same alert goes first, so that nobody hears of an end before its beginning.
CLAIM: Final = """
UPDATE medic.notification_deliveries d
   SET attempts = attempts + 1, last_attempt_at = now(), due_at = now() + %(lease)s
 WHERE delivery_id = %(delivery_id)s AND due_at <= now()
   AND NOT EXISTS (
       SELECT FROM medic.notification_deliveries earlier
        WHERE earlier.alert_id = d.alert_id AND earlier.target_key = d.target_key
          AND earlier.delivery_id < d.delivery_id AND (earlier.due_at IS NOT NULL OR earlier.waits_its_turn)
   )
RETURNING delivery_id, alert_event_id, alert_id, notice_id, target_key, channel, webhook_id, attempts, throttled,
          chain_position, group_at, now() - created_at AS age, now() AS now, (
    SELECT receipt FROM medic.notification_deliveries first
     WHERE first.alert_id = d.alert_id AND first.target_key = d.target_key AND first.receipt IS NOT NULL
     ORDER BY first.delivery_id LIMIT 1
) AS thread, EXISTS (
    SELECT FROM medic.notification_deliveries earlier
     WHERE earlier.alert_id = d.alert_id AND earlier.target_key = d.target_key AND earlier.status = 'success'
) AS was_told, (
    SELECT health.throttled_until FROM medic.target_health health WHERE health.target_key = d.target_key
) AS throttled_until, COALESCE((
    SELECT health.slow_until > now() FROM medic.target_health health WHERE health.target_key = d.target_key
), false) AS is_slow, COALESCE((
    SELECT health.failing_since IS NOT NULL FROM medic.target_health health WHERE health.target_key = d.target_key
), false) AS is_failing
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is ours to make until the lease ends. `thread` is the receipt of the alert's first message.

    `attempts` counts this one; of them `throttled` were answered 429.
    """

    delivery_id: int
    alert_event_id: int | None
    alert_id: int | None
    notice_id: int | None
    target_key: str
    channel: str
    webhook_id: int | None
    attempts: int
    throttled: int
    chain_position: int | None
    group_at: datetime | None
    age: timedelta
    now: datetime
    thread: str | None
    was_told: bool
    throttled_until: datetime | None
    is_slow: bool
    is_failing: bool


def claim(tx: Transaction, delivery_id: int, lease: timedelta) -> Claimed | None:
    """Take a delivery that is due; None where it is done, taken, not yet due, or must wait for an earlier one."""
    with tx.cursor(row_factory=class_row(Claimed)) as cursor:
        return cursor.execute(CLAIM, {"delivery_id": delivery_id, "lease": lease}).fetchone()


#: Those planned a moment later are not due yet, and belong to it.
GROUP_SIZE: Final = """
SELECT count(*) FROM (
    SELECT FROM medic.notification_deliveries
     WHERE target_key = %(target_key)s AND group_at = %(group_at)s
       AND (due_at <= now() OR attempts = 0 AND due_at <= now() + %(wait)s) LIMIT %(enough)s
) AS waiting
"""


def group_size(tx: Transaction, claimed: Claimed, enough: int) -> int:
    """How many other deliveries of the same sweep to the same target wait; counts to `enough`."""
    values = {"target_key": claimed.target_key, "group_at": claimed.group_at, "enough": enough, "wait": GROUPING_WAIT}
    with tx.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(GROUP_SIZE, values).fetchone()
    assert isinstance(found, int)
    return found


CLAIM_GROUP: Final = """
WITH waiting AS (
    SELECT delivery_id FROM medic.notification_deliveries
     WHERE target_key = %(target_key)s AND group_at = %(group_at)s
       AND (due_at <= now() OR attempts = 0 AND due_at <= now() + %(wait)s)
     ORDER BY delivery_id LIMIT %(most)s FOR UPDATE SKIP LOCKED
)
UPDATE medic.notification_deliveries d
   SET attempts = attempts + 1, last_attempt_at = now(), due_at = now() + %(lease)s
  FROM waiting WHERE d.delivery_id = waiting.delivery_id
RETURNING d.delivery_id, d.alert_event_id, d.alert_id
"""


def claim_group(tx: Transaction, claimed: Claimed, lease: timedelta, most: int) -> list[tuple[int, int, int]]:
    """Take the others with which a claimed delivery shares a message: (delivery, alert event, alert)."""
    values = {
        "target_key": claimed.target_key,
        "group_at": claimed.group_at,
        "lease": lease,
        "most": most,
        "wait": GROUPING_WAIT,
    }
    return tx.execute(CLAIM_GROUP, values).fetchall()


RELEASE: Final = """
UPDATE medic.notification_deliveries
   SET attempts = attempts - 1, due_at = now() + %(wait)s, queued_at = now() + %(wait)s
 WHERE delivery_id = %(delivery_id)s AND due_at IS NOT NULL
"""


def release(tx: Transaction, delivery_id: int, wait: timedelta) -> None:
    """Give a claimed delivery back untried, to be taken again after `wait`."""
    tx.execute(RELEASE, {"delivery_id": delivery_id, "wait": wait})


@dataclass(frozen=True, slots=True)
class Said:
    """What came back of an attempt."""

    code: int | None = None
    body: str = ""
    error: str | None = None


SUCCEED: Final = """
UPDATE medic.notification_deliveries
   SET status = 'success', due_at = NULL, response_code = %(code)s, response_body = %(body)s, error = NULL,
       receipt = %(receipt)s
 WHERE delivery_id = ANY(%(delivery_ids)s::bigint[]) AND due_at IS NOT NULL
"""


def succeed(tx: Transaction, delivery_ids: Sequence[int], said: Said, receipt: str | None) -> None:
    """They arrived."""
    values = {"delivery_ids": list(delivery_ids), "code": said.code, "body": said.body, "receipt": receipt}
    tx.execute(SUCCEED, values)


POSTPONE: Final = """
UPDATE medic.notification_deliveries
   SET status = 'retrying', due_at = now() + %(wait)s, queued_at = now() + %(wait)s, response_code = %(code)s,
       response_body = %(body)s, error = %(error)s, throttled = throttled + %(is_throttled)s::int
 WHERE delivery_id = ANY(%(delivery_ids)s::bigint[]) AND due_at IS NOT NULL
"""


def postpone(
    tx: Transaction, delivery_ids: Sequence[int], wait: timedelta, said: Said, *, is_throttled: bool = False
) -> None:
    """They did not arrive and are tried again after `wait`."""
    values = {"delivery_ids": list(delivery_ids), "code": said.code, "body": said.body, "error": said.error}
    tx.execute(POSTPONE, {**values, "wait": wait, "is_throttled": is_throttled})


END: Final = """
UPDATE medic.notification_deliveries
   SET status = %(status)s, due_at = NULL, response_code = %(code)s, response_body = %(body)s, error = %(error)s
 WHERE delivery_id = ANY(%(delivery_ids)s::bigint[]) AND due_at IS NOT NULL
"""


def fail(tx: Transaction, delivery_ids: Sequence[int], said: Said) -> None:
    """They did not arrive and are not tried again by themselves."""
    values = {"code": said.code, "body": said.body, "error": said.error}
    tx.execute(END, {"delivery_ids": list(delivery_ids), "status": Status.FAILED, **values})


def skip(tx: Transaction, delivery_id: int, because: str) -> None:
    """It is not to be made after all."""
    values = {"code": None, "body": None, "error": because}
    tx.execute(END, {"delivery_ids": [delivery_id], "status": Status.SKIPPED, **values})


NEXT_IN_CHAIN: Final = """
UPDATE medic.notification_deliveries SET waits_its_turn = false, due_at = now(), queued_at = now()
 WHERE delivery_id = (
    SELECT delivery_id FROM medic.notification_deliveries
     WHERE alert_event_id = %(alert_event_id)s AND waits_its_turn ORDER BY chain_position LIMIT 1)
RETURNING delivery_id
"""
END_CHAIN: Final = """
UPDATE medic.notification_deliveries
   SET waits_its_turn = false, status = 'skipped', error = 'another target was told before it'
 WHERE alert_event_id = %(alert_event_id)s AND waits_its_turn
"""


def next_in_chain(tx: Transaction, alert_event_id: int) -> None:
    """It is the next one's turn, if there is one."""
    tx.execute(NEXT_IN_CHAIN, {"alert_event_id": alert_event_id})


def end_chain(tx: Transaction, alert_event_id: int) -> None:
    """One was told: the others need not be."""
    tx.execute(END_CHAIN, {"alert_event_id": alert_event_id})


NEXT_WAITING: Final = """
SELECT DISTINCT ON (alert_id, target_key) delivery_id FROM medic.notification_deliveries
 WHERE alert_id = ANY(%(alert_ids)s::bigint[]) AND due_at <= now() AND (%(all)s OR target_key = %(target_key)s)
 ORDER BY alert_id, target_key, delivery_id
"""


def next_waiting(tx: Transaction, alert_ids: Sequence[int], target_key: str | None) -> list[int]:
    """The deliveries of these alerts to a target (None: to any) that waited for those before them."""
    values = {"alert_ids": list(alert_ids), "target_key": target_key, "all": target_key is None}
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(NEXT_WAITING, values).fetchall()


ANOTHER_IS_OPEN: Final = """
SELECT EXISTS (
    SELECT FROM medic.alerts ended JOIN medic.alerts other ON other.service_id = ended.service_id
     WHERE ended.alert_id = %(alert_id)s AND other.alert_id <> ended.alert_id AND other.resolved_at IS NULL
       AND EXISTS (SELECT FROM medic.notification_deliveries d
                    WHERE d.alert_id = other.alert_id AND d.target_key = %(target_key)s
                      AND d.status IN ('pending', 'retrying', 'success')))
"""


def another_is_open(tx: Transaction, alert_id: int, target_key: str) -> bool:
    """Whether the same target was told of another alert of the same service that is not over."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return bool(cursor.execute(ANOTHER_IS_OPEN, {"alert_id": alert_id, "target_key": target_key}).fetchone())


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
