"""Whose work it is: processor time of the processes of a running system, by what they are."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from tests.system.conftest import Medic

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
HEARTBEATS = "heartbeat function"
ROLES = ("emulator", HEARTBEATS, "other functions", "Postgres", "Redis", "clients")


def seconds_of(process: int) -> float:
    """What a process has used since it began."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def seconds_of_all(processes: Iterable[int]) -> float:
    """Of those that are still there."""
    found = 0.0
    for process in processes:
        with suppress(OSError):
            found += seconds_of(process)
    return found


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
