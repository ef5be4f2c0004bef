"""What was committed leaves: notifications and notices to the router's queue."""

from __future__ import annotations

from datetime import timedelta

from medic_core.domain.routing import queue_messages
from medic_core.ports import Queue
from medic_core.store import deliveries, outbox
from medic_core.store.connection import Database
from medic_core.store.outbox import Topic

#: A delivery is looked after again when it has been due for this long.
PATIENCE = timedelta(seconds=20)
AS_MESSAGE = {Topic.NOTIFICATION: queue_messages.notification, Topic.NOTICE: queue_messages.notice}


def relay(database: Database, queue: Queue, batch: int = 100) -> int:
    """Hand what has not left yet to the queue, at least once; returns how many.

    1. Lease a batch and commit: nothing stays locked while a network is slow.
    2. Send. A crash here costs the lease; the same ids leave again.
    The row is done when the router has planned its deliveries, so a message that is lost on its way leaves again too.
    """
    sent = 0
    while True:
        with database.transaction() as tx:
            waiting = outbox.lease(tx, AS_MESSAGE, batch)
        if waiting:
            queue.send([AS_MESSAGE[topic](subject_id) for topic, subject_id in waiting])
        sent += len(waiting)
        if len(waiting) < batch:
            return sent


def relay_forgotten(database: Database, queue: Queue, batch: int = 100) -> int:
    """Queue deliveries again whose router died or whose message was lost; returns how many."""
    sent = 0
    while True:
        with database.transaction() as tx:
            found = deliveries.forgotten(tx, PATIENCE, batch)
        if found:
            queue.send([queue_messages.delivery(delivery_id) for delivery_id in found])
        sent += len(found)
        if len(found) < batch:
            return sent
