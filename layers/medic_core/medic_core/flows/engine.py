"""What was committed reaches the state machine: executions begin, end, and hear of decisions, each once in effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from medic_core.flows.reconcile import reconcile
from medic_core.flows.sealed import token_context
from medic_core.flows.tell_decision import tell_decision
from medic_core.ports import Machine, Sealer
from medic_core.store import approvals, engine_runs, executions, outbox, task_tokens
from medic_core.store.approvals import ApprovalStatus
from medic_core.store.connection import Database
from medic_core.store.outbox import Topic

TOPICS = (Topic.START, Topic.STOP, Topic.DECISION)


@dataclass(slots=True)
class Handed:
    """What the state machine was handed; decisions that it refused, and executions that went on elsewhere for it."""

    sent: int = 0
    refused: int = 0
    resumed: int = 0


def relay(database: Database, machine: Machine, sealer: Sealer, batch: int = 20) -> Handed:
    """Hand to the state machine what waits for it, at least once.

    Leased and committed first, so that nothing is locked while a network is slow. A start has a name that counts once.
    A decision that is refused has its run looked after here: whoever decided sees it go on, not at the next sweep.
    """
    handed = Handed()
    while True:
        with database.transaction() as tx:
            waiting = outbox.lease(tx, TOPICS, batch)
        resumed = handed.resumed
        for topic, subject_id in waiting:
            HANDED[topic](database, machine, sealer, subject_id, handed)
        handed.sent += len(waiting)
        if len(waiting) < batch and handed.resumed == resumed:
            return handed


def _start(database: Database, machine: Machine, sealer: Sealer, execution_id: int, handed: Handed) -> None:  # noqa: ARG001
    with database.autocommit() as connection:
        found = engine_runs.read(connection, execution_id)
    if found is not None and not found.is_over:
        machine.start(found.engine_name, given_to_engine(execution_id, found.engine_name, found.seq))
    with database.transaction() as tx:
        locked = executions.lock(tx, execution_id)
        # Where it goes on in another run meanwhile, that one's start waits under the same row.
        if found is None or locked is None or locked.engine_name == found.engine_name:
            outbox.done(tx, Topic.START, execution_id)


def given_to_engine(execution_id: int, engine_name: str, seq: int) -> dict[str, object]:
    """The input of a run: ids, nothing else, and never a time, so that a repetition is the same."""
    return {"execution_id": execution_id, "engine_name": engine_name, "seq": seq, "outcome": {}}


def _stop(database: Database, machine: Machine, sealer: Sealer, execution_id: int, handed: Handed) -> None:  # noqa: ARG001
    with database.autocommit() as connection:
        found = engine_runs.read(connection, execution_id)
    if found is not None:
        machine.stop(found.engine_name)
    with database.transaction() as tx:
        outbox.done(tx, Topic.STOP, execution_id)


def _decide(database: Database, machine: Machine, sealer: Sealer, request_id: int, handed: Handed) -> None:
    refused = tell_decision(database, machine, sealer, request_id)
    if refused is not None:
        handed.refused += 1
        handed.resumed += reconcile(database, machine, refused).resumed


HANDED: dict[Topic, Callable[[Database, Machine, Sealer, int, Handed], None]] = {
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
        task_tokens.keep(tx, request.request_id, sealed)
        if request.status is not ApprovalStatus.PENDING:
            outbox.add(tx, Topic.DECISION, request.request_id)
