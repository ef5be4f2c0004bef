"""Secrets are opened only for the step that uses them, and each use is noted."""

from __future__ import annotations

from collections.abc import Collection

from medic_core.domain.repair.audit import AuditAction
from medic_core.ports import Sealer
from medic_core.store import audit_log, secrets
from medic_core.store.audit_log import Entry
from medic_core.store.connection import Transaction


def sealing_context(name: str, version: int) -> dict[str, str]:
    """What a secret is bound to: no other one's row can stand in for it."""
    return {"purpose": "secret", "name": name, "version": str(version)}


def opened(
    tx: Transaction,
    sealer: Sealer,
    names: Collection[str],
    execution_id: int,
    playbook_id: int | None,
    service_id: int | None,
) -> dict[str, str]:
    """The values of those that exist, for a step of an execution."""
    if not names:
        return {}
    found = secrets.use(tx, names)
    noted = [
        Entry(AuditAction.SECRET_USED, None, execution_id, playbook_id, service_id, {"name": one.name}) for one in found
    ]
    audit_log.add(tx, noted)
    return {one.name: sealer.open(bytes(one.sealed), sealing_context(one.name, one.version)).decode() for one in found}
