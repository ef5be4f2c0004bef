"""The whole local system under more and more heartbeats, until it has enough; then far too many; then few again."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench import database, measure, processors, saturation
from bench.open_loop import Order, Outcome, Phase, read_journal
from tests.fixtures.functions import ADMIN_KEY
from tests.system.conftest import Medic, until

ROOT = Path(__file__).parents[1]
SERVICES = 1000
PROCESSES = 2
WARM_UP = Phase(100, 6)
RATES = (25, 50, 100, 200, 400, 800, 1600, 3200)
STEP_SECONDS = 5
BURST, BURST_SECONDS, QUIET_SECONDS = 4, 4, 20
#: Of a rate that is held, everything is taken, and so much of it while requests still come.
HELD = 0.95
#: So many seconds as before are a recovery.
IN_A_ROW = 3
TAKEN = frozenset({"200", "201", "202"})
REFUSED = frozenset({"429", "503"})
#: Nothing was heard: the client gave up while its request waited.
UNHEARD = frozenset({"silence", "TimeoutError"})
LINE_OF_PORT = 3
RECORDED = """
SELECT user_agent, count(*) FROM medic.heartbeat_events WHERE user_agent LIKE 'bench-%' GROUP BY user_agent
"""
SPOOL_IS_EMPTY = "SELECT spool_waiting_since IS NULL FROM medic.monitor_state"


@dataclass(frozen=True)
class Step:
    """What became of a rate, and how many cores each role had meanwhile."""

    offered: Phase
    outcomes: Sequence[Outcome]
    cores: dict[str, float]

    @property
    def statuses(self) -> Counter[str]:
        return Counter(one.status for one in self.outcomes)

    def count(self, statuses: frozenset[str]) -> int:
        return sum(number for status, number in self.statuses.items() if status in statuses)

    @property
    def timing(self) -> measure.Timing:
        """Of what was taken, from when it was due."""
        return measure.Timing([one.seconds for one in self.outcomes if one.status in TAKEN] or [float("nan")])

    @property
    def taken_per_second(self) -> float:
        """While requests came: what is taken later was waiting."""
        in_time = [one for one in self.outcomes if one.status in TAKEN and one.due + one.seconds <= self._ended]
        return len(in_time) / self.offered.seconds

    @property
    def _ended(self) -> float:
        return min(one.due for one in self.outcomes) + self.offered.seconds

    @property
    def is_held(self) -> bool:
        """Everything was taken, and nothing piled up."""
        return self.count(TAKEN) == len(self.outcomes) and self.taken_per_second >= HELD * self.offered.rate


NOTE = """
The emulator stands for API Gateway and Lambda in one process of Python, beside its functions, the database and the
clients on one machine. Of many requests at once it takes 200 and tells the next 503; those that it has not even come to
hear wait to be connected, and give up after 10 s.
"""


def report() -> str:
    with _running() as (medic, url):
        run = Run(medic, url)
        run.step(WARM_UP)
        steps = []
        for rate in RATES:
            steps.append(run.step(Phase(rate, STEP_SECONDS)))
            if not steps[-1].is_held:
                break
        held = max((step.offered.rate for step in steps if step.is_held), default=RATES[0])
        below = Phase(held / 2, QUIET_SECONDS)
        before, burst, after = run.phases(
            [below._replace(seconds=STEP_SECONDS), Phase(steps[-1].offered.rate * BURST, BURST_SECONDS), below]
        )
        counted = run.counted()
    return "\n".join(
        [
            _table_of_steps([*steps, before, burst, after]),
            _table_of_cores([*steps, burst]) + NOTE,
            _verdicts(steps, before, burst, after, counted),
            saturation.report(),
        ]
    )


@contextmanager
def _running() -> Iterator[tuple[Medic, str]]:
    """Medic as `make run` brings it up, with services to hear of, and the URL of its database."""
    folder = Path(tempfile.mkdtemp(prefix="medic-load-"))
    folder.chmod(0o755)
    medic = Medic(folder / "data", {})
    try:
        medic.start()
        port = (medic.data / "postgres" / "postmaster.pid").read_text().splitlines()[LINE_OF_PORT]
        url = f"postgresql://medic@127.0.0.1:{port}/medic"
        database.fill(url, SERVICES)
        yield medic, url
    finally:
        if medic.process is not None and medic.process.poll() is None:
            medic.stop()
        shutil.rmtree(folder)


class Run:
    """One system, and all that was sent to it."""

    def __init__(self, medic: Medic, url: str) -> None:
        self._medic, self._url = medic, url
        self._sent: dict[str, str] = {}
        self._runs = 0

    def step(self, phase: Phase) -> Step:
        return self.phases([phase])[0]

    def phases(self, phases: Sequence[Phase]) -> list[Step]:
        """Phases without a pause between them: what is left of one is met by the next."""
        self._runs += 1
        run = f"bench-{self._runs}"
        journal = str(self._medic.data.with_name(run))
        order = Order(self._medic.port, ADMIN_KEY, SERVICES, run, phases, time.monotonic() + 1, journal)
        with processors.watched(self._medic) as cores:
            outcomes = _outcomes(order)
        self._sent.update({f"{run}-{one.number}": one.status for one in outcomes})
        steps, ended = [], 0.0
        for phase in phases:
            began, ended = ended, ended + phase.seconds
            steps.append(Step(phase, [one for one in outcomes if began <= one.due < ended], cores))
        return steps

    def counted(self) -> Counted:
        """Once the spool is empty: what there is of all that was sent."""
        began = time.monotonic()
        with psycopg.connect(self._url, autocommit=True) as connection:
            until(lambda: connection.execute(SPOOL_IS_EMPTY).fetchone() == (True,), 60)
            waited = time.monotonic() - began
            recorded = dict(connection.execute(RECORDED).fetchall())
        return Counted(
            acknowledged=sum(status in TAKEN for status in self._sent.values()),
            lost=sum(recorded.get(who, 0) == 0 for who, status in self._sent.items() if status in TAKEN),
            doubled=sum(number > 1 for number in recorded.values()),
            though_refused=sum(who in recorded for who, status in self._sent.items() if status in REFUSED),
            spool_empty_after=waited,
        )


@dataclass(frozen=True)
class Counted:
    """What clients heard, held against what the database has."""

    acknowledged: int
    lost: int
    doubled: int
    though_refused: int
    spool_empty_after: float


def _outcomes(order: Order) -> list[Outcome]:
    started = [
        (share, subprocess.Popen([sys.executable, "-m", "bench.open_loop", share.to_json()], cwd=ROOT))
        for share in order.shares(PROCESSES)
    ]
    for _, process in started:
        process.wait()
    return sorted((one for share, _ in started for one in read_journal(Path(share.journal))), key=lambda one: one.due)


def recovered_after(after: Sequence[Outcome], usual: float, *, since: float) -> float | None:
    """Seconds from `since` until, for some seconds in a row, all was taken, and 99 of 100 in twice the usual time."""
    seconds: dict[int, list[Outcome]] = {}
    for one in after:
        seconds.setdefault(int(one.due - since), []).append(one)
    are_usual = [_is_usual(seconds[second], usual) for second in sorted(seconds)]
    beginnings = range(len(are_usual) - IN_A_ROW + 1)
    return next((float(second) for second in beginnings if all(are_usual[second : second + IN_A_ROW])), None)


def _is_usual(found: Sequence[Outcome], usual: float) -> bool:
    timing = measure.Timing([one.seconds for one in found])
    return all(one.status in TAKEN for one in found) and timing.percentile(0.99) / 1000 <= 2 * usual


def _table_of_steps(steps: Sequence[Step]) -> str:
    rows = []
    for step in steps:
        known = TAKEN | REFUSED | UNHEARD
        others = len(step.outcomes) - step.count(known)
        rows.append(
            (
                f"{step.offered.rate:,.0f}/s for {step.offered.seconds:.0f} s",
                f"{step.taken_per_second:,.0f}/s",
                *(f"{step.timing.percentile(share):,.0f} ms" for share in (0.5, 0.99, 0.999)),
                f"{step.count(TAKEN):,}",
                *(f"{step.statuses[status]:,}" for status in ("429", "503")),
                f"{step.count(UNHEARD):,}",
                f"{others:,}",
            )
        )
    columns = (
        "offered",
        "taken meanwhile",
        "p50",
        "p99",
        "p99.9",
        "taken",
        "429",
        "503",
        "given up after 10 s",
        "others",
    )
    title = f"Heartbeats over HTTP to the whole local system, {SERVICES:,} services (from when each was due)"
    return measure.table(title, columns, rows)


def _table_of_cores(steps: Sequence[Step]) -> str:
    rows = [
        (f"{step.offered.rate:,.0f}/s", *(f"{step.cores[role]:.2f}" for role in processors.ROLES)) for step in steps
    ]
    return measure.table("Cores that each kept busy meanwhile", ("offered", *processors.ROLES), rows)


def _verdicts(steps: Sequence[Step], before: Step, burst: Step, after: Step, counted: Counted) -> str:
    held = [step for step in steps if step.is_held]
    clean = TAKEN | REFUSED | UNHEARD
    above = [*(step for step in steps if not step.is_held), burst]
    unclean = sum(len(step.outcomes) - step.count(clean) for step in above)
    usual = before.timing.percentile(0.99) / 1000
    recovered = recovered_after(after.outcomes, usual, since=min(one.due for one in after.outcomes))
    rate = max((step.offered.rate for step in held), default=0)
    otherwise = sum(len(step.outcomes) - step.count(TAKEN) for step in held)
    rows = [
        ("held: everything taken, nothing piled up", f"{rate:,.0f}/s", _kept(bool(held))),
        ("other answers than 2xx at rates that are held", otherwise, _kept(otherwise == 0)),
        ("above: neither taken, nor 429 or 503, nor given up on", unclean, _kept(unclean == 0)),
        ("acknowledged", f"{counted.acknowledged:,}", ""),
        ("of those not in the database", counted.lost, _kept(counted.lost == 0)),
        ("in the database twice", counted.doubled, _kept(counted.doubled == 0)),
        ("refused and in the database", counted.though_refused, _kept(counted.though_refused == 0)),
        ("after the burst, as before again", _seconds(recovered), _kept(recovered is not None)),
        ("after all that, spool empty", _seconds(counted.spool_empty_after), ""),
    ]
    return measure.table("Promises under load", ("what", "found", "kept"), rows)


def _kept(is_kept: bool) -> str:  # noqa: FBT001
    return "yes" if is_kept else "**no**"


def _seconds(found: float | None) -> str:
    return "not within the run" if found is None else f"within {found:.1f} s"
