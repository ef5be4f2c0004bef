"""The processes of this machine: which come from which, whose they are, and how to be rid of them.

Runs in the keeper too, without packages.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

LINUX = sys.platform == "linux"
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38
#: Users of runs, one each: a range that nobody else uses (systemd's for such users).
FIRST_USER, USERS = 61184, 4000
#: How long the killer of a user's processes has, and how often it is looked after.
KILLER_SECONDS, LOOK_SECONDS = 1.0, 0.001


def prctl(option: int, value: int) -> None:
    """Linux's prctl; elsewhere nothing. Raises OSError."""
    if not LINUX:
        return
    import ctypes  # noqa: PLC0415  (nothing else needs it)

    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


@dataclass(frozen=True)
class Process:
    """A line of the system's list of processes."""

    pid: int
    parent: int
    is_dead: bool
    threads: int


def processes() -> Iterator[Process]:
    """All that can be seen; on systems without /proc none, and then only the script's own group is ended."""
    for name in os.listdir("/proc") if LINUX else []:  # noqa: PTH208
        if name.isdigit():
            with contextlib.suppress(OSError):
                # The name before the last ) may hold anything.
                state, parent, *more = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()
                yield Process(int(name), int(parent), state in {b"Z", b"X"}, int(more[15]))


def children() -> set[int]:
    """Those of this process, dead ones too."""
    return {one.pid for one in processes() if one.parent == os.getpid()}


def descendants() -> set[int]:
    """All that come from this process and still run."""
    return alive_below({os.getpid()}) - {os.getpid()}


def alive_below(roots: set[int]) -> set[int]:
    """These and all that come from them, as far as they still run."""
    seen = list(processes())
    found, size = set(roots), -1
    while size < len(found):
        size = len(found)
        found |= {one.pid for one in seen if one.parent in found}
    return found & {one.pid for one in seen if not one.is_dead}


def _user_of(pid: int) -> int:
    """Whom a process belongs to, also one that hides its /proc."""
    for line in Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines():
        if line.startswith("Uid:"):
            return int(line.split()[1])
    return -1


def _of(user: int) -> Iterator[Process]:
    for one in processes():
        with contextlib.suppress(OSError):
            if _user_of(one.pid) == user:
                yield one


def tasks_of(user: int) -> int:
    """How many processes and threads a user has."""
    return sum(one.threads for one in _of(user))


def a_user() -> int | None:
    """A user for this run; None where this is not root, or a root that may not change users."""
    if os.geteuid() != 0 or not LINUX:
        return None
    turn = os.getpid() % USERS
    range_of_users = (FIRST_USER + (turn + n) % USERS for n in range(USERS))
    user = next(one for one in range_of_users if not any(_of(one)))
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            os._exit(0)
        finally:
            os._exit(1)
    return user if os.waitpid(pid, 0)[1] == 0 else None


def is_alone() -> bool:
    """Whether this user has no other processes than those that this one comes from: so it is in Lambda."""
    parents = {one.pid: one.parent for one in processes()}
    ancestors, pid = set(), os.getpid()
    while pid in parents:
        ancestors.add(pid)
        pid = parents[pid]
    return LINUX and {one.pid for one in _of(os.getuid()) if not one.is_dead} <= ancestors


def kill_all(find: Callable[[], set[int]]) -> None:
    """All that `find` finds, also those that multiply: stopped first, they keep the places that new ones would need."""
    stopped: set[int] = set()
    while fresh := find() - stopped:
        _signal(fresh, signal.SIGSTOP)
        stopped |= fresh
    _signal(stopped, signal.SIGKILL)


def _signal(pids: set[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def kill_all_of(user: int) -> None:
    """SIGKILL to all processes of a user, in one call: nothing can be started between two of them."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setresuid(user, user, user)
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    # It is of that user itself: a process that is quick may stop it.
    until = time.monotonic() + KILLER_SECONDS
    while os.waitpid(pid, os.WNOHANG)[0] == 0:
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
        select.select([], [], [], LOOK_SECONDS)
