"""A target is tried: a test goes to it by the way that alerts go, and what happened comes back."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

from medic_core import ports
from medic_core.domain.routing.messages import NoticeKind
from medic_core.flows.relay import relay
from medic_core.store import delivery_lists, notices
from medic_core.store.connection import Database
from medic_core.store.deliveries import Status
from medic_core.store.delivery_lists import Delivery, Wanted

HEADING = "This is a test"
BECAUSE = "Medic can reach you here. Nothing is wrong."
#: Less than the function's own timeout; a quick try of the router takes a few seconds at most.
LONGEST = timedelta(seconds=8)
LOOK_SECONDS = 0.1


def try_target(database: Database, queue: ports.Queue, target_key: str, actor: str) -> Delivery | None:
    """Send a test to a target and wait for its first try; None where that has not come back in time."""
    with database.transaction() as tx:
        because = f"{BECAUSE} Asked for by {actor}."
        notice_id = notices.add(tx, NoticeKind.TEST, HEADING, because, only=target_key)
    relay(database, queue)
    until = time.monotonic() + LONGEST.total_seconds()
    while time.monotonic() < until:
        with database.autocommit() as connection:
            number = delivery_lists.of_notice(connection, notice_id)
            found = delivery_lists.listed(connection, Wanted(delivery_id=number)) if number is not None else []
        if found and found[0].status != Status.PENDING:
            return found[0]
        threading.Event().wait(LOOK_SECONDS)
    return None
