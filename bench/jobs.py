"""Job signals: what each costs in statements, many in one request, and the statistics of runs."""

from __future__ import annotations

import importlib
import itertools
import os
import sys
from collections.abc import Callable
from typing import Any

import psycopg

from bench import database, measure
from bench.heartbeats import KEY
from medic_core.adapters import hashing
from medic_core.flows.keys import ensure_admin_key
from medic_core.store import job_runs
from medic_core.store.connection import Database
from tests.builders import watch_statements
from tests.fixtures.functions import LambdaContext, gateway_event

SERVICES = 10_000
BATCH = 500
ROUNDS = 5
CRON = "UPDATE medic.services SET every_seconds = NULL, cron_expression = '*/5 * * * *', timezone = 'Europe/London'"
CRON_STATE = "UPDATE medic.service_state SET cron = '*/5 * * * * Europe/London +0 -60'"
RUNS = """
INSERT INTO medic.job_runs (service_id, run_id, named, started_at, completed_at, duration_ms, status)
SELECT 4, 'run-' || n, true, now() - n * interval '1 hour', now() - n * interval '59 minutes', n * 1000, 'COMPLETED'
  FROM generate_series(1, 5000) AS n
"""
#: Service 2 goes by cron, 3 has a limit for its runs, 4 has had many.
CRON_SERVICE, LIMITED, MANY_RUNS = 2, 3, 4


def report() -> str:
    with measure.one_core(), database.fresh() as url:
        database.fill(url, SERVICES)
        own = Database(url)
        ensure_admin_key(own, KEY, hashing)
        own.close()
        with psycopg.connect(url, autocommit=True) as bare:
            bare.execute(f"{CRON} WHERE service_id = {CRON_SERVICE}")
            bare.execute(f"{CRON_STATE} WHERE service_id = {CRON_SERVICE}")
            bare.execute(f"UPDATE medic.services SET max_duration_ms = 3600000 WHERE service_id = {LIMITED}")
            bare.execute(RUNS)
        os.environ.update(
            DATABASE_URL=url, REDIS_URL="", MEDIC_KEY_CACHE_SECRET="bench", RATE_LIMIT_HEARTBEAT_REQUESTS="1000000"
        )
        sys.modules.pop("ingest", None)
        ingest = importlib.import_module("ingest")
        tables = [_singles_and_batches(ingest.handler), _kinds(ingest.handler), _statistics(url)]
        tables.append(_statements(ingest))
        ingest.DATABASE.close()
    return "\n".join(tables)


def _singles_and_batches(handler: Callable[..., dict[str, Any]]) -> str:
    """Each call of either sends 500 signals, of 500 services all over the table."""
    calls = {
        f"{BATCH} requests": _singly(handler, "UP"),
        f"one request of {BATCH}": _at_once(handler, "UP"),
        f"{BATCH} requests, each of which changes a state": _singly(handler, "COMPLETED"),
        f"one request of {BATCH}, each of which changes a state": _at_once(handler, "COMPLETED"),
    }
    found = measure.alternated(calls, 6, ROUNDS)
    reference = next(iter(found))
    rows = []
    for name, timings in found.items():
        rates = [BATCH * timing.per_second for timing in timings]
        times = [own.per_second / ref.per_second for own, ref in zip(timings, found[reference], strict=True)]
        rows.append((name, measure.spread(rates, ",.0f"), measure.spread(times, ".2f")))
    return measure.table(f"{BATCH} signals (median of {ROUNDS} × 6)", ("how", "signals a second", "× the first"), rows)


def _names(turn: int) -> list[str]:
    """Others each turn, but for the first ones, which are special."""
    return [f"service-{(turn * BATCH * 7 + number * 13) % (SERVICES - 10) + 10}" for number in range(BATCH)]


