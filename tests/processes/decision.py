"""Somebody approves, and the process that hands it on kills itself somewhere on the way.

python -m tests.processes.decision EXECUTION DIARY waits|lost WHERE

The state machine is one that `waits` for the decision, or has `lost` the run. What it was asked is in the diary, a line
each. WHERE is "before vote", "after vote", or before or after one of "answer", "status", "start".
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from medic_core.domain.repair.approvals import Via, Voter
from medic_core.flows import approve, engine
from medic_core.ports import EngineStatus
from medic_core.store.connection import Database
from tests.fixtures.repairing import SECRETS
from tests.processes import waits_for_long

ANN = Voter("ann", "ann", Via.API, "ann")


class Diarist:
    """Keeps `ports.Machine`, writes down what it has done, and dies where it should."""

    def __init__(self, diary: Path, dies: Callable[[str], None], *, lost: bool) -> None:
        self._diary, self._dies, self._lost = diary, dies, lost

    def _does(self, what: str, subject: str) -> None:
        self._dies(f"before {what}")
        with self._diary.open("a") as diary:
            diary.write(json.dumps([what, subject]) + "\n")
        self._dies(f"after {what}")

    def start(self, name: str, given: Mapping[str, Any]) -> None:
        self._does("start", name)

    def stop(self, name: str) -> None:
        self._does("stop", name)

    def status(self, name: str) -> EngineStatus:
        self._does("status", name)
        return EngineStatus.UNKNOWN if self._lost else EngineStatus.RUNNING

    def answer(self, task_token: str, given: Mapping[str, Any]) -> bool:
        self._does("answer", task_token)
        return not self._lost


def main() -> None:
    waits_for_long()
    execution_id, diary, how, where = sys.argv[1:]

    def dies(here: str) -> None:
        if here == where:
            os.kill(os.getpid(), signal.SIGKILL)

    database = Database(os.environ["DATABASE_URL"])
    with database.transaction() as tx:
        approve.decide(tx, int(execution_id), ANN, "", approved=True)
        dies("before vote")
    dies("after vote")
    engine.relay(database, Diarist(Path(diary), dies, lost=how == "lost"), SECRETS)


if __name__ == "__main__":
    main()
