"""What Postgres takes: the heartbeat's handler in more and more processes, beside pgbench with the same statement."""

from __future__ import annotations

import importlib
import itertools
import multiprocessing
import os
import re
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from bench import database, heartbeats, measure, pgbench, processors
from bench.heartbeats import KEY, SERVICES
from medic_core.adapters import hashing
from medic_core.flows.keys import ensure_admin_key
from medic_core.store.connection import Database
from tests.fixtures.functions import LambdaContext, gateway_event

PROCESSES = (1, 2, 4, 8)
SECONDS = 4
PATIENCE_SECONDS = 60
#: Looked at so often.
EVERY_SECONDS = 0.02
TOTALS = """
SELECT (SELECT sum(xact_commit) FROM pg_stat_database)::float8, (SELECT wal_bytes FROM pg_stat_wal)::float8,
       (SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal')::float8
"""
#: Of each process of the server: what it waits for, where it is a session that is at work.
PROCESSES_NOW = """
SELECT pid, CASE WHEN state = 'active' AND backend_type = 'client backend'
                 THEN COALESCE(wait_event_type || ': ' || wait_event, 'running') END
  FROM pg_stat_activity WHERE pid <> pg_backend_pid()
"""
NOTE = """
Sessions were looked at every 20 ms: `WalSync` is a commit that waits for the log to be on disk, `WALWrite` one that
waits behind it, to be flushed with the next. The last row is what the machine does where nobody waits for the disk.
"""


@dataclass
class Watched:
    """What Postgres did meanwhile, by itself."""

    seconds: float = 0.0
    commits: float = 0.0
    wal_bytes: float = 0.0
    fsyncs: float = 0.0
    waits: Counter[str] = field(default_factory=Counter)
    #: Of each of its processes, as it was seen first and last.
    used: dict[int, tuple[float, float]] = field(default_factory=dict)

    @property
    def cores(self) -> float:
        return sum(last - first for first, last in self.used.values()) / self.seconds

    @property
    def mostly(self) -> str:
        """What its sessions were at most often, and how often."""
        total = sum(self.waits.values()) or 1
        return ", ".join(f"{what} {number / total:.0%}" for what, number in self.waits.most_common(3))


@dataclass(frozen=True)
class Row:
    """So many at once: how fast they were, and what it took."""

    what: str
    at_once: int
    per_second: float
    p50: str
    p99: str
    client_cores: float
    postgres: Watched


def report() -> str:
    with database.fresh() as url:
        database.fill(url, SERVICES)
        own = Database(url)
        ensure_admin_key(own, KEY, hashing)
        own.close()
        rows = [_handlers(url, number) for number in PROCESSES]
        if program := pgbench.program():
            rows += [_pgbench(program, url, number) for number in PROCESSES]
            rows.append(_pgbench(program, url, PROCESSES[-1], {"PGOPTIONS": "-c synchronous_commit=off"}))
    shown = [
        (
            row.what, row.at_once, f"{row.per_second:,.0f}/s", row.p50, row.p99, f"{row.client_cores:.2f}",
            f"{row.postgres.cores:.2f}", f"{row.postgres.commits / max(1, row.postgres.fsyncs):.1f}",
            f"{row.postgres.wal_bytes / max(1, row.postgres.commits):,.0f}", row.postgres.mostly,
        )
        for row in rows
    ]  # fmt: skip
    columns = (
        "what", "at once", "rate", "p50", "p99", "its cores", "Postgres's cores", "commits per fsync",
        "WAL bytes per commit", "what sessions were at",
    )  # fmt: skip
    title = f"Heartbeats without HTTP, {SERVICES:,} services, {SECONDS} s each, {os.cpu_count()} cores"
    return measure.table(title, columns, shown) + NOTE


@contextmanager
def _watching(url: str) -> Iterator[Watched]:
    """Filled in at the end, but for the waits, which are looked at all the time."""
    found, is_over = Watched(), threading.Event()
    with psycopg.connect(url, autocommit=True) as connection:
        before, began = _totals(connection), time.monotonic()
        looking = threading.Thread(target=_look, args=(url, found, is_over))
        looking.start()
        try:
            yield found
        finally:
            is_over.set()
            looking.join()
        found.seconds = time.monotonic() - began
        # Each session tells the others of its figures when it is idle for a while, or ends.
        time.sleep(1)
        after = _totals(connection)
        found.commits, found.wal_bytes, found.fsyncs = (now - then for now, then in zip(after, before, strict=True))


