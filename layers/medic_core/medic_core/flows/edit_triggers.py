"""Triggers are made, changed and deleted, and each change is noted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medic_core.domain.repair.audit import AuditAction
from medic_core.errors import NotFound
from medic_core.flows import edit_playbooks, manage
from medic_core.store import audit_log
from medic_core.store.audit_log import Entry
from medic_core.store.connection import Transaction
from medic_core.store.firings import TRIGGERS, TriggerRow


def create(tx: Transaction, playbook_id: int, values: Mapping[str, Any], actor: str) -> TriggerRow:
    """Make a trigger. Raises NotFound where there is no such playbook."""
    edit_playbooks.existing(tx, playbook_id, lock=True)
    made = manage.create(tx, TRIGGERS, {**values, "playbook_id": playbook_id})
    return _noted(tx, AuditAction.TRIGGER_CREATED, made, actor)


def change(
    tx: Transaction, playbook_id: int, trigger_id: int, changes: Mapping[str, Any], version: int | None, actor: str
) -> TriggerRow:
    """Change a trigger; nothing is noted where nothing is changed. Raises NotFound, Stale."""
    read(tx, playbook_id, trigger_id)
    changed = manage.change(tx, TRIGGERS, trigger_id, changes, version)
    return _noted(tx, AuditAction.TRIGGER_CHANGED, changed, actor) if changes else changed


def delete(tx: Transaction, playbook_id: int, trigger_id: int, version: int | None, actor: str) -> None:
    """Remove a trigger, and what is noted of its firings. Raises NotFound, Stale."""
    before = read(tx, playbook_id, trigger_id)
    manage.delete(tx, TRIGGERS, trigger_id, version)
    _noted(tx, AuditAction.TRIGGER_DELETED, before, actor)


def read(tx: Transaction, playbook_id: int, trigger_id: int) -> TriggerRow:
    """A trigger of this playbook. Raises NotFound."""
    found = TRIGGERS.read(tx, trigger_id)
    if found is None or found.playbook_id != playbook_id:
        raise NotFound("This playbook has no trigger with this id.")
    return found


def _noted(tx: Transaction, action: AuditAction, trigger: TriggerRow, actor: str) -> TriggerRow:
    details = {
        "trigger_id": trigger.trigger_id,
        "service_pattern": trigger.service_pattern,
        "consecutive_failures": trigger.consecutive_failures,
        "mode": trigger.mode,
        "enabled": trigger.enabled,
    }
    audit_log.add(tx, [Entry(action, actor, None, trigger.playbook_id, None, details)])
    return trigger
