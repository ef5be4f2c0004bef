"""The process between the runner and a script: starts it with its limits, listens to it, and leaves nothing of it.

Run as a file by an interpreter without packages, with a job as JSON on stdin and what came of it as JSON on stdout. It
has an environment of a few words and holds nothing but the job, so that a script which looks at its parent sees nothing
else. It alone is the parent of all that the script starts: whatever loses its parent comes to it.

As root it gives each run a user of its own, whose processes it can end all at once; and a run cannot touch another's.
As anybody else (in Lambda) script and runner are the same user: what limits and signals can do is done.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import resource
import select
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from leftovers import Rubbish, wiped
from processes import (
    LINUX,
    PR_SET_CHILD_SUBREAPER,
    PR_SET_DUMPABLE,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    a_user,
    descendants,
    kill_all,
    kill_all_of,
    prctl,
    tasks_of,
)

MEMORY_BYTES = 256 * 1024 * 1024
FILE_BYTES = 32 * 1024 * 1024
PROCESSES = 64
OPEN_FILES = 128
#: From SIGTERM to SIGKILL, and from there until what still runs is given up.
GRACE_SECONDS = 1.0
KILL_SECONDS = 3.0
LOOK_SECONDS = 0.02
COULD_NOT_START = 127


@dataclass
class Stream:
    """One of the script's outputs: its beginning, and how much there was."""

    read_end: int
    keep: int
    kept: bytearray = field(default_factory=bytearray)
    total: int = 0

    def take(self) -> bool:
        """Read what is there; False at its end."""
        try:
            data = os.read(self.read_end, 65536)
        except BlockingIOError:
            return True
        self.total += len(data)
        self.kept += data[: self.keep - len(self.kept)]
        return bool(data)


class Script:
    """A script that runs, and everything that it started."""

    def __init__(self, job: dict[str, Any], folder: Path, user: int | None) -> None:
        self.user = user
        self.status: int | None = None
        #: All that the script started is a child of this process or comes from one: without children nothing is left.
        self.has_children = True
        self._wake, wake = os.pipe()
        for end in (self._wake, wake):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self.poll = select.poll()
        self.poll.register(self._wake, select.POLLIN)
        ends = [os.pipe(), os.pipe()]
        self.streams = {read: Stream(read, job["keep"]) for read, _ in ends}
        for read in self.streams:
            os.set_blocking(read, False)
            self.poll.register(read, select.POLLIN)
        said = _on_stdin(job["stdin"], folder)
        self.pid = os.fork()
        if self.pid == 0:
            _become(job, folder, user, (said, ends[0][1], ends[1][1]))
        for end in (said, ends[0][1], ends[1][1]):
            os.close(end)

    def listen(self, until: float) -> None:
        """Take in output until the script has ended or it is `until`. Who keeps its output open keeps nobody."""
        while self.status is None and (left := until - time.monotonic()) > 0:
            self._look(left)

    def end(self) -> list[str]:
        """End all that still runs: asked first, then killed. Returns what resists."""
        self._reap()
        if self.has_children:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGTERM)
            until = time.monotonic() + GRACE_SECONDS
            while self.has_children and time.monotonic() < until:
                self._look(LOOK_SECONDS)
        until = time.monotonic() + KILL_SECONDS
        while self.has_children and time.monotonic() < until:
            kill_all(descendants) if self.user is None else kill_all_of(self.user)
            self._look(LOOK_SECONDS)
        # All that wrote is dead: what a pipe still holds is less than this.
        for read in list(self.streams) * 4:
            if select.select([read], [], [], 0)[0]:
                self._take(read)
        return [f"process {pid}" for pid in sorted(descendants())] or (["a process"] if self.has_children else [])

    def _look(self, seconds: float) -> None:
        """Wait for output or an end, so long at most, and take it in."""
        for descriptor, _ in self.poll.poll(seconds * 1000):
            if descriptor == self._wake:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake, 4096)
            else:
                self._take(descriptor)
        self._reap()

    def _take(self, read: int) -> None:
        if not self.streams[read].take():
            with contextlib.suppress(KeyError):
                self.poll.unregister(read)

    def _reap(self) -> None:
        try:
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                if found[0] == self.pid:
                    self.status = found[1]
        except ChildProcessError:
            self.has_children = False


