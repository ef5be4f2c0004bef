"""Batches that nobody decided in time end, and those who were asked hear so."""

from __future__ import annotations

from medic_core.domain.repair.audit import AuditAction
from medic_core.domain.routing.messages import NoticeKind
from medic_core.store import audit_log, notices, repair_batches
from medic_core.store.audit_log import Entry
from medic_core.store.connection import Transaction
from medic_core.store.repair_batches import Expired


def expire_batches(tx: Transaction, trigger_id: int | None = None) -> int:
    """End batches whose time is over, of one trigger or of all; returns how many. Each ends once, whoever looks."""
    expired = repair_batches.expire(tx, trigger_id)
    audit_log.add(tx, [_entry(one) for one in expired])
    for one in expired:
        heading = f"Nobody decided about batch {one.batch_id}: its repairs by trigger {one.trigger_id} do not start"
        because = f"It waited for {one.services} services; its time is over. Who fails again is asked about anew."
        notices.add(tx, NoticeKind.EXECUTION_BLOCKED, heading, because)
    return len(expired)


def _entry(one: Expired) -> Entry:
    details = {"batch_id": one.batch_id, "trigger_id": one.trigger_id, "services": one.services}
    return Entry(AuditAction.BATCH_EXPIRED, None, None, one.playbook_id, None, details)
