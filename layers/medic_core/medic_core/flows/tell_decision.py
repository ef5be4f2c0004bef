"""A decision reaches the run that waits for it; one that does not wait any more is looked after at once.

The state machine refuses a token where it has lost the run, where somebody stopped it outside of Medic, and where its
time was over at that moment. A token that no key opens any more is as good as lost.
"""

from __future__ import annotations

from datetime import timedelta
from enum import Enum, auto

from medic_core.domain.repair.audit import AuditAction
from medic_core.domain.repair.execution import Doing
from medic_core.flows.sealed import token_context
from medic_core.ports import Machine, Sealer
from medic_core.store import approvals, audit_log, engine_runs, executions, outbox, task_tokens
from medic_core.store.audit_log import Entry
from medic_core.store.connection import Database, Transaction
from medic_core.store.executions import Locked
from medic_core.store.outbox import Topic
from medic_core.store.task_tokens import TaskToken

#: A run that does not wait any more, and is not lost, is on its way back by itself: so long it may take.
BACK_WITHIN = timedelta(seconds=30)


class _Answer(Enum):
    NOT_ASKED = auto()  #: no run waits: it hears of the decision when it comes to
    TAKEN = auto()
    REFUSED = auto()
    SEALED = auto()  #: no key opens the token


BECAUSE = {
    _Answer.REFUSED: "the state machine did not wait for it any more",
    _Answer.SEALED: "no key opens the run's token any more",
}


def tell_decision(database: Database, machine: Machine, sealer: Sealer, request_id: int) -> int | None:
    """Hand a request's token back; the execution whose run must be looked after, None where all is well.

    1. Hand it back, while nothing is locked.
    2. Lock the execution and note what came of it. Where a run has left another token meanwhile, begin again.

    Repeated after a crash, it finds what was noted, or that the execution has gone on.
    """
    while True:
        with database.autocommit() as connection:
            token = task_tokens.read(connection, request_id)
        answer = _handed_back(machine, sealer, request_id, token)
        with database.transaction() as tx:
            locked = executions.lock(tx, token.execution_id) if token is not None else None
            now = task_tokens.read(tx, request_id)
            if token is None or now is None or now.sealed == token.sealed:
                outbox.done(tx, Topic.DECISION, request_id)
                return _noted(tx, locked, request_id, now, answer)


def _handed_back(machine: Machine, sealer: Sealer, request_id: int, token: TaskToken | None) -> _Answer:
    if token is None or token.sealed is None:
        return _Answer.NOT_ASKED
    try:
        opened = sealer.open(bytes(token.sealed), token_context(request_id)).decode()
    except ValueError:
        return _Answer.SEALED
    return _Answer.TAKEN if machine.answer(opened, {}) else _Answer.REFUSED


def _noted(
    tx: Transaction, locked: Locked | None, request_id: int, token: TaskToken | None, answer: _Answer
) -> int | None:
    if answer is _Answer.TAKEN:
        task_tokens.note_answered(tx, request_id)
    if answer not in BECAUSE or locked is None or token is None:
        return None
    if token.is_answered or not _waits(tx, locked, request_id):
        return None
    task_tokens.note_refused(tx, request_id)
    # A run whose token nobody can open waits on, where it lives: it is overdue from now on.
    back_within = BACK_WITHIN if answer is _Answer.REFUSED else timedelta(0)
    engine_runs.look_now(tx, locked.execution_id, back_within)
    details = {"request_id": request_id, "because": BECAUSE[answer]}
    entry = Entry(
        AuditAction.DECISION_REFUSED, None, locked.execution_id, locked.playbook_id, locked.service_id, details
    )
    audit_log.add(tx, [entry])
    return locked.execution_id


def _waits(tx: Transaction, locked: Locked, request_id: int) -> bool:
    """Whether an execution still stands where it asked."""
    if locked.is_over or locked.progress.doing is not Doing.APPROVAL:
        return False
    newest = approvals.newest(tx, locked.execution_id)
    return newest is not None and newest.request_id == request_id
