"""Daily: partitions ahead, partitions away, finished work forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from medic_core.store import (
    api_keys,
    audit_log,
    connection,
    counters,
    deliveries,
    execution_lists,
    heartbeat_events,
    idempotency_keys,
    maintenance,
    notices,
    outbox,
    slack_requests,
    snapshots,
    target_health,
)
from medic_core.store.connection import Database

DAYS_AHEAD = 14
EVENT_DAYS = 30
DELIVERY_DAYS = 30
OUTBOX_DAYS = 7
SNAPSHOT_DAYS = 90
WINDOW_DAYS = 90
#: Of secrets that have ended: until then their users hear "not valid any more".
SECRET_DAYS = 90
AUDIT_DAYS = 90
#: Of series that do not rise any more.
SERIES_DAYS = 90
#: Of executions that have ended, with what came of their steps.
EXECUTION_DAYS = 90
#: Each removes 10,000 rows at most, so that no statement holds its locks for long.
MOST_ROUNDS = 100


@dataclass(frozen=True, slots=True)
class Kept:
    """What a round of housekeeping made and removed."""

    partitions_made: int
    partitions_dropped: int
    rows_forgotten: int


def housekeep(database: Database) -> Kept:
    """Make what will be needed, remove what has been kept long enough. Safe to repeat."""
    made = make_partitions(database)
    dropped = _drop_partitions(database)
    forgotten = sum(_forget_some(database) for _ in range(MOST_ROUNDS))
    forgotten += sum(_forget_executions(database) for _ in range(MOST_ROUNDS))
    return Kept(made, dropped, forgotten)


def make_partitions(database: Database, days: int = DAYS_AHEAD) -> int:
    """Make the partitions of today and the days ahead; returns how many were missing. Others may do so at once."""
    made = 0
    with database.transaction() as tx:
        today = connection.now(tx).date()
        have = set(heartbeat_events.partitions(tx))
    for day in (today + timedelta(days=n) for n in range(days + 1)):
        if day not in have:
            with database.transaction() as tx:
                made += heartbeat_events.make_partition(tx, day)
    return made


def _drop_partitions(database: Database) -> int:
    with database.transaction() as tx:
        oldest = connection.now(tx).date() - timedelta(days=EVENT_DAYS)
        old = [day for day in heartbeat_events.partitions(tx) if day < oldest]
        for day in old:
            heartbeat_events.drop_partition(tx, day)
    return len(old)


def _forget_some(database: Database) -> int:
    with database.transaction() as tx:
        return (
            deliveries.forget(tx, DELIVERY_DAYS)
            + notices.forget(tx, DELIVERY_DAYS)
            + target_health.forget(tx)
            + maintenance.forget(tx, WINDOW_DAYS)
            + outbox.forget(tx, OUTBOX_DAYS)
            + snapshots.forget(tx, SNAPSHOT_DAYS)
            + idempotency_keys.forget(tx)
            + slack_requests.forget(tx)
            + api_keys.forget_secrets(tx, SECRET_DAYS)
            + audit_log.forget(tx, AUDIT_DAYS)
            + counters.forget(tx, SERIES_DAYS)
        )


def _forget_executions(database: Database) -> int:
    """By themselves and last: their steps, approvals and firings go with them or let go of them."""
    with database.transaction() as tx:
        return execution_lists.forget(tx, EXECUTION_DAYS)
