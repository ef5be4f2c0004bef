"""History is added up, so that nobody who asks for a total reads it."""

from __future__ import annotations

from medic_core.store import counting
from medic_core.store.connection import Database

#: A step reads so many heartbeats at most, which is far from what a statement may take; a round takes so many steps.
MOST_IN_A_STEP = 250_000
STEPS = 20


def count_up(database: Database, most: int = MOST_IN_A_STEP, steps: int = STEPS) -> int:
    """Add up what has happened and is settled; returns in how many steps. Any number of monitors may do so at once.

    A step commits what it added with how far it came, so one that is killed leaves nothing counted twice.
    """
    for step in range(steps):
        with database.transaction() as tx:
            known = counting.lock(tx)
            if known is None or known.latest <= known.counted_until:
                return step
            until = counting.until(tx, known.counted_until, known.latest, most)
            counting.count_up(tx, known.counted_until, until)
            if known.measured_at is None or known.now - known.measured_at >= counting.MEASURED_EVERY:
                counting.measure(tx)
        if until == known.latest:
            return step + 1
    return steps
