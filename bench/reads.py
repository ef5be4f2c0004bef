"""One service read through the API, next to the statement that it makes."""

from __future__ import annotations

import importlib
import io
import itertools
import os
from collections.abc import Callable
from contextlib import redirect_stdout

import psycopg

from bench import database, heartbeats, measure
from bench.dashboard import ENVIRONMENT
from medic_core.adapters import hashing
from medic_core.flows.keys import ensure_admin_key
from medic_core.store import services
from medic_core.store.connection import Database
from tests.fixtures.functions import Functions, LambdaContext, gateway_event, key_header

SERVICES, COUNT, ROUNDS = 100_000, 400, 5


def report() -> str:
    with measure.one_core(), database.fresh() as url:
        database.fill(url, SERVICES)
        own = Database(url)
        ensure_admin_key(own, heartbeats.KEY, hashing)
        own.close()
        os.environ.update(ENVIRONMENT | {"DATABASE_URL": url})
        # Nothing is sent to anybody: there are no queues.
        management = Functions(None, None, None, None).module("management_api")  # type: ignore[arg-type]
        with psycopg.connect(url, autocommit=True) as bare:
            calls = {
                "its statement through psycopg": _read(bare),
                "a handler that does nothing": _got(heartbeats.no_operation),
                "GET /v2/services/{id} through its handler": _got(management.handler),
            }
            # What it counts for CloudWatch is for a log.
            with redirect_stdout(io.StringIO()):
                found = measure.alternated(calls, COUNT, ROUNDS)
        importlib.import_module("door").DATABASE.close()
    title = f"A service is read, one of {SERVICES:,}, all on one core (median of {ROUNDS} × {COUNT})"
    return measure.table(title, measure.COMPARED, measure.compared(found))


def _read(connection: psycopg.Connection[tuple[object, ...]]) -> Callable[[], object]:
    ids = itertools.cycle(heartbeats.numbers())
    return lambda: services.read(connection, service_id=next(ids))


def _got(handler: Callable[..., dict[str, object]]) -> Callable[[], object]:
    key, context = key_header(heartbeats.KEY), LambdaContext()
    paths = (f"/v2/services/{number}" for number in itertools.islice(heartbeats.numbers(), COUNT))
    events = itertools.cycle([gateway_event("GET", path, None, key) for path in paths])

    def call() -> object:
        answer = handler(next(events), context)
        if answer["statusCode"] != 200:
            raise RuntimeError(answer)
        return answer

    return call
