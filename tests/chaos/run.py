"""One run: bring it up, break it, wait until it is whole again, and let the checker decide."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.chaos import faults
from tests.chaos.checker import Terms, Verdict, check, read
from tests.chaos.disk import Disk, a_disk
from tests.chaos.plan import (
    EVERY_SECONDS,
    GRACE_SECONDS,
    JUMP_SECONDS,
    OWED_AFTER_SECONDS,
    OWED_AT_THE_END_SECONDS,
    Fault,
    Plan,
)
from tests.chaos.system import System

TERMS = Terms(EVERY_SECONDS + GRACE_SECONDS, OWED_AFTER_SECONDS, OWED_AT_THE_END_SECONDS, JUMP_SECONDS)
#: So long it may take until all is well again: a spool holds for minutes where its function was killed with messages.
PATIENCE_SECONDS = 300.0
LOOK_SECONDS = 5.0
Say = Callable[[str], None]


@dataclass(frozen=True)
class Result:
    verdict: Verdict
    #: Until the checker had nothing left to object to.
    settled_after: float


def run(plan: Plan, folder: Path, say: Say) -> Result:
    """`folder` gets the journals and logs."""
    with a_disk() as disk, aftermath(plan, folder, disk, say) as (result, _):
        return result


@contextmanager
def aftermath(plan: Plan, folder: Path, disk: Disk, say: Say) -> Iterator[tuple[Result, str]]:
    """What came of a run, and the URL of its database, while Medic has stopped and its database has not."""
    with System(plan, folder, disk) as system:
        say(f"Medic runs at {system.medic.port}; {len(plan.services)} services")
        system.prepare()
        _break(plan, system, say)
        result = _settle(system, say)
        system.medic.stop()
        yield result, system.database_url


def _break(plan: Plan, system: System, say: Say) -> None:
    began = time.monotonic()
    broken: list[BaseException] = []

    def follow(timeline: Sequence[Fault]) -> None:
        try:
            for fault in timeline:
                time.sleep(max(0.0, fault.at - (time.monotonic() - began)))
                say(f"{fault}: {faults.do(fault, system)}")
        except BaseException as error:
            broken.append(error)

    servers, *others = plan.faults
    threads = [threading.Thread(target=follow, args=(timeline,)) for timeline in others]
    for thread in threads:
        thread.start()
    # Here: a server ends with the thread that started it.
    follow(servers)
    for thread in threads:
        thread.join()
    if broken:
        raise broken[0]
    time.sleep(max(0.0, plan.seconds - (time.monotonic() - began)))


def _settle(system: System, say: Say) -> Result:
    """Ask the checker until it is content or patience ends; then once more, when nobody sends anything any more."""
    system.start_nothing_more()
    began = time.monotonic()
    before = 0
    while time.monotonic() < began + PATIENCE_SECONDS:
        time.sleep(LOOK_SECONDS)
        system.write_received()
        wrong = _look(system).wrong
        if len(wrong) != before:
            like = f", like {wrong[0]}" if wrong else ""
            say(f"{time.monotonic() - began:.0f} s after the last fault {len(wrong)} things are not right yet{like}")
            before = len(wrong)
        if not wrong and _all_missed(system):
            break
    settled_after = time.monotonic() - began
    system.silence()
    time.sleep(1)
    system.write_received()
    (system.folder / "database.json").write_text(json.dumps(read(system.database_url), indent=1))
    return Result(_look(system), settled_after)


def _all_missed(system: System) -> bool:
    """Whether those that are dead by now have been found dead; before that, the checker has less to look at."""
    dead = {one.name for one in system.plan.services if one.silences and one.silences[-1][1] is None}
    with psycopg.connect(system.database_url) as connection:
        found = connection.execute("SELECT heartbeat_name FROM medic.alerts WHERE kind = 'missed_heartbeat'").fetchall()
    return dead <= {name for (name,) in found}


def _look(system: System) -> Verdict:
    return check(system.folder, system.database_url, TERMS)
