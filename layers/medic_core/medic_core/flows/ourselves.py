"""Were we away ourselves? What the guards look at, as the sweep and an explanation find it."""

from __future__ import annotations

from datetime import timedelta

from medic_core.domain.watching import outages
from medic_core.domain.watching.outages import Gap, Situation
from medic_core.store import heartbeat_events, sweeping
from medic_core.store.connection import Transaction
from medic_core.store.monitor_state import MonitorState

#: What is usual is measured over this long before a gap.
USUAL_OVER = timedelta(minutes=10)


def situation(tx: Transaction, known: MonitorState, spooled: int, cadence: timedelta) -> Situation:
    """What is known before a sweep."""
    count = sweeping.count_due(tx, known.now)
    everyone_matters = count.silent_since is not None or count.due >= outages.MASS
    return Situation(
        now=known.now,
        spooled=spooled,
        spool_waiting_since=known.spool_waiting_since,
        gap=_gap(tx, known, cadence),
        due=count.due,
        others=count.others,
        heard_at=heartbeat_events.newest(tx) if everyone_matters else None,
        due_heard_at=count.due_heard_at,
        silent_since=count.silent_since,
    )


def _gap(tx: Transaction, known: MonitorState, cadence: timedelta) -> Gap | None:
    start, end = known.gap_start, known.gap_end
    if known.last_sweep_at is not None and outages.is_gap(known.last_sweep_at, known.now, cadence):
        start, end = start or known.last_sweep_at, known.now
    if start is None or end is None:
        return None
    length = end - start
    usual = heartbeat_events.count(tx, start - USUAL_OVER, start) * (length / USUAL_OVER)
    enough = int(usual) + 1
    return Gap(start, length, heartbeat_events.count(tx, start, end, enough), usual)
