"""What one heartbeat costs each part, measured: the figures that `bench.scale_model` counts with.

Written to docs/scale-figures.json, so that the model and its document stand on one measurement.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psycopg

from bench import database, heartbeats, measure, processors
from bench.scale_model import Figures
from medic_core.adapters import hashing
from medic_core.flows.keys import ensure_admin_key
from medic_core.flows.sweep import sweep
from medic_core.store.connection import Database
from tests.builders import watch_statements
from tests.fixtures.functions import LambdaContext, gateway_event

FILE = Path(__file__).parents[1] / "docs" / "scale-figures.json"
COUNT, BATCHES, BATCH, SWEEPS = 5000, 40, 500, 30
EVENTS_SIZE = """
SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('medic.heartbeat_events')
"""


def report() -> str:
    with database.fresh() as url:
        figures = _measured(url)
    FILE.write_text(figures.to_json())
    rows = [[name.replace("_", " "), f"{value:g}"] for name, value in json.loads(figures.to_json()).items()]
    return measure.table(
        f"What one heartbeat costs, of {COUNT:,} in a row and {BATCHES} × {BATCH}", ["what", "measured"], rows
    )


def _measured(url: str) -> Figures:
    database.fill(url, heartbeats.SERVICES)
    own = Database(url)
    ensure_admin_key(own, heartbeats.KEY, hashing)
    # As behind the data stack's proxy: nothing is prepared.
    os.environ.update(DATABASE_URL=url, MEDIC_DATABASE_POOLED="true", REDIS_URL="", MEDIC_KEY_CACHE_SECRET="bench")
    os.environ.update(RATE_LIMIT_HEARTBEAT_REQUESTS="1000000")
    sys.modules.pop("ingest", None)
    ingest = importlib.import_module("ingest")
    with psycopg.connect(url, autocommit=True) as beside:
        post = heartbeats._posted(ingest.handler)
        post()
        single = _costs(beside, ingest.DATABASE, post, COUNT)
        statements = len(_heard(ingest.DATABASE, post))
        many = _posted_in_batches(ingest.handler)
        batched = _costs(beside, ingest.DATABASE, many, BATCHES)
        batch_statements = len(_heard(ingest.DATABASE, many))
    ingest.DATABASE.close()
    swept = [_timed(lambda: sweep(own, 0, timedelta(minutes=1))) for _ in range(SWEEPS)]
    own.close()
    return Figures(
        statements=statements,
        function_cpu_ms=single["cpu"],
        function_wall_ms=single["wall"],
        database_cpu_ms=single["database"],
        wal_bytes=single["wal"],
        event_bytes=single["disk"],
        batch_size=BATCH,
        batch_statements=batch_statements,
        batch_cpu_ms=batched["cpu"],
        batch_wall_ms=batched["wall"],
        batch_database_cpu_ms=batched["database"],
        batch_wal_bytes=batched["wal"],
        idle_sweep_ms=measure.median(swept) * 1000,
    )


def _costs(
    beside: psycopg.Connection[tuple[object, ...]], used: Database, call: Callable[[], object], count: int
) -> dict[str, float]:
    """Of each call: milliseconds of our processor, of the clock and of the database's, bytes of WAL and on disk."""
    call()
    backend = used._ready().info.backend_pid
    wal, disk, busy = _position(beside), _size(beside), processors.seconds_of(backend)
    cpu, began = time.process_time(), time.perf_counter()
    for _ in range(count):
        call()
    return {
        "wall": (time.perf_counter() - began) / count * 1000,
        "cpu": (time.process_time() - cpu) / count * 1000,
        "database": (processors.seconds_of(backend) - busy) / count * 1000,
        "wal": (_position(beside) - wal) / count,
        "disk": (_size(beside) - disk) / count,
    }


def _posted_in_batches(handler: Callable[..., dict[str, object]]) -> Callable[[], object]:
    names = heartbeats._names()
    key = {"x-api-key": heartbeats.KEY}

    def call() -> object:
        signals = [{"heartbeat_name": next(names), "status": "UP"} for _ in range(BATCH)]
        answer = handler(gateway_event("POST", "/v2/heartbeats", {"heartbeats": signals}, key), LambdaContext())
        if answer["statusCode"] != 200:
            raise RuntimeError(answer)
        return answer

    return call


def _heard(used: Database, call: Callable[[], object]) -> list[str]:
    found = watch_statements(used)
    before = len(found)
    call()
    return found[before:]


def _position(connection: psycopg.Connection[tuple[object, ...]]) -> int:
    (found,) = connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone() or (0,)
    return int(str(found))


def _size(connection: psycopg.Connection[tuple[object, ...]]) -> int:
    (found,) = connection.execute(EVENTS_SIZE).fetchone() or (0,)
    return int(str(found))


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
