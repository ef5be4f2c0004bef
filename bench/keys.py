"""What API keys and rate limits cost a heartbeat: many keys, first use, the limiter's forms, part by part."""

from __future__ import annotations

import importlib
import itertools
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import psycopg

from bench import database, distance, measure
from local import servers
from medic_core.adapters import hashing
from medic_core.api import answers
from medic_core.api.limits import Limits
from medic_core.api.request import Request
from medic_core.domain.access.api_keys import VerifiedKey
from medic_core.domain.access.rate_limits import DEFAULTS, HIGHEST, Endpoints, Verdict
from medic_core.flows.keys import ensure_admin_key
from medic_core.store.connection import Database
from tests.fixtures.functions import LambdaContext, gateway_event

KEY = "mdk_benchadmin_" + "b" * 43
SERVICES, COUNT, ROUNDS, EVENTS = 10_000, 1500, 5, 5000
FIRST_USES = 30
FAR_MILLISECONDS = 1
MANY_KEYS = """
WITH made AS (
    INSERT INTO medic.api_keys (name, scopes)
    SELECT 'key ' || n, '{heartbeat}' FROM generate_series(1, %(count)s) AS n ON CONFLICT DO NOTHING
    RETURNING api_key_id
)
INSERT INTO medic.api_key_secrets (key_id, api_key_id, secret_hash)
SELECT 'key' || lpad(api_key_id::text, 8, '0'), api_key_id, %(secret_hash)s FROM made
"""


class Unlimited:
    """A limiter that admits whoever comes: what is left is everything else."""

    known = Verdict(admitted=True, limit=HIGHEST, remaining=HIGHEST, reset_seconds=0.0)

    def ask(self, caller: str, limit: int, *, takes: bool = True) -> Unlimited:  # noqa: ARG002
        return self

    def verdict(self) -> Verdict:
        return self.known


def report() -> str:
    with measure.one_core(), _filled() as url:
        ingest = _ingest(url, "")
        parts = [_many_keys(url, ingest), _first_use(ingest), _parts(ingest)]
        ingest.DATABASE.close()
    # Not on one core: waiting for two servers at once is what is looked at.
    with _filled() as url, _redis() as redis_url:
        parts.append(_limiters(url, redis_url, "on all cores"))
        if redis_url:
            with _far(url) as far_url, _far(redis_url) as far_redis:
                parts.append(_limiters(far_url, far_redis, f"database and Redis {FAR_MILLISECONDS} ms away"))
    return "\n".join(parts)


@contextmanager
def _filled() -> Iterator[str]:
    with database.fresh() as url:
        database.fill(url, SERVICES)
        own = Database(url)
        ensure_admin_key(own, KEY, hashing)
        own.close()
        yield url


@contextmanager
def _redis() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="medic-bench-redis-") as folder:
        found = servers.redis(Path(folder))
        if found is None:
            yield ""
            return
        found[0].start()
        yield found[1]
        found[0].stop()


def _ingest(url: str, redis_url: str) -> ModuleType:
    """The heartbeat function as it is loaded with these settings, apart from any other."""
    os.environ.update(
        DATABASE_URL=url,
        REDIS_URL=redis_url,
        MEDIC_KEY_CACHE_SECRET="bench",
        RATE_LIMIT_HEARTBEAT_REQUESTS=str(HIGHEST),
    )
    sys.modules.pop("ingest", None)
    return importlib.import_module("ingest")


def _events() -> list[dict[str, Any]]:
    names = (f"service-{(number * 7919) % SERVICES + 1}" for number in range(EVENTS))
    return [
        gateway_event("POST", "/heartbeat", {"heartbeat_name": name, "status": "UP"}, {"x-api-key": KEY})
        for name in names
    ]


def _posted(handler: Callable[..., dict[str, object]]) -> Callable[[], object]:
    following, context = itertools.cycle(_events()), LambdaContext()

    def call() -> object:
        answer = handler(next(following), context)
        if answer["statusCode"] != 201:
            raise RuntimeError(answer)
        return answer

    return call


