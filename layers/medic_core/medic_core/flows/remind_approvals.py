"""People are reminded of approvals that wait for them: of each in its time, and of all together."""

from __future__ import annotations

from medic_core.domain.repair import digest
from medic_core.domain.repair.approvals import next_reminder, reminders_by
from medic_core.domain.repair.audit import AuditAction
from medic_core.domain.routing.messages import NoticeKind
from medic_core.domain.watching.lengths import spoken
from medic_core.flows.turn_effects import teams_of
from medic_core.store import approval_reminders, approvals_waiting, audit_log, notices
from medic_core.store.approval_reminders import Due
from medic_core.store.audit_log import Entry
from medic_core.store.connection import Database, Transaction

BATCH = 100
#: So that how long is left finds its place behind it.
MOST_OF_A_MESSAGE = 2800


def remind_approvals(database: Database, batch: int = BATCH) -> int:
    """Remind of each request whose time for it has come; returns how many. Any number of monitors may do so at once.

    One that is late, because nobody was there to remind, reminds once for all that is behind it.
    """
    reminded = 0
    while True:
        with database.transaction() as tx:
            claimed = approval_reminders.claim(tx, batch)
            for due in claimed:
                _remind(tx, due)
        reminded += len(claimed)
        if len(claimed) < batch:
            return reminded


def _remind(tx: Transaction, due: Due) -> None:
    reminders = reminders_by(due.now, due.requested_at, due.expires_at)
    approval_reminders.note(tx, due.request_id, reminders, next_reminder(due.requested_at, due.expires_at, reminders))
    name = due.heartbeat_name or "no service"
    heading = f"Still waiting: may Medic repair {name}? Playbook {due.playbook_name!r}, execution {due.execution_id}"
    because = f"{due.message[:MOST_OF_A_MESSAGE]} " if due.message else ""
    because += (
        f"{due.agreed} of {due.approvers_required} have agreed. Left to decide: {spoken(due.expires_at - due.now)}."
    )
    notices.add(
        tx,
        NoticeKind.APPROVAL_REMINDER,
        heading[:500],
        because,
        team_ids=teams_of(due.team_id),
        request_id=due.request_id,
    )
    details = {
        "request_id": due.request_id,
        "reminder": reminders,
        "agreed": due.agreed,
        "approvers_required": due.approvers_required,
        "expires_at": due.expires_at.isoformat(),
    }
    entry = Entry(AuditAction.APPROVAL_REMINDED, None, due.execution_id, due.playbook_id, due.service_id, details)
    audit_log.add(tx, [entry])


def tell_what_waits(database: Database) -> bool:
    """Tell of all approvals that wait, where it is time to (`digest`); whether it was. One of all monitors does."""
    with database.transaction() as tx:
        told = approvals_waiting.lock(tx)
        oldest, together = approvals_waiting.oldest(tx, digest.MOST_LISTED)
        if not digest.is_due(told.now, told.told_at, oldest):
            return False
        heading = f"{together} approvals wait, the first for {spoken(told.now - oldest[0].requested_at)}"
        notices.add(tx, NoticeKind.APPROVALS_WAITING, heading, digest.listed(oldest, together))
        approvals_waiting.note(tx, told.now)
        return True
