"""Promises of speed, kept without a clock: what a statement reads grows with what it returns, not with the table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from medic_core.store import service_states
from medic_core.store.connection import Database

SERVICES = 20_000
SEED = (
    "INSERT INTO medic.services (heartbeat_name, name_key, service_name, slug, ping_id, priority, every_seconds)"
    " SELECT 's' || n, 's' || n, 's' || n, 's' || n, gen_random_uuid(), 'p3', 60 FROM generate_series(1, 20000) AS n",
    "INSERT INTO medic.service_state (service_id, health, last_heartbeat_at, recent_heartbeats, silence_allowed,"
    " alert_after) SELECT service_id, 'up', now(), ARRAY[now()], interval '1 minute', now() + interval '1 hour'"
    " FROM medic.services",
    "UPDATE medic.service_state SET alert_after = now() - interval '1 minute' WHERE service_id <= 2000",
    "ANALYZE medic.services, medic.service_state",
)


@pytest.fixture
def seeded(database: Database) -> Database:
    with database.autocommit() as connection:
        for statement in SEED:
            connection.execute(statement)
    return database


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def explained(database: Database, statement: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    with database.transaction() as tx:
        row = tx.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values).fetchone()
        assert row is not None
        found = row[0] if not isinstance(row[0], str) else json.loads(row[0])
    return list(nodes(found[0]["Plan"]))


def rows_read(plan: list[dict[str, Any]], *tables: str) -> int:
    """Rows that came out of scans of these tables, and those that were thrown away there."""
    scans = [node for node in plan if node.get("Relation Name") in tables]
    assert scans, "none of the tables is read"
    return round(
        sum((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in scans)
    )


def test_a_heartbeat_reads_its_own_rows_only(seeded: Database) -> None:
    values = {
        **dict.fromkeys(("ping_id", "ping_key", "slug", "key_id", "secret_hash", "exit_status", "body", "user_agent")),
        "name_key": "s17",
        "health": "up",
        "is_ping": False,
        "kind": "UP",
        "remote_address": None,
        "signal_id": uuid4(),
    }
    plan = explained(seeded, service_states.RECORD, values)
    assert rows_read(plan, "services", "service_state") <= 6


@pytest.mark.parametrize("batch", [10, 100, 500])
def test_claiming_reads_in_proportion_to_the_batch(seeded: Database, batch: int) -> None:
    with seeded.autocommit() as connection:
        (now,) = connection.execute("SELECT now()").fetchone() or (None,)
    plan = explained(seeded, service_states.CLAIM_DUE, {"now": now, "batch": batch})
    assert rows_read(plan, "service_state") <= 2 * batch


def test_a_quiet_sweep_reads_next_to_nothing(seeded: Database) -> None:
    with seeded.autocommit() as connection:
        connection.execute("UPDATE medic.service_state SET alert_after = now() + interval '1 hour'")
        connection.execute("VACUUM ANALYZE medic.service_state")
        (now,) = connection.execute("SELECT now()").fetchone() or (None,)
    for statement in (service_states.CLAIM_DUE, service_states.COUNT_DUE):
        plan = explained(seeded, statement, {"now": now, "batch": 500, "enough": 100_000})
        assert rows_read(plan, "service_state") <= 5
