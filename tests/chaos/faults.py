"""How each fault is done, and undone."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from tests.chaos.plan import JUMP_SECONDS, Fault, FaultKind
from tests.chaos.system import System, tell
from tests.stand_ins.receivers import Answer

#: Of each 0.2 s, so many a crawling process is stopped.
TURN_SECONDS, STOPPED_SECONDS = 0.2, 0.17


def do(fault: Fault, system: System) -> str:
    """Do it, wait as long as it lasts, undo it. Says what there was to hurt."""
    return DEEDS[fault.kind](fault, system)


def _kill(fault: Fault, system: System) -> str:
    killed = tell(system.processes(fault.subject), signal.SIGKILL)
    time.sleep(fault.seconds)
    match fault.subject:
        case "postgres":
            system.postgres.keep_running()
        case "redis":
            system.redis.keep_running()
        case "emulator":
            system.restart()
        case _:
            pass
    return f"{killed} killed"


def _freeze(fault: Fault, system: System) -> str:
    pids = system.processes(fault.subject)
    frozen = tell(pids, signal.SIGSTOP)
    time.sleep(fault.seconds)
    tell(pids, signal.SIGCONT)
    return f"{frozen} frozen"


def _crawl(fault: Fault, system: System) -> str:
    until, pids = time.monotonic() + fault.seconds, system.processes(fault.subject)
    while time.monotonic() < until:
        pids = system.processes(fault.subject)
        tell(pids, signal.SIGSTOP)
        time.sleep(STOPPED_SECONDS)
        tell(pids, signal.SIGCONT)
        time.sleep(TURN_SECONDS - STOPPED_SECONDS)
    return f"{len(pids)} crawled"


def _fill_disk(fault: Fault, system: System) -> str:
    """Postgres stops where its log cannot be written, and is started once there is room again."""
    if not system.disk.can_be_full:
        return "left out: no disk can be mounted here"
    system.disk.fill()
    time.sleep(fault.seconds)
    system.disk.make_room()
    had_ended = not system.postgres.is_running
    system.postgres.keep_running()
    return "full" + (", and Postgres ended" if had_ended else "")


def _stall(fault: Fault, system: System) -> str:
    system.proxies[fault.subject].stall()
    time.sleep(fault.seconds)
    system.proxies[fault.subject].go_on()
    return "stalled"


def _drop(fault: Fault, system: System) -> str:
    system.proxies[fault.subject].drop()
    return "dropped"


def _cut(fault: Fault, system: System) -> str:
    system.proxies[fault.subject].cut()
    return "cut"


def _jump(fault: Fault, system: System) -> str:
    if not system.clock.can_move:
        return "left out: no C compiler here"
    system.clock.move(JUMP_SECONDS if fault.subject == "ahead" else -JUMP_SECONDS)
    time.sleep(fault.seconds)
    system.clock.move(0)
    return f"{JUMP_SECONDS:.0f} s off"


def _refuse(_: Fault, system: System) -> str:
    for receiver in system.told.all:
        with receiver.lock:
            receiver.answers.append(Answer(503))
    return "refusing once"


DEEDS: dict[FaultKind, Callable[[Fault, System], str]] = {
    FaultKind.KILL: _kill,
    FaultKind.FREEZE: _freeze,
    FaultKind.CRAWL: _crawl,
    FaultKind.FULL_DISK: _fill_disk,
    FaultKind.STALL: _stall,
    FaultKind.DROP: _drop,
    FaultKind.CUT: _cut,
    FaultKind.CLOCK: _jump,
    FaultKind.REFUSE: _refuse,
}
