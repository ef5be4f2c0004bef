"""Executions and their runs are brought together again where the state machine has lost one or ended it."""

from __future__ import annotations

from dataclasses import dataclass

from medic_core.domain.repair.audit import AuditAction
from medic_core.domain.repair.execution import Ending, ExecutionStatus, Outcome
from medic_core.flows import advance
from medic_core.ports import EngineStatus, Machine
from medic_core.store import audit_log, engine_runs, executions, outbox, task_tokens
from medic_core.store.audit_log import Entry
from medic_core.store.connection import Database, Transaction
from medic_core.store.engine_runs import EngineRun
from medic_core.store.outbox import Topic

#: The state machine loses one so often before it comes back, and no more; what waits for days outlives any number.
MOST_RUNS = 5
LOST_TOO_OFTEN = "the state machine has lost it again and again"


@dataclass(slots=True)
class Reconciled:
    """What was found of executions and their runs."""

    looked: int = 0
    resumed: int = 0
    failed: int = 0
    #: Starts that waited for their turn in the outbox, and leave next.
    hastened: int = 0

    @property
    def to_start(self) -> int:
        """How many runs wait to be handed to the state machine."""
        return self.resumed + self.hastened


def look_at_all(database: Database) -> None:
    """Have the next `reconcile` ask for every execution under way, whenever somebody has asked for it last.

    Whoever starts anew does not know for how long nobody looked, nor what has been started anew besides.
    """
    with database.transaction() as tx:
        engine_runs.look_at_all(tx)


def reconcile(database: Database, machine: Machine, execution_id: int | None = None, batch: int = 50) -> Reconciled:
    """Ask the state machine for executions that it should have come back with, and for all others now and then.

    One that it has lost, or that ended there without ending here, goes on in another run from where it stands. One
    whose start was never handed over is not lost: it is handed over. Of all that are due, or of one execution.
    """
    found = Reconciled()
    while True:
        with database.transaction() as tx:
            claimed = engine_runs.claim(tx, batch, execution_id)
        for run in claimed:
            found.looked += 1
            _look_after(database, machine, run, found)
        if len(claimed) < batch:
            return found


def _look_after(database: Database, machine: Machine, run: EngineRun, found: Reconciled) -> None:
    if run.is_starting:
        with database.transaction() as tx:
            outbox.add(tx, Topic.START, run.execution_id)
        found.hastened += 1
        return
    status = machine.status(run.engine_name)
    if (status is EngineStatus.RUNNING and not run.is_overdue) or (status is EngineStatus.UNKNOWN and run.is_young):
        return
    if status is EngineStatus.RUNNING:
        machine.stop(run.engine_name)
    with database.transaction() as tx:
        _resume(tx, run, status, found)


def _resume(tx: Transaction, run: EngineRun, status: EngineStatus, found: Reconciled) -> None:
    locked = executions.lock(tx, run.execution_id)
    if locked is None or locked.is_over or locked.engine_name != run.engine_name or locked.seq != run.seq:
        return
    # Resumed by somebody while it was claimed: then the claim saw the new run's name beside the former one's start.
    start = engine_runs.start_of(tx, run.execution_id)
    if start.waits or (start.is_young and status is EngineStatus.UNKNOWN):
        return
    if locked.engine_runs >= MOST_RUNS:
        found.failed += 1
        advance.end(tx, locked, Ending(ExecutionStatus.FAILED, Outcome.FAILED, LOST_TOO_OFTEN))
        return
    found.resumed += 1
    engine_runs.renew(tx, run.execution_id, engine_runs.new_name())
    task_tokens.forget(tx, run.execution_id)
    outbox.add(tx, Topic.START, run.execution_id)
    details = {"engine_runs": locked.engine_runs + 1}
    audit_log.add(
        tx,
        [
            Entry(
                AuditAction.EXECUTION_RESUMED,
                execution_id=run.execution_id,
                playbook_id=locked.playbook_id,
                service_id=locked.service_id,
                details=details,
            )
        ],
    )
