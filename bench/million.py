"""What people and clients ask for, of a million services against a thousand: what it costs may not grow with them.

How a sweep does with a million is in `sweeps`.
"""

from __future__ import annotations

import io
import itertools
import os
import random
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial

import psycopg

from bench import dashboard, database, measure
from bench.heartbeats import KEY
from medic_core.adapters import hashing
from medic_core.flows.keys import ensure_admin_key
from medic_core.store import counting
from medic_core.store.connection import Database
from tests.builders import watch_statements
from tests.fixtures import functions as fixture
from tests.fixtures.dashboard import Dashboard
from tests.fixtures.functions import Functions, Reply

SIZES = (1_000, 1_000_000)
#: Each is called until a plan for any value could have been made of it, or for so long; then so often, or for so long.
FIRST_CALLS, CALLS = 12, 30
FIRST_SECONDS, SECONDS = 0.5, 1.0
FEWEST_CALLS = 2
LIMITS = {f"RATE_LIMIT_{name}_REQUESTS": "1000000" for name in ("HEARTBEAT", "METRICS", "PAGE", "MANAGEMENT")}
#: So many are in trouble, as many are favourites, others are paused, muted and degraded: a page full of each.
OF_EACH = 100
VARIETY = (
    "UPDATE medic.service_state SET health = 'down', alert_after = NULL, troubles = '{missed_heartbeat}'"
    " WHERE service_id %% %(every)s = 0 AND health = 'up'",
    "INSERT INTO medic.alerts (service_id, heartbeat_name, kind, status, priority, because, overdue_since, opened_at,"
    " told_at, counted_until)"
    " SELECT service_id, heartbeat_name, 'missed_heartbeat', 'open', priority, 'Not heard.', now(), now(), now(), now()"
    " FROM medic.services WHERE service_id %% %(every)s = 0 ON CONFLICT DO NOTHING",
    "INSERT INTO medic.alert_events (alert_id, event, at, because, consecutive_failures)"
    " SELECT alert_id, 'opened', opened_at, because, 1 FROM medic.alerts"
    " WHERE alert_id NOT IN (SELECT alert_id FROM medic.alert_events)",
    "UPDATE medic.services SET priority = 'p1', tags = '{eu}', team_id = (SELECT min(team_id) FROM medic.teams)"
    " WHERE service_id %% %(every)s = 1 AND tags = '{}'",
    "UPDATE medic.services SET paused_at = now() WHERE service_id %% %(every)s = 2 AND paused_at IS NULL",
    "UPDATE medic.services SET muted_at = now(), muted_until = now() + interval '1 day'"
    " WHERE service_id %% %(every)s = 3 AND muted_until IS NULL",
    "UPDATE medic.service_state SET health = 'degraded', degraded = true"
    " WHERE service_id %% %(every)s = 4 AND health = 'up'",
    "VACUUM ANALYZE medic.services, medic.service_state, medic.alerts, medic.alert_events",
)
#: Asked of the management function with a key.
READ = (
    "/service", "/service?active=0", "/service?service_name=service-500", "/service/service-500",
    "/v2/services", "/v2/services?sort=heartbeat_name", "/v2/services?sort=-last_heartbeat_at",
    "/v2/services?sort=next_deadline_at", "/v2/services?sort=priority", "/v2/services?sort=status",
    "/v2/services?sort=-created_at", "/v2/services?status=down", "/v2/services?status=late",
    "/v2/services?status=degraded&sort=heartbeat_name", "/v2/services?active=false", "/v2/services?muted=true",
    "/v2/services?priority=p1", "/v2/services?tag=eu", "/v2/services?team=million", "/v2/services?name=service-5*",
    "/v2/services?name=*nobody*",
    "/alerts", "/alerts?active=1", "/v2/alerts?active=true&priority=p3", "/heartbeat",
    "/heartbeat?heartbeat_name=service-500", "/metrics",
)  # fmt: skip
#: Looked at by somebody who is signed in.
PAGES = (
    "/ui", "/ui/services", "/ui/services?status=down", "/ui/services?sort=-last_heartbeat_at", "/ui/services?name=99",
    "/ui/services?sort=priority", "/ui/alerts",
)  # fmt: skip
NOTE = """
There is no index of what every heartbeat changes, because each would have to write into it: sorted by the last
heartbeat, the next deadline or the status, and looked through for who is late, all services are read. So they are for a
part of a name that may begin anywhere.
"""
Costs = tuple[measure.Timing, int]


