"""Docker's engine: the one that answers here, or one of our own that is gone afterwards.

Our own is Debian's package, unpacked beside the other things that can be made again: nothing is installed, no service
is set up, and it changes neither the firewall nor the kernel's settings. Its images stay for the next run.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from infra.sam_local import processes
from local.console import Refused, say

PACKAGE = "docker.io"
START_SECONDS = 60
BRIDGE = "docker0"
#: Containers need the bridge and its address alone: ports are passed on by docker-proxy, and nobody goes outside.
MODEST = ("--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false")


@dataclass(frozen=True)
class Engine:
    """A running engine; `environment` is what its client and SAM need to find it."""

    environment: Mapping[str, str]
    is_ours: bool
    folder: Path

    def answers(self) -> bool:
        """Whether there is a client, and an engine that it reaches."""
        try:
            return self.docker("version", "--format", "{{.Server.Version}}").code == 0
        except FileNotFoundError:
            return False

    def docker(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> processes.Ran:
        """Run Docker's client."""
        return processes.run(["docker", *arguments], environment=self.environment, folder=self.folder, stdin=stdin)

    def label(self, image: str, name: str) -> str | None:
        """What an image says of itself under a name, None where there is no such image."""
        asked = self.docker("image", "inspect", "--format", f'{{{{index .Config.Labels "{name}"}}}}', image)
        return asked.output.strip() if asked.code == 0 else None

    def gateway(self, image: str) -> str:
        """The address that containers send to what is not on their network: this machine's, unless Docker hides it."""
        asked = self.docker("run", "--rm", "--entrypoint", "cat", image, "/proc/net/route")
        address = gateway_of(asked.output)
        if address is None:
            raise Refused(f"A container has no way out: {asked.complaint}")
        return address


def gateway_of(routes: str) -> str | None:
    """Where the default route of Linux's table leads, None where there is none."""
    for line in routes.splitlines()[1:]:
        _, destination, gateway, *_ = line.split()
        if destination == "00000000":
            return socket.inet_ntoa(struct.pack("<L", int(gateway, 16)))
    return None


@contextmanager
def found_or_started(cache: Path) -> Iterator[Engine]:
    """The engine that answers here, else one of our own in `cache`. Raises Refused where neither can be."""
    yours = Engine(os.environ, is_ours=False, folder=cache)
    if yours.answers():
        say("using the Docker that answers here")
        yield yours
        return
    problem = why_not_our_own(os.geteuid(), shutil.which)
    if problem is not None:
        raise Refused(f"No Docker answers here, and one cannot be started: {problem}.")
    with _claimed(cache), _started(cache) as ours:
        yield ours


def why_not_our_own(user: int, which: Callable[[str], str | None]) -> str | None:
    """What keeps us from starting an engine, None where nothing does."""
    if user != 0:
        return "only root can"
    for program in ("apt-get", "dpkg-deb", "setpriv"):
        if which(program) is None:
            return f"there is no {program} (Debian's package {PACKAGE} is what would be started)"
    return None


@contextmanager
def _claimed(cache: Path) -> Iterator[None]:
    """Two engines on one folder would ruin it."""
    with (cache / "engine.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Refused(f"Another run is using {cache}: wait for it, or stop it.") from error
        yield


@contextmanager
def _started(cache: Path) -> Iterator[Engine]:
    programs = _programs(cache)
    had_bridge = _has_bridge()
    # Not in the cache: a socket's path must be short.
    run = Path(tempfile.mkdtemp(prefix="medic-docker-"))
    environment = {**os.environ, **programs, "DOCKER_HOST": f"unix://{run}/docker.sock"}
    for name in ("DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        environment.pop(name, None)
    log = cache / "engine.log"
    with log.open("wb") as output:
        daemon = subprocess.Popen(
            _command(cache / "engine", run, environment["DOCKER_HOST"]),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
        )
    try:
        ours = Engine(environment, is_ours=True, folder=cache)
        _wait_for(ours, daemon, log)
        yield ours
    finally:
        processes.end(daemon, how=signal.SIGTERM)
        if not had_bridge:
            _remove_bridge()
        shutil.rmtree(run, ignore_errors=True)


def _command(data: Path, run: Path, host: str) -> list[str]:
    places = [f"--data-root={data}", f"--exec-root={run}/exec", f"--pidfile={run}/docker.pid", f"--host={host}"]
    # However we end, it ends with us.
    return ["setpriv", "--pdeathsig=TERM", "dockerd", *places, *MODEST]


def _wait_for(engine: Engine, daemon: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while not engine.answers():
        if daemon.poll() is not None or time.monotonic() > until:
            lines = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
            raise Refused(f"Docker's engine did not start: {lines[-1]} (more in {log})")
        time.sleep(0.2)


def _programs(cache: Path) -> dict[str, str]:
    """The variables by which the engine's programs are found: those of this machine, or the unpacked package's."""
    if shutil.which("dockerd"):
        return {}
    place = cache / "packages"
    if not place.exists():
        say(f"fetching Debian's package {PACKAGE} (it is unpacked, not installed) …")
        _unpack(cache, place)
    libraries = ":".join(str(folder) for folder in sorted((place / "usr/lib").glob("*-linux-gnu")))
    # The engine starts containers by programs of its own package, and they must be of one version.
    path = f"{place}/usr/sbin:{place}/usr/bin:{os.environ.get('PATH', os.defpath)}"
    return {"PATH": path, "LD_LIBRARY_PATH": libraries}


def _unpack(cache: Path, place: Path) -> None:
    """Under another name until it is whole."""
    partial, archives = place.with_suffix(".new"), cache / "archives"
    for folder in (partial, archives):
        shutil.rmtree(folder, ignore_errors=True)
    partial.mkdir()
    (archives / "partial").mkdir(parents=True)
    download = ["apt-get", "-qq", "-y", "--no-install-recommends", "--download-only"]
    command = [*download, "-o", f"Dir::Cache::archives={archives}", "install", PACKAGE]
    if processes.run(command, environment=os.environ, folder=cache).code != 0:
        # Lists of packages that are older than the packages, or none at all.
        processes.checked("apt-get update", ["apt-get", "-qq", "update"], environment=os.environ, folder=cache)
        processes.checked(f"Fetching the package {PACKAGE}", command, environment=os.environ, folder=cache)
    for archive in sorted(archives.glob("*.deb")):
        processes.checked(
            f"Unpacking {archive.name}", ["dpkg-deb", "-x", archive, partial], environment=os.environ, folder=cache
        )
    shutil.rmtree(archives)
    partial.rename(place)


def _has_bridge() -> bool:
    return Path("/sys/class/net", BRIDGE).exists()


def _remove_bridge() -> None:
    with suppress(FileNotFoundError):
        subprocess.run(["ip", "link", "delete", BRIDGE], capture_output=True, check=False)
