"""What people do with executions: cancel one, decide about those that are held."""

from __future__ import annotations

from medic_core.domain.repair.audit import AuditAction
from medic_core.domain.repair.execution import Cause, Ending, ExecutionStatus, Outcome
from medic_core.domain.repair.guards import Blocked, decide
from medic_core.errors import Conflict, NotFound
from medic_core.flows import advance, approve, start_repair
from medic_core.flows.start_repair import Wanted
from medic_core.store import audit_log, executions, firings, outbox, playbooks, repair_batches
from medic_core.store.audit_log import Entry
from medic_core.store.connection import Transaction
from medic_core.store.executions import Locked
from medic_core.store.firings import FiringDecision
from medic_core.store.outbox import Topic


def cancel(tx: Transaction, execution_id: int, actor: str, reason: str) -> None:
    """End an execution here and now, whatever it waits for. What is under way outside cannot be called back.

    Raises NotFound, Conflict where it is over.
    """
    locked = _under_way(tx, execution_id)
    because = f"cancelled by {actor}" + (f": {reason}" if reason else "")
    advance.end(tx, locked, Ending(ExecutionStatus.CANCELLED, Outcome.CANCELLED, because), actor)
    outbox.add(tx, Topic.STOP, execution_id)


def _under_way(tx: Transaction, execution_id: int) -> Locked:
    locked = executions.lock(tx, execution_id)
    if locked is None:
        raise NotFound(approve.NO_EXECUTION)
    if locked.is_over:
        raise Conflict(f"This execution is over already: {locked.status}.")
    return locked


def decide_batch(tx: Transaction, batch_id: int, actor: str, most_recent: int, *, approved: bool) -> int:
    """Have the repairs of a batch start, or drop them; how many start. The brake does not hold them again.

    Raises NotFound, Conflict where it is decided or expired.
    """
    found = repair_batches.listed(tx, batch_id)
    if not found:
        raise NotFound("No batch has this id.")
    if approved:
        firings.lock_services(tx, [one.service_id for one in firings.held(tx, batch_id)])
    status = "approved" if approved else "rejected"
    if not repair_batches.decide(tx, batch_id, status, actor):
        raise Conflict(f"Nothing to decide: this batch is {found[0].status} or its time is over.")
    action = AuditAction.BATCH_APPROVED if approved else AuditAction.BATCH_REJECTED
    audit_log.add(tx, [Entry(action, actor, None, found[0].playbook_id, None, {"batch_id": batch_id})])
    held = firings.held(tx, batch_id)
    if approved:
        return sum(_start_held(tx, one, found[0].playbook_id, actor, most_recent) for one in held)
    for one in held:
        repair_batches.release(tx, one.firing_id, FiringDecision.BLOCKED, f"the batch was rejected by {actor}", None)
    return 0


def _start_held(tx: Transaction, held: firings.Held, playbook_id: int, actor: str, most_recent: int) -> bool:
    playbook = playbooks.read(tx, playbook_id)
    because = _in_the_way(tx, held, playbook_id, most_recent) if playbook is not None else "the playbook was deleted"
    execution_id = None
    if playbook is not None and not because:
        context, team_id = start_repair.context_by_hand(tx, held.service_id, {})
        context = {**context, **held.context()}
        by = f"batch approved by {actor}"
        wanted = Wanted(playbook, Cause.ALERT, by, context, held.service_id, team_id, held.alert_id, held.trigger_id)
        execution_id = start_repair.begin(tx, wanted)
    decided = FiringDecision.STARTED if execution_id is not None else FiringDecision.BLOCKED
    repair_batches.release(tx, held.firing_id, decided, because or f"the batch was approved by {actor}", execution_id)
    return execution_id is not None


def _in_the_way(tx: Transaction, held: firings.Held, playbook_id: int, most_recent: int) -> str:
    """What keeps a repair of an approved batch from starting; empty where nothing does."""
    if held.is_over:
        return "the alert was over"
    decision = decide(start_repair.situation(tx, playbook_id, held.service_id, most_recent))
    return decision.because if isinstance(decision, Blocked) else ""