def report() -> str:
    with database.fresh() as url:
        own = Database(url)
        ensure_admin_key(own, KEY, hashing)
        with own.autocommit() as connection:
            connection.execute("INSERT INTO medic.teams (name, name_key, ping_key) VALUES ('million', 'million', 'x')")
        own.close()
        os.environ.update(dashboard.ENVIRONMENT | LIMITS | {"DATABASE_URL": url})
        fixture._forget()
        # What the functions count for CloudWatch is not for whoever reads this.
        with redirect_stdout(io.StringIO()):
            found = {size: _costs(url, size) for size in SIZES}
        fixture._forget()
    few, many = (found[size] for size in SIZES)
    rows = [(f"`{what}`", *_cells(few[what], many[what])) for what in few]
    times = (f"{size:,}, {what}" for size in SIZES for what in ("p50", "p99"))
    title = f"Of {SIZES[-1]:,} services against {SIZES[0]:,}, through the handlers (up to {CALLS} calls of each)"
    return measure.table(title, ("what", "statements", *times, "ratio of p50"), rows) + NOTE


def _cells(few: Costs, many: Costs) -> list[str]:
    middles = [timing.percentile(0.5) for timing, _ in (few, many)]
    times = [f"{timing.percentile(share):,.1f} ms" for timing, _ in (few, many) for share in (0.5, 0.99)]
    return [str(many[1]), *times, f"{middles[1] / middles[0]:.1f} ×"]


def _costs(url: str, size: int) -> dict[str, Costs]:
    """What each call takes with so many services, and how many statements."""
    print(f"  filling {size:,} services …", file=sys.stderr, flush=True)
    database.fill(url, size)
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in VARIETY:
            connection.execute(statement, {"every": size // OF_EACH})
        with connection.transaction():
            counting.measure(connection)
    functions = Functions(None, None, None, None)  # type: ignore[arg-type]
    databases = [functions.module(name).DATABASE for name in ("ingest", "door")]
    calls = _calls(functions, size)
    timings = {what: _timed(call) for what, call in calls.items()}
    # Afterwards: to listen costs something.
    heard = [watch_statements(one) for one in databases]
    found = {what: (timings[what], _statements(call, heard)) for what, call in calls.items()}
    for one in databases:
        one.close()
    return found


def _statements(call: Callable[[], object], heard: list[list[str]]) -> int:
    before = sum(map(len, heard))
    call()
    return sum(map(len, heard)) - before


def _calls(functions: Functions, size: int) -> dict[str, Callable[[], object]]:
    numbers = itertools.count()
    chosen = random.Random(size)
    # Of those that are well.
    names = (f"service-{chosen.randrange(5, size, size // OF_EACH)}" for _ in itertools.count())
    new = (f"new-{size}-{number}" for number in numbers)
    browser = Dashboard(functions)
    browser.sign_in(KEY)

    def registered() -> Reply:
        schedule = {"kind": "interval", "every_seconds": 60}
        return functions.api("POST", "/v2/services", {"heartbeat_name": next(new), "schedule": schedule}, KEY)

    def registered_by_v1() -> Reply:
        name = next(new)
        body = {"heartbeat_name": name, "service_name": name, "alert_interval": 1}
        return functions.api("POST", "/service", body, KEY)

    calls: dict[str, Callable[[], Reply]] = {
        "POST /heartbeat": lambda: functions.heartbeat({"heartbeat_name": next(names), "status": "UP"}, KEY),
        "POST /service": registered_by_v1,
        "POST /v2/services": registered,
        **{f"GET {path}": partial(functions.api, "GET", path, None, KEY) for path in READ},
        **{f"GET {path}": partial(browser.get, path) for path in PAGES},
    }
    return {what: partial(_answered, call) for what, call in calls.items()}


def _answered(call: Callable[[], Reply]) -> None:
    reply = call()
    if reply.status not in {200, 201}:
        raise RuntimeError(reply)


def _timed(call: Callable[[], object]) -> measure.Timing:
    _repeated(call, FIRST_CALLS, FIRST_SECONDS)
    return measure.Timing(_repeated(call, CALLS, SECONDS))


def _repeated(call: Callable[[], object], most: int, seconds: float) -> list[float]:
    found: list[float] = []
    while len(found) < FEWEST_CALLS or (len(found) < most and sum(found) < seconds):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return found
