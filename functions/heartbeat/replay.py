"""The spool, back into the same rules with its original times."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, NamedTuple

from medic_core import config, telemetry
from medic_core.adapters.spool import from_text
from medic_core.adapters.sqs import SqsQueue
from medic_core.api.events import messages
from medic_core.domain.watching.signals import SCHEDULE_UNREADABLE, Signal, Taken
from medic_core.errors import Unavailable
from medic_core.flows.relay import relay
from medic_core.flows.settle import replay_signal
from medic_core.store.causes import cause_of
from medic_core.store.connection import Database
from medic_core.telemetry import Metric

SETTINGS = config.from_environment()
#: A batch whose database hangs comes back sooner than one whose function is killed.
DATABASE = Database(SETTINGS.database, patience=timedelta(seconds=2.5))
SPOOL = SqsQueue(SETTINGS.spool_url)
DEAD_LETTERS = SqsQueue(SETTINGS.spool_dead_letter_url)
NOTIFICATIONS = SqsQueue(SETTINGS.notifications_url)
LOGGER = telemetry.logger("replay")
SELDOM = telemetry.Seldom("replay")
COUNTS = telemetry.Counts("replay")

#: While the database is away a signal comes back after 5 s, then 10, 20, … up to a minute.
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=1)
#: A signal that is begun later than that might be cut off at the function's time; it comes back later too.
BEGUN_WITHIN = timedelta(seconds=4)
#: A reason may repeat what it complains of.
REASON_LIMIT = 200


class Waiting(NamedTuple):
    """A message of the spool, and what it says."""

    record: dict[str, Any]
    signal: Signal
    key_id: str | None


@telemetry.logged(LOGGER)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Replay a batch; what the database could not take comes back later, what cannot be read goes to the dead letters.

    The database being away is not a message's fault: poison is told by reading it, not by counting its receipts. It is
    put away last, so that no trouble with it holds a heartbeat back.
    """
    readable, poison = _read(messages(event))
    replayed, waiting = _replay(readable)
    for record in waiting:
        _come_back_later(record)
    if replayed:
        _relay()
    left = waiting + _not_put_away(poison)
    COUNTS.write({Metric.SPOOL_REPLAYED: replayed, Metric.SPOOL_POISON: len(poison)})
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in left]}


def _read(records: list[dict[str, Any]]) -> tuple[list[Waiting], list[dict[str, Any]]]:
    readable, poison = [], []
    for record in records:
        try:
            readable.append(Waiting(record, *from_text(record.get("body") or "")))
        except ValueError as error:
            because = str(error)[:REASON_LIMIT]
            LOGGER.warning("not a signal: to the dead letters", message_id=record["messageId"], because=because)
            poison.append(record)
    return readable, poison


def _replay(readable: list[Waiting]) -> tuple[int, list[dict[str, Any]]]:
    """Replay in the order of receipt: (how many came in, what comes back). A database that is away or slow ends it."""
    waiting: list[dict[str, Any]] = []
    begun_until = time.monotonic() + BEGUN_WITHIN.total_seconds()
    is_over = False
    for record, signal, key_id in sorted(readable, key=lambda one: str(one.signal.received_at)):
        is_over = is_over or time.monotonic() > begun_until
        if is_over:
            waiting.append(record)
            continue
        try:
            _told_of(replay_signal(DATABASE, signal, key_id), signal)
        except Unavailable as error:
            is_over = True
            waiting.append(record)
            if cause := cause_of(error):
                SELDOM.error(f"spooled signals wait on: {cause}")
        except Exception:
            # One that cannot be taken must not hold back the others; after its tries it is in the dead letters.
            LOGGER.exception("a spooled signal was not taken", signal_id=str(signal.signal_id))
            waiting.append(record)
    return len(readable) - len(waiting), waiting


def _told_of(taken: Taken | None, signal: Signal) -> None:
    """Operators hear of what was not as usual."""
    if taken is None:
        LOGGER.warning("a spooled signal means nobody, or its key had ended", signal_id=str(signal.signal_id))
    elif taken.unreadable:
        SELDOM.warning(SCHEDULE_UNREADABLE, heartbeat_name=taken.heartbeat_name, because=taken.unreadable)


def _not_put_away(poison: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put it with the dead letters. Where those cannot be reached it comes again, and the queue itself does it."""
    try:
        DEAD_LETTERS.send([record["body"] for record in poison])
    except Exception:
        LOGGER.exception("poison is left to the queue")
        return poison
    return []


def _relay() -> None:
    """People hear of what changed now, not at the next sweep; what does not leave now leaves then."""
    try:
        relay(DATABASE, NOTIFICATIONS)
    except Exception:
        LOGGER.exception("notifications wait for the next sweep")


def _come_back_later(record: dict[str, Any]) -> None:
    receives = int(record["attributes"]["ApproximateReceiveCount"])
    wait = min(FIRST_WAIT * 2 ** min(receives - 1, 10), LONGEST_WAIT)
    SPOOL.show_again_in(record["receiptHandle"], wait)
