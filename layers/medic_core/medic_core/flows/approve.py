"""A decision about an approval: voted on by people, taken once, and from then on the same for everybody."""

from __future__ import annotations

from dataclasses import dataclass

from medic_core.domain.repair.approvals import Voter, refusal
from medic_core.domain.repair.audit import AuditAction
from medic_core.errors import Conflict, Forbidden, NotFound
from medic_core.flows import turn_effects
from medic_core.store import approvals, audit_log, executions, outbox
from medic_core.store.approvals import ApprovalStatus, Request
from medic_core.store.audit_log import Entry
from medic_core.store.connection import Transaction
from medic_core.store.executions import Locked
from medic_core.store.outbox import Topic

NO_EXECUTION = "No execution has this id."
NO_REQUEST = "This execution waits for no approval."
PAST = {ApprovalStatus.APPROVED: "Approved", ApprovalStatus.REJECTED: "Rejected"}


@dataclass(frozen=True, slots=True)
class Counted:
    """What a vote made of a request. `status` is pending where more have to agree: `agreed` of `required` have."""

    status: ApprovalStatus
    agreed: int
    required: int

    def __str__(self) -> str:
        if self.status is ApprovalStatus.PENDING:
            return f"Your approval counts: {self.agreed} of {self.required}."
        return f"{PAST[self.status]}."


def decide(tx: Transaction, execution_id: int, voter: Voter, reason: str, *, approved: bool) -> Counted:
    """Count a vote about what an execution waits for. One decision is taken, whoever else decides at the same time.

    1. Lock the execution: votes, its expiry and its cancelling happen one after the other.
    2. Whether there is something to decide, and whether this voter may.
    3. Keep the vote. One that rejects decides, and so does the last approval that was needed.
    4. With the decision: audit log, what the state machine hears, what people hear.

    Raises NotFound, Forbidden, Conflict that says what was decided before.
    """
    locked = executions.lock(tx, execution_id)
    if locked is None:
        raise NotFound(NO_EXECUTION)
    request = approvals.newest(tx, execution_id)
    if request is None or not request.is_open:
        raise Conflict(what_became_of(request))
    because = refusal(request.rules, voter, approved=approved)
    if because is not None:
        raise Forbidden(because)
    agreed = approvals.vote(tx, request.request_id, voter, reason, approved=approved)
    if agreed is None:
        have = f"{request.agreed} of {request.approvers_required}"
        raise Conflict(f"{voter.shown} has voted already; {have} have approved so far.")
    if approved and agreed < request.approvers_required:
        _noted(tx, locked, request, AuditAction.APPROVAL_VOTED, voter, reason)
        return Counted(ApprovalStatus.PENDING, agreed, request.approvers_required)
    return _decided(tx, locked, request, voter, reason, agreed, approved=approved)


def decide_request(tx: Transaction, request_id: int, voter: Voter, reason: str, *, approved: bool) -> Counted:
    """The same about one request: a link or a button decides what it was made for, and nothing that came later.

    Raises as `decide`.
    """
    request = approvals.read(tx, request_id)
    if request is None:
        raise NotFound(NO_REQUEST)
    if not request.is_open:
        raise Conflict(what_became_of(request))
    return decide(tx, request.execution_id, voter, reason, approved=approved)


def what_became_of(request: Request | None) -> str:
    """Why there is nothing to decide (any more)."""
    if request is None:
        return NO_REQUEST
    match request.status:
        case ApprovalStatus.PENDING | ApprovalStatus.EXPIRED:
            return "This approval has expired: nobody decided in time."
        case ApprovalStatus.WITHDRAWN:
            return f"This approval is not needed any more: {request.reason}."
        case ApprovalStatus.APPROVED | ApprovalStatus.REJECTED:
            by = f" by {request.decided_by}" if request.decided_by else " by itself"
            return f"Decided already: {request.status}{by}."


def _decided(
    tx: Transaction, locked: Locked, request: Request, voter: Voter, reason: str, agreed: int, *, approved: bool
) -> Counted:
    status = ApprovalStatus.APPROVED if approved else ApprovalStatus.REJECTED
    by = _everybody(tx, request) if approved and request.approvers_required > 1 else voter.shown
    if not approvals.decide(tx, request.request_id, status, by, reason):
        raise Conflict(what_became_of(approvals.read(tx, request.request_id)))
    _noted(tx, locked, request, AuditAction.APPROVED if approved else AuditAction.REJECTED, voter, reason)
    outbox.add(tx, Topic.DECISION, request.request_id)
    what = f"{PAST[status]} by {by}" + (f" ({reason})" if reason else "")
    turn_effects.told_of_decision(tx, locked, request.request_id, what)
    return Counted(status, agreed, request.approvers_required)


def _everybody(tx: Transaction, request: Request) -> str:
    """Those who have agreed, with the vote that was kept just now."""
    voted = approvals.read(tx, request.request_id)
    assert voted is not None
    return ", ".join(vote.shown for vote in voted.votes if vote.approved)


def _noted(tx: Transaction, locked: Locked, request: Request, action: AuditAction, voter: Voter, reason: str) -> None:
    details = {
        "playbook_name": locked.context.get("PLAYBOOK_NAME", ""),
        "request_id": request.request_id,
        "via": voter.via.value,
        "voter": voter.key,
        "reason": reason,
    }
    audit_log.add(tx, [Entry(action, voter.shown, locked.execution_id, locked.playbook_id, locked.service_id, details)])