def _look(url: str, found: Watched, is_over: threading.Event) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        while not is_over.wait(EVERY_SECONDS):
            for process, wait in connection.execute(PROCESSES_NOW).fetchall():
                found.waits.update([wait] if wait else [])
                used = processors.seconds_of_all([process])
                found.used[process] = (found.used.get(process, (used, used))[0], used)


def _totals(connection: psycopg.Connection[Any]) -> tuple[float, ...]:
    return tuple(connection.execute(TOTALS).fetchone() or ())


def _handlers(url: str, number: int) -> Row:
    os.environ.update(
        DATABASE_URL=url, REDIS_URL="", MEDIC_KEY_CACHE_SECRET="bench", RATE_LIMIT_HEARTBEAT_REQUESTS="1000000"
    )
    context = multiprocessing.get_context("spawn")
    results, start, end = context.Queue(), context.Barrier(number + 1), context.Barrier(number + 1)
    processes = [context.Process(target=_handle, args=(one, results, start, end)) for one in range(number)]
    for process in processes:
        process.start()
    start.wait(PATIENCE_SECONDS)
    with _watching(url) as watched:
        found = [results.get(timeout=PATIENCE_SECONDS) for _ in processes]
    end.wait(PATIENCE_SECONDS)
    for process in processes:
        process.join()
    timing = measure.Timing([seconds for timings, _ in found for seconds in timings])
    return Row(
        "the handler, each in a process",
        number,
        len(timing.seconds) / SECONDS,
        f"{timing.percentile(0.5):.2f} ms",
        f"{timing.percentile(0.99):.2f} ms",
        sum(used for _, used in found) / SECONDS,
        watched,
    )


def _handle(number: int, results: Any, start: Any, end: Any) -> None:
    """One process: calls its handler for as long as is asked, and stays connected until all have."""
    ingest = importlib.import_module("ingest")
    names = (f"service-{(number * 12_347 + one * 7919) % SERVICES + 1}" for one in itertools.count())
    _called(ingest.handler, next(names))
    start.wait(PATIENCE_SECONDS)
    timings, until, used = [], time.monotonic() + SECONDS, time.process_time()
    while (began := time.monotonic()) < until:
        _called(ingest.handler, next(names))
        timings.append(time.monotonic() - began)
    results.put((timings, time.process_time() - used))
    end.wait(PATIENCE_SECONDS)
    ingest.DATABASE.close()


def _called(handler: Callable[..., dict[str, Any]], name: str) -> None:
    event = gateway_event("POST", "/heartbeat", {"heartbeat_name": name, "status": "UP"}, {"x-api-key": KEY})
    answer = handler(event, LambdaContext())
    if answer["statusCode"] != 201:
        raise RuntimeError(answer)


def _pgbench(program: str, url: str, number: int, options: dict[str, str] | None = None) -> Row:
    with psycopg.connect(url, autocommit=True) as connection, tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(heartbeats.script(heartbeats.values_of(connection)))
        file.flush()
        how = ["-n", "-M", "prepared", "-c", number, "-j", min(number, 2), "-T", SECONDS, "-f", file.name]
        used = os.times()
        with _watching(url) as watched:
            said = subprocess.run(
                [str(word) for word in (program, *how, url)],
                env={**os.environ, **(options or {})},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        after = os.times()
    rate = float(re.search(r"tps = ([\d.]+)", said)[1])  # type: ignore[index]
    latency = float(re.search(r"latency average = ([\d.]+)", said)[1])  # type: ignore[index]
    client = after.children_user + after.children_system - used.children_user - used.children_system
    what = f"pgbench, the same statement{', commits not awaited' if options else ''}"
    return Row(what, number, rate, f"{latency:.2f} ms (mean)", "", client / SECONDS, watched)
