"""What follows from a turn, written: results of steps, the audit log, approvals, and what people hear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from medic_core.domain.repair.approvals import Rules, next_reminder
from medic_core.domain.repair.audit import AuditAction
from medic_core.domain.repair.execution import (
    AnswerTaken,
    AskPeople,
    Cause,
    Effect,
    Ended,
    Ending,
    Escalate,
    ExecutionStatus,
    Outcome,
    Progress,
    Run,
    StepBegan,
    StepEnded,
    StepStatus,
    Tell,
)
from medic_core.domain.repair.playbooks import Ask, Notify
from medic_core.domain.repair.variables import Values, fill
from medic_core.domain.routing.messages import NoticeKind
from medic_core.domain.watching.lengths import spoken
from medic_core.store import alert_attention, approvals, audit_log, executions, notices
from medic_core.store.approvals import ApprovalStatus
from medic_core.store.audit_log import Entry
from medic_core.store.connection import Transaction
from medic_core.store.executions import Locked, StepRow

AS_AUDIT = {
    StepStatus.COMPLETED: AuditAction.STEP_COMPLETED,
    StepStatus.FAILED: AuditAction.STEP_FAILED,
    StepStatus.SKIPPED: AuditAction.STEP_SKIPPED,
    StepStatus.UNKNOWN: AuditAction.STEP_UNKNOWN,
}
ENDS = {
    ExecutionStatus.COMPLETED: AuditAction.EXECUTION_COMPLETED,
    ExecutionStatus.FAILED: AuditAction.EXECUTION_FAILED,
    ExecutionStatus.CANCELLED: AuditAction.EXECUTION_CANCELLED,
}
#: People hear of these already, because they are escalated.
ESCALATED = frozenset({Outcome.ESCALATED, Outcome.UNKNOWN})
KEPT_OUTPUT, KEPT_ERROR, KEPT_IN_AUDIT = 8192, 2048, 4096


def write(tx: Transaction, locked: Locked, run: Run, progress: Progress, effects: Sequence[Effect]) -> int:
    """Write all that follows from a turn; returns how many notifications wait to leave."""
    executions.write_steps(tx, locked.execution_id, _rows(run, effects))
    entries = [entry for effect in effects if (entry := _entry(locked, run, effect)) is not None]
    told = sum(_act(tx, locked, run, progress, effect) for effect in effects)
    audit_log.add(tx, entries)
    return told


def ended(tx: Transaction, locked: Locked, ending: Ending, actor: str | None) -> int:
    """Write an end that does not come from the brain; returns how many notifications wait to leave."""
    executions.abandon_steps(tx, locked.execution_id, ending.because)
    audit_log.add(tx, [_end_entry(locked, ending, actor)])
    return _tell_end(tx, locked, ending)


def _rows(run: Run, effects: Sequence[Effect]) -> list[StepRow]:
    found: dict[tuple[int, int], StepRow] = {}
    for effect in effects:
        match effect:
            case StepBegan(index=index, attempt=attempt):
                step = run.playbook.all_steps[index]
                found[index, attempt] = StepRow(
                    index, attempt, step.name, step.type, StepStatus.RUNNING, "", "", is_over=False
                )
            case StepEnded(index=index, attempt=attempt, status=status, output=output, error=error):
                step = run.playbook.all_steps[index]
                found[index, attempt] = StepRow(
                    index, attempt, step.name, step.type, status, output[:KEPT_OUTPUT], error[:KEPT_ERROR], is_over=True
                )
            case _:
                pass
    return list(found.values())


def _entry(locked: Locked, run: Run, effect: Effect) -> Entry | None:
    match effect:
        case StepEnded():
            action = AuditAction.STEP_RETRIED if effect.again else AS_AUDIT[effect.status]
            return _noted(locked, action, _step_details(run, effect))
        case AskPeople(index=index, expires_at=expires_at):
            details = {"step_index": index, "expires_at": expires_at.isoformat()}
            return _noted(locked, AuditAction.APPROVAL_REQUESTED, details)
        case AnswerTaken(by=None, approved=approved, reason=reason):
            action = AuditAction.APPROVED if approved else AuditAction.APPROVAL_EXPIRED
            return _noted(locked, action, {"reason": reason})
        case Escalate(because=because):
            return _noted(locked, AuditAction.ESCALATED, {"because": because})
        case Ended(ending=ending):
            return _end_entry(locked, ending, None)
        case _:
            return None


def _step_details(run: Run, effect: StepEnded) -> dict[str, Any]:
    step = run.playbook.all_steps[effect.index]
    return {
        "step_name": step.name,
        "step_index": effect.index,
        "step_type": step.type.value,
        "attempt": effect.attempt,
        **({"output": effect.output[:KEPT_IN_AUDIT]} if effect.output else {}),
        **({"error_message": effect.error[:KEPT_ERROR]} if effect.error else {}),
    }


def _end_entry(locked: Locked, ending: Ending, actor: str | None) -> Entry:
    details = {
        "playbook_name": locked.context.get("PLAYBOOK_NAME", ""),
        "outcome": ending.outcome.value,
        "because": ending.because,
    }
    return _noted(locked, ENDS[ending.status], details, actor)


def _noted(locked: Locked, action: AuditAction, details: dict[str, Any], actor: str | None = None) -> Entry:
    return Entry(action, actor, locked.execution_id, locked.playbook_id, locked.service_id, details)


def _act(tx: Transaction, locked: Locked, run: Run, progress: Progress, effect: Effect) -> int:
    match effect:
        case Tell(index=index):
            return _tell(tx, locked, run, progress, index)
        case AskPeople():
            return _ask(tx, locked, run, progress, effect)
        case AnswerTaken(by=None, approved=approved, reason=reason):
            status = ApprovalStatus.APPROVED if approved else ApprovalStatus.EXPIRED
            request_id = approvals.end(tx, locked.execution_id, status, reason)
            what = "Approved by itself" if approved else "Not approved in time"
            return told_of_decision(tx, locked, request_id, what) if request_id is not None else 0
        case Escalate(because=because):
            return _escalate(tx, locked, because)
        case Ended(ending=ending):
            executions.abandon_steps(tx, locked.execution_id, ending.because)
            return _tell_end(tx, locked, ending)
        case _:
            return 0


def _tell(tx: Transaction, locked: Locked, run: Run, progress: Progress, index: int) -> int:
    action = run.playbook.all_steps[index].action
    assert isinstance(action, Notify)
    values = Values(run.context, progress.outputs, None)
    heading = fill(action.title, values) if action.title else f"{named(locked)}: {run.playbook.name}"
    return notice(tx, locked, NoticeKind.PLAYBOOK_MESSAGE, heading, fill(action.message, values))


def _ask(tx: Transaction, locked: Locked, run: Run, progress: Progress, asked: AskPeople) -> int:
    whole = run.playbook.approval
    step = run.playbook.all_steps[asked.index] if asked.index is not None else None
    action = step.action if step is not None else None
    approvers, message = whole.approvers, run.playbook.description
    if isinstance(action, Ask):
        approvers, message = action.approvers, fill(action.message, Values(run.context, progress.outputs, None))
    first = 0 if asked.index is None else asked.index + 1
    request_id = approvals.add(
        tx,
        approvals.New(
            execution_id=locked.execution_id,
            step_index=asked.index,
            rules=Rules(approvers.names, approvers.required, _asked_for_by(locked) if approvers.four_eyes else ()),
            message=message,
            steps=[f"{step.name} ({step.type})" for step in run.playbook.all_steps[first:]],
            expires_at=asked.expires_at,
            remind_at=next_reminder(locked.now, asked.expires_at, 0),
        ),
    )
    heading = f"May Medic {_repair(locked)}? Playbook {run.playbook.name!r}, execution {locked.execution_id}"
    because = f"{message} " if message else ""
    because += f"It waits for an approval for {spoken(asked.expires_at - locked.now)}."
    notice(tx, locked, NoticeKind.APPROVAL_REQUESTED, heading, because, request_id)
    return 1


def _asked_for_by(locked: Locked) -> tuple[str, ...]:
    """Everybody who it may have been; nobody where no person asked."""
    if locked.cause is not Cause.API:
        return ()
    return (locked.started_by, *([locked.started_with] if locked.started_with else []))


def told_of_decision(tx: Transaction, locked: Locked, request_id: int, what: str) -> int:
    """Have those hear who were asked: their message is not to be answered any more."""
    heading = f"{what}: playbook {locked.context.get('PLAYBOOK_NAME', '')!r} for {named(locked)}"
    because = f"Execution {locked.execution_id}."
    return notice(tx, locked, NoticeKind.APPROVAL_DECIDED, heading, because, request_id)


def _escalate(tx: Transaction, locked: Locked, because: str) -> int:
    """Where there is an alert, all that its route reaches hear of it; where there is none, this is the incident."""
    said = f"playbook {locked.context.get('PLAYBOOK_NAME', '')!r} (execution {locked.execution_id}): {because}"[:3000]
    if locked.alert_id is not None and alert_attention.escalate(tx, locked.alert_id, said):
        return 1
    # Of an alert that is over by now nobody needs to be woken.
    kind = NoticeKind.EXECUTION_ESCALATED if locked.alert_id is None else NoticeKind.EXECUTION_FAILED
    heading = f"Repair of {named(locked)} did not help" if service_of(locked) else "A playbook did not help"
    return notice(tx, locked, kind, heading, said)


def _tell_end(tx: Transaction, locked: Locked, ending: Ending) -> int:
    told = 0
    request_id = approvals.end(tx, locked.execution_id, ApprovalStatus.WITHDRAWN, ending.because)
    if request_id is not None:
        audit_log.add(tx, [_noted(locked, AuditAction.APPROVAL_WITHDRAWN, {"reason": ending.because})])
        told += told_of_decision(tx, locked, request_id, f"No approval is needed any more ({ending.because})")
    if ending.status is not ExecutionStatus.FAILED or ending.outcome in ESCALATED:
        return told
    heading = f"Repair of {named(locked)} failed: playbook {locked.context.get('PLAYBOOK_NAME', '')!r}"
    because = f"{ending.because} (execution {locked.execution_id})"
    return told + notice(tx, locked, NoticeKind.EXECUTION_FAILED, heading, because)


def notice(
    tx: Transaction, locked: Locked, kind: NoticeKind, heading: str, because: str, request_id: int | None = None
) -> int:
    """Tell the service's team and the default channel."""
    teams = teams_of(locked.team_id)
    notices.add(tx, kind, heading[:500], because[:3000], team_ids=teams, request_id=request_id)
    return 1


def teams_of(team_id: int | None) -> list[int]:
    """Who hears of it besides the default channel."""
    return [team_id] if team_id is not None else []


def _repair(locked: Locked) -> str:
    name = service_of(locked)
    return f"repair {name}" if name else "go ahead"


def service_of(locked: Locked) -> str:
    """The service as people know it; empty where there is none."""
    return str(locked.context.get("HEARTBEAT_NAME") or locked.heartbeat_name or "")


def named(locked: Locked) -> str:
    """The same, where something has to stand."""
    return service_of(locked) or "no service"
