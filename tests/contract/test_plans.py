"""Promises of speed, kept without a clock: what a statement reads grows with what it returns, not with the table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from medic_core.domain.observing import metrics
from medic_core.store import (
    counting,
    facts,
    overview,
    question_deliveries,
    recording,
    service_lists,
    service_past,
    services,
    sweeping,
)
from medic_core.store.connection import Database
from medic_core.store.service_lists import Sort, Wanted
from tests.builders import rows

SEED = (
    "INSERT INTO medic.teams (name, name_key, ping_key) VALUES ('infra', 'infra', 'ping-key')",
    "INSERT INTO medic.services (heartbeat_name, name_key, service_name, slug, ping_id, team_id, priority,"
    " every_seconds) SELECT 's' || n, 's' || n, 's' || n, 's' || n, gen_random_uuid(), 1, 'p3', 60"
    " FROM generate_series(1, 20000) AS n",
    "INSERT INTO medic.service_state (service_id, health, last_heartbeat_at, recent_heartbeats, silence_allowed,"
    " alert_after) SELECT service_id, 'up', now(), ARRAY[now()], interval '1 minute', now() + interval '1 hour'"
    " FROM medic.services",
)
#: 20,000 services, and what is so of them.
WORLDS = {
    "some are due": "UPDATE medic.service_state SET alert_after = now() - interval '1 minute' WHERE service_id <= 2000",
    "nothing is due": "UPDATE medic.service_state SET alert_after = now() + interval '1 hour'",
    "a few are due and the rest are in trouble": "UPDATE medic.service_state SET health = 'down', alert_after ="
    " CASE WHEN service_id % 1000 = 0 THEN now() - interval '1 minute' END",
}
HEARTBEAT: dict[str, Any] = {
    **dict.fromkeys(
        (
            "name_key",
            "service_id",
            "ping_id",
            "ping_key",
            "slug",
            "key_id",
            "api_key_id",
            "key_version",
            "exit_status",
            "body",
        )
    ),
    "health": "up",
    "is_ping": False,
    "kind": "UP",
    "user_agent": None,
    "remote_address": None,
}


@pytest.fixture
def seeded(database: Database) -> Database:
    with database.autocommit() as connection:
        for statement in SEED:
            connection.execute(statement)
    return database


def becomes(database: Database, world: str) -> None:
    """Bring it about, and let the planner and its visibility map know."""
    with database.autocommit() as connection:
        connection.execute(WORLDS[world])
        connection.execute("VACUUM ANALYZE medic.services, medic.service_state, medic.teams")


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def explained(database: Database, statement: str, **values: Any) -> list[dict[str, Any]]:
    """What Postgres did for a statement, with `now` as its own clock has it."""
    ((now,),) = rows(database, "SELECT now()")
    ((found,),) = rows(database, f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", now=now, **values)
    return list(nodes(found[0]["Plan"]))


def rows_read(plan: list[dict[str, Any]], table: str) -> int:
    """Rows that came out of scans of the table, and those that were thrown away there."""
    scans = [node for node in plan if node.get("Relation Name") == table and "Scan" in node["Node Type"]]
    assert scans, f"{table} is not read"
    fields = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    return sum(round(sum(node.get(name, 0) for name in fields) * node["Actual Loops"]) for node in scans)


def read_from_end_to_end(plan: list[dict[str, Any]]) -> set[str]:
    """The tables that grow with the services and are scanned without an index."""
    found = {node["Relation Name"] for node in plan if node["Node Type"] == "Seq Scan"}
    return found & {"services", "service_state"}


#: What this session has read of each table, also inside functions: scans from end to end, looks into indexes, rows.
READ_SO_FAR = """
SELECT seq_scan, idx_scan, COALESCE(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
 WHERE relid IN ('medic.services'::regclass, 'medic.service_state'::regclass) ORDER BY relname DESC
"""


@pytest.mark.parametrize("world", list(WORLDS))
@pytest.mark.parametrize(
    "whom", [{"name_key": "s17"}, {"slug": "s17", "ping_key": "ping-key"}, {"ping_id": uuid4()}, {"service_id": 17}]
)
def test_a_heartbeat_reads_its_own_rows_only(seeded: Database, world: str, whom: dict[str, Any]) -> None:
    """Also when its plans have become general ones, which is after five times."""
    becomes(seeded, world)
    for _ in range(7):
        with seeded.transaction() as tx:
            before = tx.execute(READ_SO_FAR).fetchall()
            tx.execute(recording.RECORD, {**HEARTBEAT, **whom, "signal_id": uuid4()})
            after = tx.execute(READ_SO_FAR).fetchall()
        services, states = (
            [now - then for now, then in zip(later, earlier, strict=True)]
            for later, earlier in zip(after, before, strict=True)
        )
        is_found = "ping_id" not in whom
        assert services == [0, 1, int(is_found)]
        assert states == [0, int(is_found), int(is_found)]


@pytest.mark.parametrize("batch", [10, 100, 500])
def test_claiming_reads_in_proportion_to_the_batch(seeded: Database, batch: int) -> None:
    becomes(seeded, "some are due")
    plan = explained(seeded, sweeping.CLAIM_DUE, batch=batch)
    assert rows_read(plan, "service_state") <= batch
    assert rows_read(plan, "services") <= batch
    assert read_from_end_to_end(plan) == set()


def test_claiming_reads_nothing_where_nothing_is_due(seeded: Database) -> None:
    becomes(seeded, "nothing is due")
    plan = explained(seeded, sweeping.CLAIM_DUE, batch=500)
    assert rows_read(plan, "service_state") == 0
    assert read_from_end_to_end(plan) == set()


@pytest.mark.parametrize(
    ("world", "due"),
    [
        ("nothing is due", 0),
        ("some are due", 2000),
        ("a few are due and the rest are in trouble", 20),
    ],
)
def test_counting_reads_in_proportion_to_what_is_due(seeded: Database, world: str, due: int) -> None:
    becomes(seeded, world)
    plan = explained(seeded, sweeping.COUNT_DUE, enough=100_000)
    assert rows_read(plan, "service_state") <= 2 * due + 1
    assert read_from_end_to_end(plan) == set()


PAGE = 50
#: Of the 20,000, twenty are not watched, as many are urgent, muted, of a team, or down.
FEW_OF_MANY = (
    "UPDATE medic.services SET paused_at = now() WHERE service_id % 2000 = 1",
    "UPDATE medic.services SET active = false WHERE service_id % 2000 = 2",
    "UPDATE medic.services SET priority = 'p1' WHERE service_id % 1000 = 3",
    "UPDATE medic.services SET muted_until = now() + interval '1 hour' WHERE service_id % 1000 = 4",
    "UPDATE medic.services SET team_id = NULL WHERE service_id % 1000 <> 5",
    "UPDATE medic.service_state SET health = 'down', alert_after = NULL WHERE service_id % 1000 = 6",
    "VACUUM ANALYZE medic.services, medic.service_state",
)


@pytest.fixture
def with_few_of_many(seeded: Database) -> Database:
    with seeded.autocommit() as connection:
        for statement in FEW_OF_MANY:
            connection.execute(statement)
    return seeded


def listed(database: Database, sort: Sort = Sort.SERVICE_ID, *, descending: bool = False, **wanted: Any) -> int:
    """How many services are read for a page."""
    values = {name: wanted.get(name) for name in Wanted.__dataclass_fields__}
    statement = service_lists.listing(sort, descending=descending).as_string(None)
    plan = explained(database, statement, **values, after_value=None, after_id=None, limit=PAGE)
    return rows_read(plan, "services")


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("sort", [Sort.SERVICE_ID, Sort.NAME, Sort.PRIORITY, Sort.CREATED_AT])
def test_a_page_of_services_reads_what_it_shows(seeded: Database, sort: Sort, *, descending: bool) -> None:
    becomes(seeded, "nothing is due")
    assert listed(seeded, sort, descending=descending) <= PAGE + 1


@pytest.mark.parametrize(
    "wanted",
    [
        {"statuses": ["paused"]},
        {"active": False},
        {"priorities": ["p1"]},
        {"muted": True},
        {"team_key": "infra"},
        {"team_id": 1},
        {"statuses": ["down", "new"]},
    ],
    ids=str,
)
def test_few_of_many_services_are_found_by_themselves(with_few_of_many: Database, wanted: dict[str, Any]) -> None:
    assert listed(with_few_of_many, **wanted) <= PAGE


@pytest.mark.parametrize("wanted", [{"active": False}, {"service_name": "s17"}])
def test_v1_finds_few_of_many_by_themselves(with_few_of_many: Database, wanted: dict[str, Any]) -> None:
    values = dict.fromkeys(("service_id", "name_key", "service_name", "active"))
    plan = explained(with_few_of_many, services.READ, **values | wanted, after=0, limit=PAGE)
    assert rows_read(plan, "services") <= PAGE


def test_many_services_are_counted_by_the_monitor_and_few_where_they_lie(seeded: Database) -> None:
    becomes(seeded, "nothing is due")
    values = {"limit": 15, "few": metrics.COUNTED_AT_ONCE}
    assert rows_read(explained(seeded, overview.SUMMARY, **values), "service_state") == 20_000
    with seeded.transaction() as tx:
        counting.measure(tx)
    plan = explained(seeded, overview.SUMMARY, **values)
    assert rows_read(plan, "service_state") == 0
    assert rows_read(plan, "services") <= metrics.COUNTED_AT_ONCE + 1


def test_what_is_wrong_is_read_as_far_as_it_is_shown(seeded: Database) -> None:
    with seeded.autocommit() as connection:
        connection.execute(
            "INSERT INTO medic.alerts (service_id, heartbeat_name, kind, status, priority, because, overdue_since,"
            " opened_at, told_at, counted_until) SELECT service_id, 's', 'missed_heartbeat', 'open', 'p3', 'x', now(),"
            " now() - service_id * interval '1 second', now(), now() FROM medic.services WHERE service_id <= 10000"
        )
        connection.execute("VACUUM ANALYZE medic.alerts, medic.services")
    plan = explained(seeded, overview.WRONG, limit=PAGE)
    assert rows_read(plan, "alerts") <= PAGE
    assert rows_read(plan, "services") <= PAGE


#: 5,000 approvals: each asked for, reminded of and decided, at three targets; and as many deliveries about alerts.
QUESTIONS = (
    "SET session_replication_role = replica",  # without what the notices are about
    "INSERT INTO medic.notices (kind, heading, because, at, team_ids, request_id)"
    " SELECT kind, 'x', 'x', now(), '{}', request_id FROM generate_series(1, 5000) AS request_id,"
    " unnest(ARRAY['approval_requested', 'approval_reminder', 'approval_decided']) AS kind",
    "INSERT INTO medic.notification_deliveries (notice_id, target_key, channel, because, status)"
    " SELECT notice_id, 'target:' || n, 'slack', 'x', 'success' FROM medic.notices, generate_series(1, 3) AS n",
    "INSERT INTO medic.notification_deliveries (alert_event_id, alert_id, target_key, channel, because, status)"
    " SELECT n, n, 'target:1', 'slack', 'x', 'success' FROM generate_series(1, 45000) AS n",
    "SET session_replication_role = DEFAULT",
)


@pytest.mark.parametrize(
    ("statement", "values", "most"),
    [
        (question_deliveries.ASKED, {"request_id": 17, "target_key": "target:2", "delivery_id": 1}, 3),
        (question_deliveries.ASKED_TARGETS, {"request_id": 17}, 9),
    ],
)
def test_who_was_asked_is_found_by_the_approval(
    database: Database, statement: str, values: dict[str, Any], most: int
) -> None:
    with database.autocommit() as connection:
        for preparing in (*QUESTIONS, "VACUUM ANALYZE medic.notices, medic.notification_deliveries"):
            connection.execute(preparing)
    plan = explained(database, statement, **values)
    assert rows_read(plan, "notices") <= 3
    assert rows_read(plan, "notification_deliveries") <= most


#: Each of the 20,000 services has had three alerts and as many runs, and was heard three times.
PASTS = (
    "INSERT INTO medic.alerts (service_id, heartbeat_name, kind, status, priority, because, overdue_since, opened_at,"
    " counted_until, resolved_at) SELECT service_id, 's', 'missed_heartbeat', 'resolved', 'p3', 'x', now(),"
    " now() - n * interval '2 hours', now(), now() - n * interval '1 hour'"
    " FROM medic.services, generate_series(1, 3) AS n",
    "INSERT INTO medic.job_runs (service_id, run_id, named, started_at, completed_at, duration_ms, status)"
    " SELECT service_id, 'run-' || n, true, now() - n * interval '1 hour', now(), 60000, 'COMPLETED'"
    " FROM medic.services, generate_series(1, 3) AS n",
    "INSERT INTO medic.heartbeat_events (service_id, received_at, signal_id, kind)"
    " SELECT service_id, now() - n * interval '1 second', gen_random_uuid(), 'UP'"
    " FROM medic.services, generate_series(1, 3) AS n",
    "VACUUM ANALYZE medic.services, medic.service_state, medic.alerts, medic.job_runs, medic.heartbeat_events",
)


def test_a_services_page_reads_its_own_rows(seeded: Database) -> None:
    with seeded.autocommit() as connection:
        for preparing in PASTS:
            connection.execute(preparing)
    known = explained(seeded, facts.FACTS, service_id=17, most_runs=20, most_signals=PAGE)
    assert rows_read(known, "services") == rows_read(known, "service_state") == 1
    assert rows_read(known, "alerts") == rows_read(known, "job_runs") == 0
    partitions = {name for node in known if (name := node.get("Relation Name", "")).startswith("heartbeat_events")}
    assert sum(rows_read(known, name) for name in partitions) == 3
    values = {"since": "2000-01-01", "most_outages": PAGE, "most_alerts": PAGE, "most_runs": PAGE}
    past = explained(seeded, service_past.PAST, service_id=17, **values)
    assert rows_read(past, "alerts") == 3 + 3
    assert rows_read(past, "job_runs") == 3 + 3
