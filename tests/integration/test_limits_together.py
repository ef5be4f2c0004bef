"""Several processes around one Redis admit exactly what the limit says, and losing it refuses nobody."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from medic_core.flows.sweep import sweep
from medic_core.store.connection import Database
from tests.builders import a_service, rows
from tests.fixtures.functions import ADMIN_KEY, Functions
from tests.fixtures.processes import Processes
from tests.fixtures.redis import RedisServer

PROCESSES, EACH = 4, 16


@pytest.mark.parametrize("limit", [1, 7, 32, 63, 64])
def test_sixty_four_at_once_through_four_processes_admit_exactly_the_limit(
    functions: Functions,
    database: Database,
    processes: Processes,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    limit: int,
) -> None:
    a_service(database)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("RATE_LIMIT_HEARTBEAT_REQUESTS", str(limit))
    start, journals = tmp_path / "start", [tmp_path / f"journal-{n}" for n in range(PROCESSES)]
    running = [processes.start("limited", ADMIN_KEY, EACH, start, journal) for journal in journals]
    while not all(journal.exists() for journal in journals):
        assert all(one.poll() is None for one in running), processes.log.read_text()[-3000:]
        time.sleep(0.05)
    start.touch()
    processes.end_of(running)
    statuses = Counter(status for journal in journals for status in journal.read_text().split())
    assert statuses == Counter({"201": limit, "429": PROCESSES * EACH - limit}) - Counter()
    assert rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(limit,)]


def test_losing_redis_under_load_refuses_nobody(
    functions: Functions, database: Database, own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_service(database)
    monkeypatch.setenv("REDIS_URL", own_redis.url)
    monkeypatch.setenv("RATE_LIMIT_HEARTBEAT_REQUESTS", "1000")
    body, statuses = {"heartbeat_name": "nightly-backup", "status": "UP"}, Counter[int]()
    for number in range(300):
        if number == 100:
            own_redis.hang()
        if number == 200:
            own_redis.kill()
        statuses[functions.heartbeat(body).status] += 1
        statuses[functions.api("GET", "/v2/services").status] += 1
    assert statuses == {201: 300, 200: 300}
    # However long ago the database was made: a monitor was there.
    sweep(database, 0, timedelta(minutes=1))
    health = functions.api("GET", "/health", key=None)
    assert (health.status, health.json["status"]) == (200, "degraded")
    assert health.json["components"]["redis"] == {"status": "unhealthy"}
