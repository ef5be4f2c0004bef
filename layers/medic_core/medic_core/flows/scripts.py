"""Scripts are registered, changed and deleted; each text that ever ran is kept as it was."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from medic_core.domain.repair.audit import AuditAction
from medic_core.errors import Conflict, NotFound, Stale
from medic_core.store import audit_log, scripts
from medic_core.store.audit_log import Entry
from medic_core.store.connection import Transaction
from medic_core.store.scripts import NewScriptVersion, ScriptRow

OF_A_VERSION = ("content", "interpreter", "timeout_seconds")


def create(tx: Transaction, values: Mapping[str, Any], actor: str) -> ScriptRow:
    """Register a script. Raises Conflict where its name is taken."""
    script_id = scripts.create(tx, values["name"], _version(values, actor))
    if script_id is None:
        raise Conflict("name: it is taken already.")
    return _noted(tx, AuditAction.SCRIPT_CREATED, existing(tx, script_id), actor)


def change(tx: Transaction, script_id: int, changes: Mapping[str, Any], actor: str, version: int | None) -> ScriptRow:
    """Write a further version; what is the same already changes nothing. Raises NotFound, Stale."""
    before = _locked(tx, script_id, version)
    known = {name: getattr(before, name) for name in OF_A_VERSION}
    if all(known[name] == value for name, value in changes.items()):
        return before
    scripts.change(tx, script_id, _version({**known, **changes}, actor))
    return _noted(tx, AuditAction.SCRIPT_CHANGED, existing(tx, script_id), actor)


def delete(tx: Transaction, script_id: int, actor: str, version: int | None) -> None:
    """Forget a script; its versions stay, for executions that run them. Raises NotFound, Stale."""
    before = _locked(tx, script_id, version)
    scripts.delete(tx, script_id, before.name)
    _noted(tx, AuditAction.SCRIPT_DELETED, before, actor)


def existing(tx: Transaction, script_id: int) -> ScriptRow:
    """The script. Raises NotFound."""
    found = scripts.read(tx, script_id)
    if found is None:
        raise NotFound("No script has this id.")
    return found


def _locked(tx: Transaction, script_id: int, version: int | None) -> ScriptRow:
    found = scripts.read(tx, script_id, lock=True)
    if found is None:
        raise NotFound("No script has this id.")
    if version is not None and version != found.version:
        raise Stale
    return found


def _version(values: Mapping[str, Any], actor: str) -> NewScriptVersion:
    content = values["content"]
    return NewScriptVersion(
        content=content,
        interpreter=values["interpreter"],
        timeout_seconds=values["timeout_seconds"],
        sha256=hashlib.sha256(content.encode()).hexdigest(),
        created_by=actor,
    )


def _noted(tx: Transaction, action: AuditAction, script: ScriptRow, actor: str) -> ScriptRow:
    details = {"script_id": script.script_id, "name": script.name, "version": script.version, "sha256": script.sha256}
    audit_log.add(tx, [Entry(action, actor, details=details)])
    return script
