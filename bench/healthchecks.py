"""Pings a second of Medic and of Healthchecks: one core, the same Postgres, the same Python, driver and server.

`MEDIC_HEALTHCHECKS=/path/to/checkout python -m bench --only healthchecks`. The checkout has its requirements, a driver
and uwsgi in `.venv` (or MEDIC_HEALTHCHECKS_PYTHON names the Python that has them); nothing of it is kept here.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from bench import database, measure
from local import servers
from tests.fixtures.functions import gateway_event

ROOT = Path(__file__).parents[1]
CHECKS, COUNT, ROUNDS = 10_000, 100, 7
MEDIC_PATHS = ("layers/medic_core", "functions/heartbeat", ".")
#: Each check is up and was heard just now, as each of our services is.
FILL = f"""
from datetime import timedelta
from django.contrib.auth.models import User
from django.utils.timezone import now
from hc.accounts.models import Profile, Project
from hc.api.models import Check
project = Project.objects.create(owner=User.objects.create(username="bench", email="bench@127.0.0.1"))
Profile.objects.for_user(project.owner)
at = now()
Check.objects.bulk_create(
    Check(project=project, name=f"service-{{n}}", slug=f"service-{{n}}", timeout=timedelta(minutes=1), status="up",
          last_ping=at, alert_after=at + timedelta(days=1)) for n in range({CHECKS}))