def _many_keys(url: str, ingest: ModuleType) -> str:
    """The table grows between rounds, so each size is compared with the first of the same run."""
    found: dict[str, list[measure.Timing]] = {}
    call = _posted(ingest.handler)
    for count in (1, 10, 1000):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(MANY_KEYS, {"count": count - 1, "secret_hash": hashing.NOBODYS})
            connection.execute("VACUUM ANALYZE medic.api_keys")
            connection.execute("VACUUM ANALYZE medic.api_key_secrets")
            ((keys,),) = connection.execute("SELECT count(*) FROM medic.api_keys").fetchall()
        found[f"{keys:,} keys in the table"] = [measure.timed(call, COUNT) for _ in range(ROUNDS)]
    return measure.table("POST /heartbeat, by the number of API keys", measure.COMPARED, measure.compared(found))


def _first_use(ingest: ModuleType) -> str:
    call = _posted(ingest.handler)

    def first() -> object:
        ingest.KEYS.cache._kept.clear()
        return call()

    found = measure.alternated({"a key that was seen lately": call, "its first use": first}, FIRST_USES, ROUNDS)
    return measure.table(
        "POST /heartbeat, first use of a key and later ones", measure.COMPARED, measure.compared(found)
    )


@contextmanager
def _far(url: str) -> Iterator[str]:
    """The same server, a network away."""
    port = urlsplit(url).port
    assert port is not None
    with distance.away(port, FAR_MILLISECONDS) as other:
        yield url.replace(f":{port}", f":{other}")


def _limiters(url: str, redis_url: str, how: str) -> str:
    ingest = _ingest(url, "")
    limited = _posted(ingest.handler)
    own = ingest.LIMITS

    def off() -> object:
        ingest.LIMITS = unlimited
        try:
            return limited()
        finally:
            ingest.LIMITS = own

    unlimited = Limits(Unlimited(), DEFAULTS)
    calls = {"no limiter": off, "limits in memory": limited}
    loaded = [ingest]
    if redis_url:
        for name, address in (
            ("limits in Redis, its answer awaited beside the database's", redis_url),
            ("limits in Redis, its answer awaited first", redis_url),
            ("Redis away", "redis://127.0.0.1:1/0"),
        ):
            module = _ingest(url, address)
            loaded.append(module)
            if name.endswith("first"):
                module.LIMITS._limiter._is_roomy = lambda caller: False  # noqa: ARG005
            calls[name] = _posted(module.handler)
    found = measure.alternated(calls, COUNT, ROUNDS)
    for module in loaded:
        module.DATABASE.close()
        module.REDIS.close()
    return measure.table(f"POST /heartbeat, by where limits are kept, {how}", measure.COMPARED, measure.compared(found))


def _parts(ingest: ModuleType) -> str:
    """Each part alone, as often: what is left of the whole is what passes between them."""
    events = itertools.cycle(_events())
    request = Request.from_event(next(events))
    key: VerifiedKey = ingest.KEYS.remembered(request.headers, lambda: None)
    whole, answer = _posted(ingest.handler), answers.enveloped("Heartbeat Posted Successfully.", status=201)
    calls: dict[str, Callable[[], object]] = {
        "all of it": whole,
        "reading the event": lambda: Request.from_event(next(events)),
        "the key, remembered": lambda: ingest.KEYS.remembered(request.headers, lambda: None),
        "the limit, in memory": lambda: ingest.LIMITS.of_key(Endpoints.HEARTBEAT, key).stamped(answer),
        "reading the signal": lambda: ingest.bodies.heartbeat(request),
        "the statement and what it says": lambda: ingest._take(request, ingest.bodies.heartbeat(request), key),
        "the answer": lambda: answers.enveloped("Heartbeat Posted Successfully.", status=201),
    }
    found = measure.alternated(calls, COUNT, ROUNDS)
    total = measure.median([timing.percentile(0.5) * 1000 for timing in found["all of it"]])
    rows = []
    for name, timings in found.items():
        p50 = [timing.percentile(0.5) * 1000 for timing in timings]
        rows.append((name, measure.spread(p50, ".1f"), f"{measure.median(p50) / total:.1%}"))
    return measure.table("POST /heartbeat, part by part (median)", ("part", "p50, µs", "share"), rows)
