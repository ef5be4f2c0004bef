"""Whose work it is: processor time of processes. Clocks of a busy machine tell of the others; this tells of us.

Linux alone counts so.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.system.conftest import Medic

#: What Linux calls the clock of all that a process's threads have used, beside its number.
CLOCK_OF_A_PROCESS = 2
HEARTBEATS = "heartbeat function"
ROLES = ("emulator", HEARTBEATS, "other functions", "Postgres", "Redis", "clients")


def seconds_of(process: int) -> float:
    """What a process has used since it began, to the nanosecond."""
    return time.clock_gettime(~process << 3 | CLOCK_OF_A_PROCESS)


def seconds_of_all(processes: Iterable[int]) -> float:
    """Of those that are still there."""
    found = 0.0
    for process in processes:
        with suppress(OSError):
            found += seconds_of(process)
    return found


def worked(call: Callable[[], object], backend: int, count: int) -> tuple[float, float]:
    """Microseconds that one of so many calls takes here, and in the server's process for us."""
    own, servers = time.process_time(), seconds_of(backend)
    for _ in range(count):
        call()
    spent = (time.process_time() - own, seconds_of(backend) - servers)
    return spent[0] / count * 1_000_000, spent[1] / count * 1_000_000


@contextmanager
def watched(medic: Medic) -> Iterator[dict[str, float]]:
    """How many cores each role kept busy meanwhile; filled in at the end. Clients are our processes that ended then."""
    found: dict[str, float] = {}
    before, children, began = _by_role(medic), _of_children(), time.monotonic()
    yield found
    seconds = time.monotonic() - began
    used = _by_role(medic)
    used.subtract(before)
    used["clients"] = _of_children() - children
    found.update({role: max(0.0, used[role]) / seconds for role in ROLES})


def _by_role(medic: Medic) -> Counter[str]:
    found: Counter[str] = Counter()
    for process in medic.descendants():
        with suppress(OSError):
            found[_role(process)] += seconds_of(process)  # type: ignore[assignment]
    return found


def _role(process: int) -> str:
    environment = Path(f"/proc/{process}/environ").read_bytes()
    if b"AWS_LAMBDA_FUNCTION_NAME=" in environment:
        return HEARTBEATS if b"AWS_LAMBDA_FUNCTION_NAME=medic-HeartbeatFunction-" in environment else "other functions"
    command = Path(f"/proc/{process}/cmdline").read_bytes()
    words = {b"local.emulator": "emulator", b"postgres": "Postgres", b"redis": "Redis"}
    return next((role for word, role in words.items() if word in command), "the rest")


def _of_children() -> float:
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
