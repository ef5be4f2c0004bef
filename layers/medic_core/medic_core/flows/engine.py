"""What was committed reaches the state machine: executions begin, end, and hear of decisions, each once in effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from medic_core.domain.repair.audit import AuditAction
from medic_core.domain.repair.execution import Ending, ExecutionStatus, Outcome
from medic_core.flows import advance
from medic_core.flows.sealed import token_context
from medic_core.ports import EngineStatus, Machine, Sealer
from medic_core.store import approvals, audit_log, engine_runs, executions, outbox
from medic_core.store.approvals import ApprovalStatus
from medic_core.store.audit_log import Entry
from medic_core.store.connection import Database, Transaction
from medic_core.store.outbox import Topic

TOPICS = (Topic.START, Topic.STOP, Topic.DECISION)
#: The state machine loses one so often, and no more.
MOST_RUNS = 5
LOST_TOO_OFTEN = "the state machine has lost it again and again"


def relay(database: Database, machine: Machine, sealer: Sealer, batch: int = 20) -> int:
    """Hand to the state machine what waits for it, at least once; returns how many.

    Leased and committed first, so that nothing is locked while a network is slow. A start has a name that counts once.
    """
    sent = 0
    while True:
        with database.transaction() as tx:
            waiting = outbox.lease(tx, TOPICS, batch)
        for topic, subject_id in waiting:
            HANDED[topic](database, machine, sealer, subject_id)
        sent += len(waiting)
        if len(waiting) < batch:
            return sent


def _start(database: Database, machine: Machine, sealer: Sealer, execution_id: int) -> None:  # noqa: ARG001
    with database.autocommit() as connection:
        found = engine_runs.read(connection, execution_id)
    if found is not None and not found.is_over:
        machine.start(found.engine_name, given_to_engine(execution_id, found.engine_name, found.seq))
    _done(database, Topic.START, execution_id)


def given_to_engine(execution_id: int, engine_name: str, seq: int) -> dict[str, object]:
    """The input of a run: ids, nothing else, and never a time, so that a repetition is the same."""
    return {"execution_id": execution_id, "engine_name": engine_name, "seq": seq, "outcome": {}}


def _stop(database: Database, machine: Machine, sealer: Sealer, execution_id: int) -> None:  # noqa: ARG001
    with database.autocommit() as connection:
        found = engine_runs.read(connection, execution_id)
    if found is not None:
        machine.stop(found.engine_name)
    _done(database, Topic.STOP, execution_id)


def _decide(database: Database, machine: Machine, sealer: Sealer, request_id: int) -> None:
    """Without a token the state machine has not come to wait yet: it hears of the decision when it does."""
    with database.autocommit() as connection:
        found = approvals.token(connection, request_id)
    if found is not None and found[0] is not None:
        token = sealer.open(bytes(found[0]), token_context(request_id)).decode()
        machine.answer(token, {})
    _done(database, Topic.DECISION, request_id)


def _done(database: Database, topic: Topic, subject_id: int) -> None:
    with database.transaction() as tx:
        outbox.done(tx, topic, subject_id)


HANDED: dict[Topic, Callable[[Database, Machine, Sealer, int], None]] = {
    Topic.START: _start,
    Topic.STOP: _stop,
    Topic.DECISION: _decide,
}


def keep_token(database: Database, execution_id: int, engine_name: str, task_token: str, sealer: Sealer) -> None:
    """The state machine waits for a decision. One that was taken meanwhile reaches it by the outbox."""
    with database.transaction() as tx:
        locked = executions.lock(tx, execution_id)
        request = approvals.newest(tx, execution_id)
        if locked is None or locked.engine_name != engine_name or request is None:
            return
        sealed = sealer.seal(task_token.encode(), token_context(request.request_id))
        approvals.keep_token(tx, request.request_id, sealed)
        if request.status is not ApprovalStatus.PENDING:
            outbox.add(tx, Topic.DECISION, request.request_id)


@dataclass(slots=True)
class Reconciled:
    """What was found of executions and their runs."""

    looked: int = 0
    resumed: int = 0
    failed: int = 0
    #: Notifications that wait to leave.
    told: int = 0


def reconcile(database: Database, machine: Machine, batch: int = 50) -> Reconciled:
    """Ask the state machine for executions that it should have come back with, and for all others now and then.

    One that it has lost, or that ended there without ending here, goes on in another run from where it stands.
    """
    found = Reconciled()
    with database.transaction() as tx:
        claimed = engine_runs.claim(tx, batch)
    for run in claimed:
        found.looked += 1
        status = machine.status(run.engine_name)
        if status is EngineStatus.RUNNING and not run.is_overdue:
            continue
        if status is EngineStatus.RUNNING:
            machine.stop(run.engine_name)
        with database.transaction() as tx:
            _resume(tx, run, found)
    return found


def _resume(tx: Transaction, run: engine_runs.EngineRun, found: Reconciled) -> None:
    locked = executions.lock(tx, run.execution_id)
    if locked is None or locked.is_over or locked.engine_name != run.engine_name or locked.seq != run.seq:
        return
    if locked.engine_runs >= MOST_RUNS:
        found.failed += 1
        found.told += advance.end(tx, locked, Ending(ExecutionStatus.FAILED, Outcome.FAILED, LOST_TOO_OFTEN))
        return
    found.resumed += 1
    engine_runs.renew(tx, run.execution_id, engine_runs.new_name())
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