print(*(str(code) for code in Check.objects.values_list("code", flat=True)))
"""
#: Its default.
ONE_PING = {"DB_CONN_MAX_AGE": "0"}
#: As its own container is started, but with one worker.
SERVER = (
    "--master", "--die-on-term", "--processes", "1", "--threads", "1", "--enable-threads", "--thunder-lock",
    "--harakiri", "10", "--buffer-size", "32768", "--post-buffering", "16192", "--max-fd", "10000",
    "--disable-write-exception",
)  # fmt: skip


@dataclass(frozen=True)
class Side:
    """Who is measured: how it is called in a process and behind the server, with what settings, and what it is sent."""

    name: str
    called: str
    served: str
    folder: Path
    environment: dict[str, str]
    ids: list[str]
    events: list[object]


def report() -> str:
    checkout = os.environ.get("MEDIC_HEALTHCHECKS")
    if not checkout:
        print("left out: MEDIC_HEALTHCHECKS names no checkout of Healthchecks")
        return ""
    home = Path(checkout).resolve()
    python = Path(os.environ.get("MEDIC_HEALTHCHECKS_PYTHON") or home / ".venv" / "bin" / "python")
    disks = {"": None, ", without a disk to wait for": database.MEMORY}
    tables = [_measured(home, python, how, disk) for how, disk in disks.items() if disk is None or disk.exists()]
    what = f"Healthchecks at {_commit(home)}, {_version(python)}, the same psycopg for both. Budget: 5 ×."
    return "\n".join([f"{what}\n", *tables])


def _measured(home: Path, python: Path, how: str, disk: Path | None) -> str:
    with measure.one_core(), database.fresh(disk) as url, ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        medic, kept = _medic(url), _healthchecks(url, home, python)
        as_it_comes = replace(kept, name="Healthchecks, a connection a ping", environment=kept.environment | ONE_PING)
        sides = [kept, as_it_comes, medic]
        called = {side.name: opened.enter_context(_in_process(side, python, folder)) for side in sides}
        in_process = measure.compared(measure.in_turn(called, COUNT, ROUNDS))
        served = {side.name: opened.enter_context(_behind_server(side, python, folder)) for side in sides}
        over_http = measure.compared(measure.in_turn(served, COUNT, ROUNDS))
    where = f"{CHECKS:,} checks, all on one core with their Postgres{how} (median of {ROUNDS} × {COUNT})"
    return "\n".join(
        [
            measure.table(f"A ping, called in its process, {where}", measure.COMPARED, in_process),
            measure.table(f"A ping over HTTP, behind uwsgi with one worker, {where}", measure.COMPARED, over_http),
        ]
    )


def _medic(url: str) -> Side:
    database.fill(url, CHECKS)
    with psycopg.connect(url) as connection:
        ids = [str(ping_id) for (ping_id,) in connection.execute("SELECT ping_id FROM medic.services").fetchall()]
    environment = {
        "PYTHONPATH": os.pathsep.join(str(ROOT / path) for path in MEDIC_PATHS),
        "DATABASE_URL": url,
        "REDIS_URL": "",
        "MEDIC_KEY_CACHE_SECRET": "bench",
        "RATE_LIMIT_HEARTBEAT_REQUESTS": "1000000",
    }
    events: list[object] = [gateway_event("GET", f"/ping/{ping_id}", None, {}) for ping_id in ids]
    return Side("Medic", "ingest:handler", "bench.wsgi_door:application", ROOT, environment, ids, events)


def _healthchecks(url: str, home: Path, python: Path) -> Side:
    parts = urlsplit(url)
    environment = {
        "PYTHONPATH": os.pathsep.join(map(str, (home, ROOT))),
        "DB": "postgres",
        "DB_HOST": str(parts.hostname),
        "DB_PORT": str(parts.port),
        "DB_USER": str(parts.username),
        "DB_NAME": "healthchecks",
        "DB_CONN_MAX_AGE": "None",
        "SECRET_KEY": "bench",
        "DEBUG": "False",
        "SITE_ROOT": "http://127.0.0.1",
        "DJANGO_SETTINGS_MODULE": "hc.settings",
    }
    servers.make_database(url.rsplit("/", 1)[0] + "/healthchecks")
    _run(python, ["manage.py", "migrate"], home, environment)
    ids = _run(python, ["manage.py", "shell", "-v", "0", "-c", FILL], home, environment).split()
    paths: list[object] = [f"/ping/{code}" for code in ids]
    name = "Healthchecks, connections kept"
    return Side(name, "hc.wsgi:application", "hc.wsgi:application", home, environment, ids, paths)


def _run(python: Path, command: list[str], folder: Path, environment: dict[str, str]) -> str:
    whole = servers.BARE | environment
    return subprocess.run(
        [python, *command], cwd=folder, env=whole, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


@contextmanager
def _in_process(side: Side, python: Path, folder: Path) -> Iterator[measure.Run]:
    """How so many calls of it are timed, by itself."""
    file = folder / f"{side.name}.json"
    file.write_text(json.dumps(side.events))
    command = [str(python), "-m", "bench.contestant", side.called, str(file)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=side.folder, env=servers.BARE | side.environment, text=True, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        said, heard = process.stdin, process.stdout

        def timed(count: int) -> measure.Timing:
            seconds: list[float] = []
            for calls in (count // 10, count):
                said.write(f"{calls}\n")
                said.flush()
                seconds = json.loads(heard.readline())
            return measure.Timing(seconds)

        yield timed
        said.close()


@contextmanager
def _behind_server(side: Side, python: Path, folder: Path) -> Iterator[measure.Run]:
    """How so many requests to it are timed, each with a connection of its own as pings have."""
    port = servers.free_port()
    command = [str(python.parent / "uwsgi"), *SERVER, "--http-socket", f"127.0.0.1:{port}", "--module", side.served]
    log = folder / f"{side.name}.log"
    server = servers.Server(
        side.name, command, port, log, environment=servers.BARE | side.environment, folder=side.folder
    )
    server.start()
    try:
        yield measure.calling(_requested(port, side.ids))
    finally:
        server.stop()


def _requested(port: int, ids: list[str]) -> Callable[[], object]:
    following = itertools.cycle(ids)

    def call() -> object:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(f"GET /ping/{next(following)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(answer)
        return answer

    return call


def _commit(home: Path) -> str:
    """Which version was measured, where the checkout knows."""
    asked = ["git", "-C", str(home), "describe", "--always", "--tags"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return f"`{found}`" if found else "a version that its folder does not tell"


def _version(python: Path) -> str:
    return subprocess.run([python, "--version"], capture_output=True, text=True, check=True).stdout.strip()
