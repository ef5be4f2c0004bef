"""What happens in a run: nothing but a function of its seed and its length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class FaultKind(StrEnum):
    KILL = "kill"  #: SIGKILL; a server is started again after the fault's length
    FREEZE = "freeze"  #: SIGSTOP, and SIGCONT after it
    CRAWL = "crawl"  #: stopped most of the time, as when every write waits for a slow disk
    FULL_DISK = "full disk"  #: no file may grow
    STALL = "stall"  #: what is sent stays in the network until it is over
    DROP = "drop"  #: connections that there are never carry anything again, and nobody is told
    CUT = "cut"  #: connections end, and both ends hear it
    CLOCK = "clock"  #: everything but the database is some seconds off
    REFUSE = "refuse"  #: receivers answer the next request with 503


@dataclass(frozen=True)
class Fault:
    """Something that is done to `subject` at some second of the run, for a while."""

    at: float
    kind: FaultKind
    subject: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.at:6.1f} s  {self.kind} {self.subject}" + (f" for {self.seconds:.1f} s" if self.seconds else "")


class Kind(StrEnum):
    """How a service behaves."""

    STEADY = "steady"  #: pings all the time
    KEYED = "keyed"  #: is reported by name, with a key
    JOB = "job"  #: starts and completes runs
    MORTAL = "mortal"  #: falls silent, for good or for long
    CURABLE = "curable"  #: falls silent until somebody restarts it
    FAILING = "failing"  #: says that it is down, and then that it is up


@dataclass(frozen=True)
class Service:
    """`silences` are stretches of the run in which it is dead; an end of None is never, or when it is restarted."""

    name: str
    kind: Kind
    silences: tuple[tuple[float, float | None], ...] = ()


@dataclass(frozen=True)
class Plan:
    seed: int
    seconds: float
    services: tuple[Service, ...]
    #: Two threads of misfortune, so that misfortunes meet.
    faults: tuple[tuple[Fault, ...], ...]


EVERY_SECONDS, GRACE_SECONDS = 10, 10
#: A silence is missed for sure when it has lasted for so long after its deadline: heartbeats that wait in the spool
#: hold alerts back for 15 minutes at most.
OWED_AFTER_SECONDS = 930.0
#: The same for one that still lasts when all is whole again.
OWED_AT_THE_END_SECONDS = 60.0
#: How far clocks jump.
JUMP_SECONDS = 5.0

COUNTS = {Kind.STEADY: 16, Kind.KEYED: 4, Kind.JOB: 4, Kind.MORTAL: 6, Kind.CURABLE: 3, Kind.FAILING: 3}
#: Until all have been heard, and the last of what breaks is whole again before the end.
CALM_SECONDS = 4.0

SERVERS = (
    (FaultKind.KILL, "postgres"),
    (FaultKind.FREEZE, "postgres"),
    (FaultKind.CRAWL, "postgres"),
    (FaultKind.FULL_DISK, "postgres"),
    (FaultKind.STALL, "postgres"),
    (FaultKind.DROP, "postgres"),
    (FaultKind.CUT, "postgres"),
    (FaultKind.KILL, "redis"),
    (FaultKind.FREEZE, "redis"),
    (FaultKind.STALL, "redis"),
    (FaultKind.KILL, "emulator"),
    (FaultKind.FREEZE, "emulator"),
    (FaultKind.CLOCK, "ahead"),
    (FaultKind.CLOCK, "behind"),
    (FaultKind.REFUSE, "receivers"),
)
FUNCTIONS = (
    *(
        (FaultKind.KILL, f"{name}Function")
        for name in (
            "Heartbeat",
            "Monitor",
            "Router",
            "Replay",
            "Management",
            "Advance",
            "WebhookStep",
            "ScriptStep",
            "AskApproval",
        )
    ),
    *((FaultKind.FREEZE, f"{name}Function") for name in ("Heartbeat", "Monitor", "Router", "Advance", "WebhookStep")),
    (FaultKind.KILL, "scripts"),
)
AT_ONCE = {FaultKind.CUT, FaultKind.DROP, FaultKind.REFUSE}


def plan(seed: int, seconds: float) -> Plan:
    """The run of this seed. The same for the same arguments, everywhere and for ever."""
    chance = Random(seed)
    services = tuple(_services(chance, seconds))
    servers = tuple(_faults(chance, SERVERS, seconds, pause=(1.0, 4.0), length=(1.0, 6.0)))
    functions = tuple(_faults(chance, FUNCTIONS, seconds, pause=(0.3, 1.5), length=(0.5, 4.0)))
    return Plan(seed, seconds, services, (servers, functions))


def _services(chance: Random, seconds: float) -> Iterator[Service]:
    for kind, count in COUNTS.items():
        for number in range(count):
            yield Service(f"{kind}-{number}", kind, tuple(_silences(chance, kind, seconds)))


def _silences(chance: Random, kind: Kind, seconds: float) -> Iterator[tuple[float, float | None]]:
    if kind in {Kind.MORTAL, Kind.CURABLE, Kind.FAILING}:
        begins = chance.uniform(CALM_SECONDS, 0.5 * seconds)
        if kind is Kind.FAILING:
            yield begins, begins + chance.uniform(2.0, 8.0)
            return
        while kind is Kind.MORTAL and (back := begins + chance.uniform(30.0, 90.0)) < seconds and chance.random() < 0.7:
            yield begins, back
            begins = back + chance.uniform(30.0, 60.0)
        if begins < seconds:
            yield begins, None


def _faults(
    chance: Random,
    what: tuple[tuple[FaultKind, str], ...],
    seconds: float,
    pause: tuple[float, float],
    length: tuple[float, float],
) -> Iterator[Fault]:
    """Each of them once before any comes again."""
    at, left = CALM_SECONDS, list[tuple[FaultKind, str]]()
    while True:
        left = left or chance.sample(what, len(what))
        kind, subject = left.pop()
        lasting = 0.0 if kind in AT_ONCE else chance.uniform(*length)
        at += chance.uniform(*pause)
        if at + lasting > seconds - CALM_SECONDS:
            return
        yield Fault(round(at, 1), kind, subject, round(lasting, 1))
        at += lasting