def _singly(handler: Callable[..., dict[str, Any]], status: str) -> Callable[[], None]:
    turns = itertools.count()

    def send() -> None:
        for name in _names(next(turns)):
            _send(handler, "/heartbeat", {"heartbeat_name": name, "status": status}, 201)

    return send


def _at_once(handler: Callable[..., dict[str, Any]], status: str) -> Callable[[], None]:
    turns = itertools.count()

    def send() -> None:
        signals = [{"heartbeat_name": name, "status": status} for name in _names(next(turns))]
        answer = _send(handler, "/v2/heartbeats", {"heartbeats": signals}, 200)
        if f'"succeeded": {BATCH}' not in answer["body"]:
            raise RuntimeError(answer["body"][:500])

    return send


def _kinds(handler: Callable[..., dict[str, Any]]) -> str:
    """What one signal of each kind costs, through its handler."""
    number = itertools.count()

    def run_of(service_id: int) -> Callable[[], None]:
        def send() -> None:
            run = f"bench-{next(number)}"
            _send(handler, f"/v2/heartbeat/{service_id}/start", {"run_id": run}, 201)
            _send(handler, f"/v2/heartbeat/{service_id}/complete", {"run_id": run}, 201)

        return send

    calls: dict[str, Callable[[], object]] = {
        "UP, interval": lambda: _send(handler, "/v2/heartbeat/9", None, 201),
        "UP, cron": lambda: _send(handler, f"/v2/heartbeat/{CRON_SERVICE}", None, 201),
        "a run: start and complete": run_of(10),
        "a run of a service with a limit": run_of(LIMITED),
    }
    found = measure.alternated(calls, 400, ROUNDS)
    title = f"Job signals through their handler (median of {ROUNDS} × 400)"
    return measure.table(title, measure.COMPARED, measure.compared(found))


def _statistics(url: str) -> str:
    own = Database(url)
    with own.autocommit() as connection:
        timing = measure.timed(lambda: job_runs.statistics(connection, MANY_RUNS), 300)
        statements = watch_statements(own)
        found = job_runs.statistics(connection, MANY_RUNS)
        counted = len(statements)
    own.close()
    return (
        f"Statistics over the last {found['run_count']} of 5,000 runs: **{counted}** statement, "
        f"{timing.percentile(0.5):.2f} ms (p50).\n"
    )


def _statements(ingest: Any) -> str:
    """Counted as the server hears them; BEGIN and COMMIT are not."""
    statements = watch_statements(ingest.DATABASE)

    def heard(path: str, body: Any, status: int = 201) -> int:
        statements.clear()
        _send(ingest.handler, path, body, status)
        return sum(statement.split()[0] not in {"BEGIN", "COMMIT"} for statement in statements)

    batch = {"heartbeats": [{"heartbeat_name": f"service-{number}", "status": "UP"} for number in range(20, 520)]}
    heard("/v2/heartbeat/11", None)
    rows = [
        ("UP, interval", heard("/v2/heartbeat/11", None)),
        ("UP, cron", heard(f"/v2/heartbeat/{CRON_SERVICE}", None)),
        (f"a batch of {BATCH}", heard("/v2/heartbeats", batch, 200)),
        ("a run starts", heard("/v2/heartbeat/11/start", {"run_id": "r"})),
        ("a run completes", heard("/v2/heartbeat/11/complete", {"run_id": "r"})),
        ("a run with a limit starts", heard(f"/v2/heartbeat/{LIMITED}/start", {"run_id": "r"})),
        ("a run with a limit completes", heard(f"/v2/heartbeat/{LIMITED}/complete", {"run_id": "r"})),
    ]
    return measure.table("Statements per signal", ("signal", "statements"), rows)


def _send(handler: Callable[..., dict[str, Any]], path: str, body: Any, status: int) -> dict[str, Any]:
    answer = handler(gateway_event("POST", path, body, {"x-api-key": KEY}), LambdaContext())
    if answer["statusCode"] != status:
        raise RuntimeError(answer)
    return answer
