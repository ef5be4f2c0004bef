"""Playbooks are written: each save is a version of its own."""

from __future__ import annotations

import difflib
import hashlib

from medic_core.domain.repair import language
from medic_core.domain.repair.audit import AuditAction
from medic_core.domain.repair.language import InvalidPlaybook
from medic_core.domain.repair.playbooks import Playbook
from medic_core.errors import BadRequest, Conflict, NotFound, Stale
from medic_core.store import audit_log, playbooks
from medic_core.store.audit_log import Entry
from medic_core.store.connection import Transaction
from medic_core.store.playbooks import NewVersion, PlaybookRow

TAKEN = "name: another playbook has it already."
#: Of problems that an answer lists; `POST /v2/playbooks/validate` lists all.
MOST_SHOWN = 20


def create(tx: Transaction, yaml_content: str, actor: str) -> PlaybookRow:
    """Write a new playbook. Raises BadRequest that lists what is wrong with it, Conflict where its name is taken."""
    new = _new_version(_parsed(yaml_content), yaml_content, actor)
    playbook_id = playbooks.create(tx, new)
    if playbook_id is None:
        raise Conflict(TAKEN)
    return _noted(tx, AuditAction.PLAYBOOK_CREATED, playbook_id, actor)


def change(tx: Transaction, playbook_id: int, yaml_content: str, actor: str, version: int | None) -> PlaybookRow:
    """Write a further version; the same text again changes nothing. Raises NotFound, Stale, BadRequest, Conflict."""
    before = _locked(tx, playbook_id, version)
    new = _new_version(_parsed(yaml_content), yaml_content, actor)
    if new.sha256 == before.sha256:
        return before
    if playbooks.change(tx, playbook_id, new) is None:
        raise Conflict(TAKEN)
    return _noted(tx, AuditAction.PLAYBOOK_CHANGED, playbook_id, actor)


def delete(tx: Transaction, playbook_id: int, actor: str, version: int | None) -> None:
    """End a playbook and its triggers. What is under way ends by the version that it began with.

    Raises NotFound, Stale.
    """
    before = _locked(tx, playbook_id, version)
    playbooks.delete(tx, playbook_id)
    details = {"name": before.name, "version": before.version}
    audit_log.add(tx, [Entry(AuditAction.PLAYBOOK_DELETED, actor, None, playbook_id, None, details)])


def existing(tx: Transaction, playbook_id: int, *, lock: bool = False) -> PlaybookRow:
    """The playbook; with `lock` nobody changes or deletes it meanwhile. Raises NotFound."""
    found = playbooks.read(tx, playbook_id, lock=lock)
    if found is None:
        raise NotFound("No playbook has this id.")
    return found


def difference(before: str, after: str, names: tuple[str, str]) -> str:
    """What changed from one text to another, as a unified diff."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), names[0], names[1], n=3
    )
    return "".join(line if line.endswith("\n") else line + "\n" for line in lines)


def _locked(tx: Transaction, playbook_id: int, version: int | None) -> PlaybookRow:
    found = existing(tx, playbook_id, lock=True)
    if version is not None and version != found.version:
        raise Stale
    return found


def _parsed(yaml_content: str) -> Playbook:
    try:
        return language.parse(yaml_content)
    except InvalidPlaybook as error:
        shown = [str(problem) for problem in error.problems[:MOST_SHOWN]]
        raise BadRequest("yaml_content: " + "; ".join(shown)) from error


def _new_version(parsed: Playbook, yaml_content: str, actor: str) -> NewVersion:
    return NewVersion(
        name=parsed.name,
        description=parsed.description,
        yaml_content=yaml_content,
        sha256=hashlib.sha256(yaml_content.encode()).hexdigest(),
        approval_mode=parsed.approval.mode,
        scripts=sorted(parsed.scripts),
        secrets=sorted(parsed.secrets),
        created_by=actor,
    )


def _noted(tx: Transaction, action: AuditAction, playbook_id: int, actor: str) -> PlaybookRow:
    found = existing(tx, playbook_id)
    details = {"name": found.name, "version": found.version, "sha256": found.sha256}
    audit_log.add(tx, [Entry(action, actor, None, playbook_id, None, details)])
    return found
