"""The dashboard: how long each page lets people wait, with 10,000 services and all that comes with them."""

from __future__ import annotations

import os
from functools import partial

from bench import database, measure
from bench.heartbeats import KEY
from medic_core.adapters import hashing
from medic_core.flows.keys import ensure_admin_key
from medic_core.store.connection import Database
from tests.fixtures.crowds import gather
from tests.fixtures.dashboard import Dashboard
from tests.fixtures.functions import Functions
from tests.fixtures.pages import PageOf, pages_of

SERVICES = 10_000
COUNT, ROUNDS = 20, 3
#: What a page about one thing is about, where the first one of its kind is not meant.
IDS = {"version": 1, "page": "crowd", "service": "worker-number-7"}
#: It asks the queue how it does, and is as slow as that.
LEFT_OUT = ("/ui/settings",)
#: Lists as they are looked for, besides as they begin.
ALSO = (
    "/ui/services?status=down", "/ui/services?name=number+99", "/ui/services?sort=-last_heartbeat_at",
    "/ui/services?tag=eu&priority=p1", "/ui/alerts?active=1",
)  # fmt: skip
ENVIRONMENT = {
    "REDIS_URL": "", "MEDIC_KEY_CACHE_SECRET": "bench", "RATE_LIMIT_MANAGEMENT_REQUESTS": "1000000",
    "RATE_LIMIT_PAGE_REQUESTS": "1000000",
    "MEDIC_BASE_URL": "http://medic.bench", "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "POWERTOOLS_METRICS_DISABLED": "true",
}  # fmt: skip


def report() -> str:
    with measure.one_core(), database.fresh() as url:
        gather(url, SERVICES)
        own = Database(url)
        ensure_admin_key(own, KEY, hashing)
        os.environ.update(ENVIRONMENT | {"DATABASE_URL": url})
        # Nothing is sent to anybody: there are no queues.
        functions = Functions(None, None, None, None)
        dashboard = Dashboard(functions)
        dashboard.sign_in(KEY)
        pages = [*pages_of(functions, own, IDS), *(PageOf(path, path, path) for path in ALSO)]
        calls = {page.rule: partial(_get, dashboard, page) for page in pages if page.rule not in LEFT_OUT}
        found = measure.alternated(calls, COUNT, ROUNDS)
        own.close()
        functions.module("door").DATABASE.close()
    rows = [
        (f"`{rule}`", *(f"{_middle(timings, share):.1f} ms" for share in (0.5, 0.95)))
        for rule, timings in sorted(found.items())
    ]
    title = f"Pages of the dashboard, {SERVICES:,} services, until the first byte (median of {ROUNDS} × {COUNT})"
    return measure.table(title, ("page", "p50", "p95"), rows)


def _middle(timings: list[measure.Timing], share: float) -> float:
    return measure.median([one.percentile(share) for one in timings])


def _get(dashboard: Dashboard, page: PageOf) -> None:
    reply = dashboard.get(page.path)
    if reply.status != 200:
        raise RuntimeError((page, reply))
