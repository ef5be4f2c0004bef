"""Secrets: written, sealed, opened only for the step that uses them. Changes and uses are noted, values never."""

from __future__ import annotations

from collections.abc import Collection

from medic_core.domain.repair.audit import AuditAction
from medic_core.errors import NotFound, Unavailable
from medic_core.ports import Sealer
from medic_core.store import audit_log, secrets
from medic_core.store.audit_log import Entry
from medic_core.store.connection import Database, Transaction
from medic_core.store.secrets import Sealed, SecretRow

SEALED_AT_ONCE = 100


def sealing_context(name: str, version: int) -> dict[str, str]:
    """What a secret is bound to: no other one's row can stand in for it."""
    return {"purpose": "secret", "name": name, "version": str(version)}


def put(tx: Transaction, sealer: Sealer, name: str, value: str, description: str, actor: str) -> tuple[SecretRow, bool]:
    """Keep a secret; whether it is new. Raises Unavailable where there is no key to seal it with."""
    version = secrets.claim(tx, name) + 1
    try:
        sealed = sealer.seal(value.encode(), sealing_context(name, version))
    except ValueError as error:
        raise Unavailable(f"Secrets cannot be kept. {error}") from error
    secrets.put(tx, name, description, sealed, version, actor)
    action = AuditAction.SECRET_CREATED if version == 1 else AuditAction.SECRET_CHANGED
    audit_log.add(tx, [Entry(action, actor, details={"name": name, "version": version})])
    return existing(tx, name), version == 1


def existing(tx: Transaction, name: str) -> SecretRow:
    """What is known of a secret. Raises NotFound."""
    found = secrets.read(tx, name)
    if found is None:
        raise NotFound("There is no secret with this name.")
    return found


def delete(tx: Transaction, name: str, actor: str) -> None:
    """Forget a secret. Raises NotFound."""
    if not secrets.delete(tx, name):
        raise NotFound("There is no secret with this name.")
    audit_log.add(tx, [Entry(AuditAction.SECRET_DELETED, actor, details={"name": name})])


def reencrypt(database: Database, sealer: Sealer, actor: str) -> tuple[int, list[str]]:
    """Seal anew what is not under the newest key; how many, and those whose key is not here. Safe to repeat."""
    done, unreadable, last = 0, list[str](), ""
    while True:
        with database.transaction() as tx:
            found = secrets.after(tx, last, SEALED_AT_ONCE)
            renewed = [one.name for one in found if _resealed(tx, sealer, one, unreadable)]
            if renewed:
                audit_log.add(tx, [Entry(AuditAction.SECRETS_REENCRYPTED, actor, details={"names": renewed})])
        done += len(renewed)
        if len(found) < SEALED_AT_ONCE:
            return done, unreadable
        last = found[-1].name


def _resealed(tx: Transaction, sealer: Sealer, one: Sealed, unreadable: list[str]) -> bool:
    context = sealing_context(one.name, one.version)
    try:
        if sealer.is_current(bytes(one.sealed)):
            return False
        value = sealer.open(bytes(one.sealed), context)
    except ValueError:
        unreadable.append(one.name)
        return False
    secrets.reseal(tx, one.name, sealer.seal(value, context))
    return True


def opened(
    tx: Transaction,
    sealer: Sealer,
    names: Collection[str],
    execution_id: int,
    playbook_id: int | None,
    service_id: int | None,
) -> dict[str, str]:
    """The values of those that exist and can be opened, for a step of an execution; without one the step fails."""
    if not names:
        return {}
    found: dict[str, str] = {}
    for one in secrets.use(tx, names):
        try:
            found[one.name] = sealer.open(bytes(one.sealed), sealing_context(one.name, one.version)).decode()
        except ValueError:
            continue
    noted = [
        Entry(AuditAction.SECRET_USED, None, execution_id, playbook_id, service_id, {"name": name}) for name in found
    ]
    audit_log.add(tx, noted)
    return found
