"""The warm heartbeat through its handler, against what it is made of: a round trip, a commit, its statement."""

from __future__ import annotations

import importlib
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from bench import database, measure, pgbench, processors
from medic_core.adapters import hashing
from medic_core.api import answers
from medic_core.domain.watching.names import name_key
from medic_core.flows.keys import ensure_admin_key
from medic_core.store import recording
from medic_core.store.connection import POOLED, Database
from tests.builders import watch_statements
from tests.fixtures.functions import LambdaContext, gateway_event

KEY = "mdk_benchadmin_" + "b" * 43
SERVICES = 100_000
COUNT, ROUNDS = 1000, 5
EVENTS = 10_000


#: What each is a share of.
STATEMENT = "the statement through psycopg"
UNPREPARED = "the same, nothing prepared, as behind a proxy"
#: Often and little, so that all meet the same neighbours.
SHORT, SHORT_ROUNDS = 50, 40
ROUND_TRIP = "SELECT 1"
COMMIT = "UPDATE medic.service_state SET last_heartbeat_at = now() WHERE service_id = %(service_id)s"
#: Of the server: bytes of WAL, rows of the hot table that were changed, and those of them that no index heard of.
WRITTEN = """
SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn, n_tup_upd, n_tup_hot_upd
  FROM pg_stat_user_tables WHERE relid = 'medic.service_state'::regclass
"""


def report() -> str:
    disks = {"": None, ", without a disk to wait for": database.MEMORY}
    tables = [_measured(how, disk) for how, disk in disks.items() if disk is None or disk.exists()]
    missing = "" if pgbench.program() else "Not measured: pgbench, which is not installed here.\n"
    return "\n".join([*tables, missing])


def _measured(how: str, disk: Path | None) -> str:
    with measure.one_core(), database.fresh(disk) as url, ExitStack() as opened:
        database.fill(url, SERVICES)
        own = Database(url)
        ensure_admin_key(own, KEY, hashing)
        own.close()
        os.environ.update(
            DATABASE_URL=url, REDIS_URL="", MEDIC_KEY_CACHE_SECRET="bench", RATE_LIMIT_HEARTBEAT_REQUESTS="1000000"
        )
        sys.modules.pop("ingest", None)
        ingest = importlib.import_module("ingest")
        bare, behind = (opened.enter_context(psycopg.connect(url, autocommit=True)) for _ in range(2))
        behind.prepare_threshold = POOLED["prepare_threshold"]
        found = measure.in_turn(_runs(url, ingest.handler, bare, behind), COUNT, ROUNDS)
        work = _work(ingest, bare, behind) if sys.platform == "linux" else ""
        statements = watch_statements(ingest.DATABASE)
        _posted(ingest.handler)()
        ingest.DATABASE.close()
        written = _written(bare, values_of(bare))
    title = f"A warm heartbeat, {SERVICES:,} services, all on one core{how} (median of {ROUNDS} × {COUNT:,})"
    columns = (*measure.COMPARED[:-1], "× the statement")
    table = measure.table(title, columns, measure.compared(found, STATEMENT))
    counted = f"Statements per warm heartbeat: **{len(statements)}** (budget: 1)"
    return f"{table}\n{work}\n{counted}; of the statement's rate the handler is to have 0.60 ×. {written}\n"


