"""A finished delivery is made again."""

from __future__ import annotations

from contextlib import suppress

from medic_core import ports
from medic_core.domain.routing import queue_messages
from medic_core.errors import Conflict, NotFound
from medic_core.store import delivery_lists
from medic_core.store.connection import Database
from medic_core.store.delivery_lists import Delivery, Wanted


def redeliver(database: Database, queue: ports.Queue, delivery_id: int) -> Delivery:
    """Make a finished delivery again, from the first try. Raises NotFound, Conflict for one that is under way."""
    with database.transaction() as tx:
        found = delivery_lists.listed(tx, Wanted(delivery_id=delivery_id))
        if not found:
            raise NotFound("No delivery has this id.")
        if not delivery_lists.redeliver(tx, delivery_id):
            raise Conflict("It is under way already." if found[0].channel else "There was nobody to deliver it to.")
        again = delivery_lists.listed(tx, Wanted(delivery_id=delivery_id))[0]
    # What is not queued now the monitor finds.
    with suppress(Exception):
        queue.send([queue_messages.delivery(delivery_id)])
    return again