def _on_stdin(text: str, folder: Path) -> int:
    """A file without a name that holds the text; in memory where the system can."""
    path = folder / "stdin"
    descriptor = os.memfd_create("stdin") if LINUX else os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    path.unlink(missing_ok=True)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(text.encode(errors="replace"))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _become(job: dict[str, Any], folder: Path, user: int | None, ends: tuple[int, int, int]) -> NoReturn:
    """In the child: take on the limits and become the script."""
    try:
        os.setsid()
        for number, end in enumerate(ends):
            os.dup2(end, number)
        os.chdir(folder / "home")
        os.umask(0o077)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        _limit(job["timeout"], user)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        if user is not None:
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        environment = {**job["environment"], "HOME": str(folder / "home")}
        encoded = {name.encode(): value.encode(errors="replace") for name, value in environment.items()}
        os.execve(job["argv"][0], [*job["argv"], str(folder / "script")], encoded)  # noqa: S606
    except OSError as error:
        os.write(2, f"Medic could not start the script: {os.strerror(error.errno or 0)}\n".encode())
    finally:
        os._exit(COULD_NOT_START)


def _limit(seconds: int, user: int | None) -> None:
    limits = {
        resource.RLIMIT_AS: (MEMORY_BYTES, MEMORY_BYTES),
        resource.RLIMIT_CPU: (seconds + 1, seconds + 2),
        resource.RLIMIT_FSIZE: (FILE_BYTES, FILE_BYTES),
        resource.RLIMIT_NOFILE: (OPEN_FILES, OPEN_FILES),
        resource.RLIMIT_CORE: (0, 0),
    }
    if LINUX:
        # Counted by user: one who runs other things besides has them on top.
        most = PROCESSES + (tasks_of(os.getuid()) if user is None else 0)
        limits[resource.RLIMIT_NPROC] = (most, most)
    for limit, (soft, hard) in limits.items():
        highest = resource.getrlimit(limit)[1]
        if highest != resource.RLIM_INFINITY:
            soft, hard = min(soft, highest), min(hard, highest)  # noqa: PLW2901
        # Other systems do not know all of them.
        with contextlib.suppress(ValueError):
            resource.setrlimit(limit, (soft, hard))


def _fill(folder: Path, content: str, user: int | None) -> None:
    """Make a folder with the script in it."""
    folder.mkdir(mode=0o700)
    (folder / "home").mkdir(mode=0o700)
    (folder / "script").write_bytes(content.encode(errors="replace"))
    if user is not None:
        for path in (folder, folder / "home", folder / "script"):
            os.chown(path, user, user)


def keep(job: dict[str, Any]) -> dict[str, Any]:
    """Run the job's script to its end; nothing of it is left, or `left` names what is."""
    user = a_user()
    rubbish = Rubbish(user, str(Path(job["folder"]).parent))
    folder = Path(job["folder"])
    try:
        _fill(folder, job["content"], user)
        script = Script(job, folder, user)
        script.listen(time.monotonic() + job["timeout"])
        timed_out = script.status is None
        left = script.end()
    finally:
        is_wiped = wiped(folder)
    left += [] if is_wiped else [str(folder)]
    out, err = script.streams.values()
    return {
        "status": None if timed_out or script.status is None else os.waitstatus_to_exitcode(script.status),
        "timed_out": timed_out,
        "out": base64.b64encode(out.kept).decode(),
        "err": base64.b64encode(err.kept).decode(),
        "totals": [out.total, err.total],
        "left": left + rubbish.remove(),
    }


def main() -> None:
    os.umask(0o077)
    prctl(PR_SET_DUMPABLE, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    sys.stdout.write(json.dumps(keep(json.load(sys.stdin))))


if __name__ == "__main__":
    main()
