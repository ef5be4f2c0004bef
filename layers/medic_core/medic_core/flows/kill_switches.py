"""Repairs are stopped, all of them or some, and let go again; who did it is noted."""

from __future__ import annotations

from medic_core.domain.repair.audit import AuditAction
from medic_core.domain.repair.kill_switches import KillLevel
from medic_core.errors import BadRequest, NotFound
from medic_core.store import audit_log, kill_switches
from medic_core.store.audit_log import Entry
from medic_core.store.connection import Transaction
from medic_core.store.kill_switches import KillSwitch


def throw(
    tx: Transaction, level: KillLevel, subject_id: int | None, reason: str, actor: str
) -> tuple[KillSwitch, bool]:
    """Stop repairs; whether they were not stopped by it before. Raises BadRequest for a subject that is not there."""
    if (level is KillLevel.GLOBAL) != (subject_id is None):
        raise BadRequest("subject_id: a global kill switch has none; every other one needs it.")
    if not kill_switches.subject_exists(tx, level, subject_id):
        raise BadRequest(f"subject_id: no {level} has the id {subject_id}.")
    found, is_new = kill_switches.throw(tx, level, subject_id, reason, actor)
    if is_new:
        _note(tx, AuditAction.KILL_SWITCH_THROWN, found, actor)
    return found, is_new


def release(tx: Transaction, kill_switch_id: int, actor: str) -> None:
    """Let repairs start again. Raises NotFound."""
    found = kill_switches.release(tx, kill_switch_id)
    if found is None:
        raise NotFound("No kill switch has this id.")
    _note(tx, AuditAction.KILL_SWITCH_RELEASED, found, actor)


def _note(tx: Transaction, action: AuditAction, switch: KillSwitch, actor: str) -> None:
    details = {"level": switch.level, "subject_id": switch.subject_id, "reason": switch.reason}
    of = {KillLevel.PLAYBOOK: "playbook_id", KillLevel.SERVICE: "service_id"}.get(KillLevel(switch.level))
    about = {of: switch.subject_id} if of else {}
    audit_log.add(tx, [Entry(action, actor, details=details, **about)])
