"""The router: notifications a second, from the sweep's commit to the first delivery, memory, and the route itself.

Receivers are a process of their own and answer at once. The queue is left out: its messages are handed over.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bench import database, measure
from medic_core.domain.alerting.alerts import Priority
from medic_core.domain.routing.route import Reachable, route
from medic_core.domain.routing.targets import Channel, ConfiguredTarget, Target
from medic_core.domain.routing.working_hours import DAYS, Period, WorkingHours, read_ranges
from medic_core.flows.relay import relay
from medic_core.flows.sweep import sweep
from medic_core.store.connection import Database

NOTIFICATIONS = 999
ONE_BY_ONE = 200
BATCH = 10
CADENCE = timedelta(hours=1)
CHANNELS = 3


def report() -> str:
    # The functions write their metrics to standard output.
    with database.fresh() as url, receivers() as environment, redirect_stdout(io.StringIO()):
        os.environ.update(environment | {"DATABASE_URL": url, "POWERTOOLS_LOG_LEVEL": "CRITICAL"})
        database.fill(url, NOTIFICATIONS + 1)
        seconds = _through_the_router(url)
        waits = _one_by_one(url)
        imported, queued = _memory(url)
    rate = NOTIFICATIONS / seconds
    return (
        measure.table(
            f"The router, {NOTIFICATIONS:,} notifications to {CHANNELS} targets each, in batches of {BATCH}",
            ("notifications", "deliveries", "memory with its modules", f"after {NOTIFICATIONS:,}"),
            [(f"{rate:,.0f}/s", f"{rate * CHANNELS:,.0f}/s", f"{imported:.0f} MB", f"{queued:.0f} MB")],
        )
        + "\n"
        + measure.table(
            f"From the sweep's commit to a delivery's arrival, without the queue ({ONE_BY_ONE} alerts, one by one)",
            ("p50", "p99"),
            [(f"{waits.percentile(0.5):.1f} ms", f"{waits.percentile(0.99):.1f} ms")],
        )
        + "\n"
        + _the_route()
    )


class HandedOver:
    """A queue that hands its messages over at once."""

    def __init__(self, handler: Any = None) -> None:
        self.handler, self.kept = handler, []  # type: ignore[var-annotated]

    def send(self, messages: Sequence[str], delay: timedelta = timedelta(0)) -> None:  # noqa: ARG002
        if self.handler is None:
            self.kept += messages
        else:
            self.handler({"Records": [record(message) for message in messages]}, None)


def record(body: str) -> dict[str, str]:
    return {"messageId": "m", "receiptHandle": "r", "body": body}


def _queued(url: str, due: int) -> list[str]:
    """Let so many fall silent; the messages that the router gets for it."""
    database.settle_down(url)
    own, queue = Database(url), HandedOver()
    sweep(own, 0, CADENCE)
    database.make_due(url, due)
    with own.autocommit() as connection:
        connection.execute(
            "INSERT INTO medic.heartbeat_events (service_id, received_at, signal_id, kind)"
            " SELECT max(service_id), now(), gen_random_uuid(), 'UP' FROM medic.services"
        )
    sweep(own, 0, CADENCE)
    relay(own, queue)
    own.close()
    return queue.kept


def _through_the_router(url: str) -> float:
    from notifications import handler  # noqa: PLC0415  (it reads the environment when it is loaded)

    messages = _queued(url, NOTIFICATIONS)
    began = time.perf_counter()
    for number in range(0, len(messages), BATCH):
        handler({"Records": [record(message) for message in messages[number : number + BATCH]]}, None)
    seconds = time.perf_counter() - began
    with Database(url).autocommit() as connection:
        found = connection.execute(
            "SELECT count(*) FROM medic.notification_deliveries WHERE status = 'success'"
        ).fetchone()
    assert found is not None
    assert len(messages) == NOTIFICATIONS
    assert found[0] == NOTIFICATIONS * CHANNELS, found
    return seconds


def _one_by_one(url: str) -> measure.Timing:
    from notifications import DATABASE, handler  # noqa: PLC0415

    own, waits = Database(url), []
    for _ in range(ONE_BY_ONE):
        database.settle_down(url)
        database.make_due(url, 1)
        sweep(own, 0, CADENCE)
        committed = time.time()
        relay(own, HandedOver(handler))
        with DATABASE.autocommit() as connection:
            (arrived,) = connection.execute(
                "SELECT (min(response_body)::json ->> 'at')::float FROM medic.notification_deliveries"
                " WHERE channel = 'webhook' AND status = 'success'"
            ).fetchone() or (None,)
        assert arrived is not None
        waits.append(arrived - committed)
    own.close()
    return measure.Timing(waits)


def _memory(url: str) -> tuple[float, float]:
    """Of a process of its own, in MB: with its modules, and after all of them."""
    messages = _queued(url, NOTIFICATIONS)
    code = "import sys, json; sys.path[:0] = json.loads(sys.argv[1]); from bench.routing import child; child()"
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(sys.path)],
        input=json.dumps(messages), capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported, after = json.loads(done.stdout.splitlines()[-1])
    return imported / 1024, after / 1024


def child() -> None:
    """A router that gets messages on standard input, and says how much memory it took."""
    from notifications import handler  # noqa: PLC0415

    imported = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    messages = json.load(sys.stdin)
    for number in range(0, len(messages), BATCH):
        handler({"Records": [record(message) for message in messages[number : number + BATCH]]}, None)
    print(json.dumps([imported, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))


def _the_route() -> str:
    office = {day: [{"start": "09:00", "end": "17:00"}] for day in DAYS[:5]}
    targets = tuple(
        ConfiguredTarget(
            Target(f"target:{number}", Channel.SLACK, "C"), number % 7, list(Period)[number % 3],
            [None, Priority.P1, Priority.P3][number % 3], number % 10 != 0,
        )
        for number in range(50)
    )  # fmt: skip
    hours = WorkingHours("Europe/Berlin", read_ranges(office), ("2026-12-31",))
    reachable = Reachable(targets, hours=hours)
    at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    found = measure.timed(lambda: route(reachable, Priority.P2, at), 5_000)
    micros = found.percentile(0.5) * 1000
    return measure.table("The route of a service with 50 targets and working hours", ("p50",), [(f"{micros:.0f} µs",)])


class _Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps({"ok": True, "ts": "1.1", "channel": "C1", "at": time.time()}).encode()
        self.send_response(202 if "enqueue" in self.path else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


def _serve(ports: Any) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    ports.send(server.server_address[1])
    server.serve_forever()


@contextmanager
def receivers() -> Iterator[dict[str, str]]:
    """Stand-ins that answer at once, and the environment that leads to them."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    address = f"127.0.0.1:{here.recv()}"
    try:
        yield {
            "SLACK_API_URL": f"http://{address}/api/", "SLACK_API_TOKEN": "xoxb", "SLACK_CHANNEL_ID": "C1",
            "PAGERDUTY_EVENTS_URL": f"http://{address}/v2/enqueue", "PAGERDUTY_ROUTING_KEY": "R" * 32,
            "MEDIC_WEBHOOK_URL": f"http://{address}/hook", "MEDIC_ALLOWED_WEBHOOK_HOSTS": address,
            "MEDIC_GROUP_ALERTS_FROM": "1000",
        }  # fmt: skip
    finally:
        process.terminate()
        process.join()
