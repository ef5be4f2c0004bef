"""The warm heartbeat through its handler, against the same statement called bare."""

from __future__ import annotations

import importlib
import itertools
import os
import sys
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg

from bench import database, measure
from medic_core.adapters import hashing
from medic_core.domain.watching.names import name_key
from medic_core.flows.keys import ensure_admin_key
from medic_core.store import service_states
from medic_core.store.connection import Database
from tests.builders import watch_statements
from tests.fixtures.functions import LambdaContext, gateway_event

KEY = "mdk_benchadmin_" + "b" * 43
SERVICES = 100_000
COUNT, ROUNDS = 2000, 5
EVENTS = 10_000


def report() -> str:
    with measure.one_core(), database.fresh() as url:
        database.fill(url, SERVICES)
        own = Database(url)
        ensure_admin_key(own, KEY, hashing)
        own.close()
        os.environ.update(
            DATABASE_URL=url, REDIS_URL="", MEDIC_KEY_CACHE_SECRET="bench", RATE_LIMIT_HEARTBEAT_REQUESTS="1000000"
        )
        sys.modules.pop("ingest", None)
        ingest = importlib.import_module("ingest")
        with psycopg.connect(url, autocommit=True) as bare:
            found = measure.alternated(
                {
                    "the statement through psycopg": _bare(bare),
                    "POST /heartbeat through its handler": _posted(ingest.handler),
                    "GET /ping/{uuid} through its handler": _pinged(ingest.handler, bare),
                },
                COUNT,
                ROUNDS,
            )
        statements = watch_statements(ingest.DATABASE)
        _posted(ingest.handler)()
        ingest.DATABASE.close()
    return _table(found) + f"\nStatements per warm heartbeat: **{len(statements)}**.\n"


def _table(found: dict[str, list[measure.Timing]]) -> str:
    reference = next(iter(found))
    rows = []
    for name, timings in found.items():
        rate = measure.median([timing.per_second for timing in timings])
        shares = [own.per_second / ref.per_second for own, ref in zip(timings, found[reference], strict=True)]
        p50, p99 = (measure.median([timing.percentile(share) for timing in timings]) for share in (0.5, 0.99))
        rows.append((name, f"{rate:,.0f}/s", f"{p50:.3f} ms", f"{p99:.3f} ms", f"{measure.median(shares):.0%}"))
    title = f"A warm heartbeat, {SERVICES:,} services, all on one core (median of {ROUNDS} × {COUNT:,})"
    return measure.table(title, ("what", "rate", "p50", "p99", "of the reference"), rows)


def _names() -> itertools.cycle[str]:
    """Services all over the table, so that no single row is hot."""
    return itertools.cycle(f"service-{(number * 7919) % SERVICES + 1}" for number in range(SERVICES))


def _bare(connection: psycopg.Connection[tuple[object, ...]]) -> Callable[[], object]:
    names = _names()
    api_key_id, version = connection.execute("SELECT api_key_id, version FROM medic.api_keys").fetchone() or (0, 0)

    def call() -> object:
        values = {
            "name_key": name_key(next(names)),
            "service_id": None,
            "ping_id": None,
            "ping_key": None,
            "slug": None,
            "key_id": "benchadmin",
            "api_key_id": api_key_id,
            "key_version": version,
            "health": "up",
            "is_ping": False,
            "signal_id": uuid4(),
            "kind": "UP",
            "exit_status": None,
            "body": None,
            "remote_address": "127.0.0.1",
            "user_agent": "bench",
        }
        return connection.execute(service_states.RECORD, values).fetchone()

    return call


def _posted(handler: Callable[..., dict[str, object]]) -> Callable[[], object]:
    bodies = ({"heartbeat_name": name, "status": "UP"} for name in itertools.islice(_names(), EVENTS))
    key = {"x-api-key": KEY}
    return _called(handler, [gateway_event("POST", "/heartbeat", body, key) for body in bodies], 201)


def _pinged(
    handler: Callable[..., dict[str, object]], connection: psycopg.Connection[tuple[object, ...]]
) -> Callable[[], object]:
    ids = connection.execute("SELECT ping_id FROM medic.services WHERE service_id % 7 = 0").fetchall()
    return _called(handler, [gateway_event("GET", f"/ping/{ping_id}", None, {}) for (ping_id,) in ids[:EVENTS]], 200)


def _called(
    handler: Callable[..., dict[str, object]], events: list[dict[str, Any]], status: int
) -> Callable[[], object]:
    """Calls the handler with one event after the other, as the runtime would, and wants this answer."""
    following, context = itertools.cycle(events), LambdaContext()

    def call() -> object:
        answer = handler(next(following), context)
        if answer["statusCode"] != status:
            raise RuntimeError(answer)
        return answer

    return call
