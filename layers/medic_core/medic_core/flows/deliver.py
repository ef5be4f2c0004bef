"""A notification reaches its targets, each on its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import timedelta

from medic_core import ports
from medic_core.domain.routing import queue_messages
from medic_core.domain.routing.messages import Notification
from medic_core.domain.routing.plan import plan
from medic_core.domain.routing.retries import MOST_ATTEMPTS, Answer, Delivered, GaveUp, TryAgain, outcome
from medic_core.domain.routing.targets import Channel, Defaults, Target
from medic_core.store import alerts, deliveries, outbox
from medic_core.store.connection import Database
from medic_core.store.deliveries import Claimed
from medic_core.store.outbox import Topic

#: Longer than any sending may take; a router that died leaves its deliveries after this.
LEASE = timedelta(seconds=30)
AT_ONCE = 16
KEPT_OF_ANSWER = 4096
NOBODY_CONFIGURED = "nobody can be told: no default channel is configured"


@dataclass(slots=True)
class Told:
    """What became of some deliveries."""

    delivered: int = 0
    postponed: int = 0
    failed: int = 0
    #: Why retries could not be queued; they start a little later.
    not_queued: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Work:
    """A delivery that is ours, with what it says and where it goes."""

    claimed: Claimed
    notification: Notification
    target: Target


def plan_notification(database: Database, alert_event_id: int, defaults: Defaults) -> tuple[list[int], bool]:
    """Write the deliveries of a notification, once: (the new ones, whether nobody could be told).

    The outbox row is done in the same transaction: from here on the deliveries look after themselves.
    """
    with database.transaction() as tx:
        outbox.done(tx, Topic.NOTIFICATION, alert_event_id)
        notification = alerts.notification(tx, alert_event_id)
        if notification is None:
            return [], False
        planned = plan(defaults)
        if not planned:
            deliveries.add_nobody(tx, alert_event_id, notification.alert_id, NOBODY_CONFIGURED)
            return [], True
        return deliveries.add_all(tx, alert_event_id, notification.alert_id, planned), False


def make_deliveries(
    database: Database,
    delivery_ids: Iterable[int],
    channels: Mapping[Channel, ports.Channel],
    queue: ports.Queue,
    defaults: Defaults,
) -> Told:
    """Make these deliveries side by side: a slow or broken target delays no other.

    Each is claimed and settled in a transaction of its own, and no transaction is open while a target thinks.
    One that is finished lets the next notification of the same alert to the same target follow.
    """
    told = Told()
    with ThreadPoolExecutor(AT_ONCE) as senders:
        under_way: dict[Future[Answer], Work] = {}

        def begin(delivery_id: int) -> None:
            work = _claim(database, delivery_id, defaults, told)
            if work is not None:
                under_way[senders.submit(_send, channels[work.target.channel], work)] = work

        for delivery_id in delivery_ids:
            begin(delivery_id)
        while under_way:
            finished, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in finished:
                work = under_way.pop(future)
                following = _settle(database, queue, work, future.result(), told)
                if following is not None:
                    begin(following)
    return told


def _send(channel: ports.Channel, work: Work) -> Answer:
    """Whatever a channel raises is this delivery's failure, and no other's."""
    try:
        return channel(work.notification, work.target, work.claimed.thread)
    except Exception as error:  # noqa: BLE001
        return Answer(None, error=f"{type(error).__name__}: {error}")


def _claim(database: Database, delivery_id: int, defaults: Defaults, told: Told) -> Work | None:
    with database.transaction() as tx:
        claimed = deliveries.claim(tx, delivery_id, LEASE)
        if claimed is None:
            return None
        notification = alerts.notification(tx, claimed.alert_event_id)
        target = next((target for target in defaults.targets() if target.key == claimed.target_key), None)
        problem = ""
        if claimed.attempts > MOST_ATTEMPTS:
            problem = "given up: the router was stopped each time it tried"
        elif target is None:
            problem = "this target is not configured any more"
        if notification is None or target is None or problem:
            deliveries.fail(tx, delivery_id, None, "", problem)
            told.failed += 1
            return None
    return Work(claimed, notification, target)


def _settle(database: Database, queue: ports.Queue, work: Work, answer: Answer, told: Told) -> int | None:
    """Write what came of a delivery; returns the one that waited for it, if any."""
    claimed = work.claimed
    body = answer.body.replace("\0", "").encode()[:KEPT_OF_ANSWER].decode(errors="ignore")
    decided = outcome(answer, claimed.attempts)
    with database.transaction() as tx:
        match decided:
            case Delivered():
                deliveries.succeed(tx, claimed.delivery_id, answer.status, body, answer.receipt)
                told.delivered += 1
            case TryAgain(wait=delay, because=because):
                deliveries.postpone(tx, claimed.delivery_id, delay, answer.status, body, because)
                told.postponed += 1
            case GaveUp(because=because):
                deliveries.fail(tx, claimed.delivery_id, answer.status, body, because)
                told.failed += 1
        following = deliveries.next_waiting(tx, claimed.alert_id, claimed.target_key)
    if isinstance(decided, TryAgain):
        _queue_again(queue, claimed.delivery_id, decided.wait, told)
        return None
    return following


def _queue_again(queue: ports.Queue, delivery_id: int, delay: timedelta, told: Told) -> None:
    """A queue that does not take it must not stop the others from being settled: the monitor finds what is due."""
    try:
        queue.send([queue_messages.delivery(delivery_id)], delay=delay)
    except Exception as error:  # noqa: BLE001
        told.not_queued.append(f"{type(error).__name__}: {error}")