def _work(ingest: Any, bare: Connection, behind: Connection) -> str:
    """What each does by itself, whatever else the machine does."""
    handlers = ingest.DATABASE._ready()
    sides = {
        "a round trip: SELECT 1": (_once(bare, ROUND_TRIP), bare),
        "a commit: one row updated by its key": (_updated(bare), bare),
        STATEMENT: (_recorded(bare, values_of(bare)), bare),
        UNPREPARED: (_recorded(behind, values_of(bare)), behind),
        "POST /heartbeat through its handler": (_posted(ingest.handler), handlers),
        "GET /ping/{uuid} through its handler": (_pinged(ingest.handler, bare), handlers),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for _ in range(SHORT_ROUNDS):
        for name, (call, connection) in sides.items():
            found[name].append(processors.worked(call, connection.info.backend_pid, SHORT))
    whole = {name: measure.median([sum(one) for one in each]) for name, each in found.items()}
    rows = [
        (
            name,
            *(f"{measure.median(part):,.0f}" for part in zip(*each, strict=True)),
            f"{whole[STATEMENT] / whole[name]:.2f}",
        )
        for name, each in found.items()
    ]
    title = f"The same by processor time (median of {SHORT_ROUNDS} × {SHORT})"
    return measure.table(title, ("what", "here, µs", "in the server, µs", "× the statement's rate"), rows)


Connection = psycopg.Connection[tuple[object, ...]]


def _runs(
    url: str, handler: Callable[..., answers.Answer], bare: Connection, behind: Connection
) -> dict[str, measure.Run]:
    """From what every call must cost to the whole heartbeat."""
    values = values_of(bare)
    return {
        "a round trip: SELECT 1": measure.calling(_once(bare, ROUND_TRIP)),
        "a commit: one row updated by its key": measure.calling(_updated(bare)),
        **_through_pgbench(url, values),
        STATEMENT: measure.calling(_recorded(bare, values)),
        UNPREPARED: measure.calling(_recorded(behind, values)),
        "a handler that does nothing": measure.calling(_posted(no_operation, 200)),
        "POST /heartbeat through its handler": measure.calling(_posted(handler)),
        "GET /ping/{uuid} through its handler": measure.calling(_pinged(handler, bare)),
    }


def no_operation(event: dict[str, Any], context: object) -> answers.Answer:  # noqa: ARG001
    """A handler that does nothing: what calling one costs."""
    return {"statusCode": 200, "headers": {}, "body": ""}


def _once(connection: Connection, statement: str) -> Callable[[], object]:
    return lambda: connection.execute(statement).fetchone()


def _updated(connection: Connection) -> Callable[[], object]:
    ids = itertools.cycle(numbers())
    return lambda: connection.execute(COMMIT, {"service_id": next(ids)})


def script(values: dict[str, object]) -> str:
    """The statement for pgbench, with a service at random each time."""
    literals = {name: "NULL" if value is None else f"'{value}'" for name, value in values.items()}
    literals |= {"name_key": "'service-' || :number", "signal_id": "gen_random_uuid()"}
    return pgbench.as_script(recording.RECORD, literals, SERVICES)


def _through_pgbench(url: str, values: dict[str, object]) -> dict[str, measure.Run]:
    path = pgbench.program()
    return {} if path is None else pgbench.runs(path, url, script(values), "the statement, pgbench")


def _written(connection: Connection, values: dict[str, object]) -> str:
    """What a heartbeat writes; where a checkpoint was just before, whole pages are in it."""

    def measured() -> tuple[int, int, int]:
        connection.execute("SELECT pg_stat_force_next_flush()")
        wal, changed, hot = connection.execute(WRITTEN).fetchone() or (0, 0, 0)
        return int(str(wal)), int(str(changed)), int(str(hot))

    record = _recorded(connection, values)
    before = measured()
    for _ in range(COUNT):
        record()
    wal, changed, hot = (now - then for now, then in zip(measured(), before, strict=True))
    return f"WAL of one: **{wal / COUNT:,.0f} bytes**. Of {changed:,} updates {hot:,} were heap-only."


def numbers() -> Iterator[int]:
    """Services all over the table, so that no single row is hot."""
    return ((number * 7919) % SERVICES + 1 for number in range(SERVICES))


def _names() -> itertools.cycle[str]:
    return itertools.cycle(f"service-{number}" for number in numbers())


def values_of(connection: Connection) -> dict[str, object]:
    """What is sent with the statement, but for what differs each time."""
    api_key_id, version = connection.execute("SELECT api_key_id, version FROM medic.api_keys").fetchone() or (0, 0)
    return {
        "service_id": None,
        "ping_id": None,
        "ping_key": None,
        "slug": None,
        "key_id": "benchadmin",
        "api_key_id": api_key_id,
        "key_version": version,
        "health": "up",
        "is_ping": False,
        "kind": "UP",
        "exit_status": None,
        "body": None,
        "remote_address": "127.0.0.1",
        "user_agent": "bench",
    }


def _recorded(connection: Connection, values: dict[str, object]) -> Callable[[], object]:
    names = _names()

    def call() -> object:
        given = values | {"name_key": name_key(next(names)), "signal_id": uuid4()}
        return connection.execute(recording.RECORD, given).fetchone()

    return call


def _posted(handler: Callable[..., answers.Answer], status: int = 201) -> Callable[[], object]:
    bodies = ({"heartbeat_name": name, "status": "UP"} for name in itertools.islice(_names(), EVENTS))
    key = {"x-api-key": KEY}
    return _called(handler, [gateway_event("POST", "/heartbeat", body, key) for body in bodies], status)


def _pinged(handler: Callable[..., answers.Answer], connection: Connection) -> Callable[[], object]:
    ids = connection.execute("SELECT ping_id FROM medic.services WHERE service_id % 7 = 0").fetchall()
    return _called(handler, [gateway_event("GET", f"/ping/{ping_id}", None, {}) for (ping_id,) in ids[:EVENTS]], 200)


def _called(handler: Callable[..., answers.Answer], events: list[dict[str, Any]], status: int) -> Callable[[], object]:
    """Calls the handler with one event after the other, as the runtime would, and wants this answer."""
    following, context = itertools.cycle(events), LambdaContext()

    def call() -> object:
        answer = handler(next(following), context)
        if answer["statusCode"] != status:
            raise RuntimeError(answer)
        return answer

    return call
