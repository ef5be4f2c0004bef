"""Secrets: written, sealed, opened only for the step that uses them. Changes and uses are noted, values never."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping

from medic_core.domain.repair.audit import AuditAction
from medic_core.errors import NotFound, Unavailable
from medic_core.flows.sealed import token_context
from medic_core.ports import Sealer
from medic_core.store import audit_log, secrets
from medic_core.store.audit_log import Entry
from medic_core.store.connection import Database, Transaction
from medic_core.store.secrets import SecretRow

SEALED_AT_ONCE = 100


def sealing_context(name: str, version: int) -> dict[str, str]:
    """What a secret is bound to: no other one's row can stand in for it."""
    return {"purpose": "secret", "name": name, "version": str(version)}


def put(tx: Transaction, sealer: Sealer, name: str, value: str, description: str, actor: str) -> tuple[SecretRow, bool]:
    """Keep a secret; whether it is new. Raises Unavailable where there is no key to seal it with."""
    version = secrets.claim(tx, name) + 1
    sealed = _sealed(sealer, value.encode(), sealing_context(name, version))
    secrets.put(tx, name, description, sealed, version, actor)
    action = AuditAction.SECRET_CREATED if version == 1 else AuditAction.SECRET_CHANGED
    audit_log.add(tx, [Entry(action, actor, details={"name": name, "version": version})])
    return existing(tx, name), version == 1


def _sealed(sealer: Sealer, content: bytes, context: Mapping[str, str]) -> bytes:
    try:
        return sealer.seal(content, context)
    except ValueError as error:
        raise Unavailable(f"Secrets cannot be kept. {error}") from error


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
    """Seal anew what is not under the newest key: secrets, and the tokens of approvals that are waited for.

    Returns how many, and the secrets whose key is not here. Safe to repeat, and at once. Raises Unavailable where
    there is no key.
    """
    # Without a key nothing could be opened either, and that would look like secrets that are lost.
    _sealed(sealer, b"", {"purpose": "trial"})
    done, unreadable = _secrets_resealed(database, sealer, actor)
    return done + _tokens_resealed(database, sealer), unreadable


def _secrets_resealed(database: Database, sealer: Sealer, actor: str) -> tuple[int, list[str]]:
    done, unreadable, last = 0, list[str](), ""
    while True:
        with database.transaction() as tx:
            found = secrets.after(tx, last, SEALED_AT_ONCE)
            renewed = []
            for one in found:
                try:
                    sealed = _under_newest(sealer, bytes(one.sealed), sealing_context(one.name, one.version))
                except ValueError:
                    unreadable.append(one.name)
                    continue
                if sealed is not None:
                    secrets.reseal(tx, one.name, sealed)
                    renewed.append(one.name)
            if renewed:
                audit_log.add(tx, [Entry(AuditAction.SECRETS_REENCRYPTED, actor, details={"names": renewed})])
        done += len(renewed)
        if len(found) < SEALED_AT_ONCE:
            return done, unreadable
        last = found[-1].name


def _tokens_resealed(database: Database, sealer: Sealer) -> int:
    """One that cannot be opened is left as it is: the state machine's own time limit ends its wait."""
    done, last = 0, 0
    while True:
        with database.transaction() as tx:
            found = secrets.tokens_after(tx, last, SEALED_AT_ONCE)
            for one in found:
                with contextlib.suppress(ValueError):
                    sealed = _under_newest(sealer, bytes(one.sealed), token_context(one.request_id))
                    if sealed is not None:
                        secrets.reseal_token(tx, one.request_id, sealed)
                        done += 1
        if len(found) < SEALED_AT_ONCE:
            return done
        last = found[-1].request_id


def _under_newest(sealer: Sealer, sealed: bytes, context: Mapping[str, str]) -> bytes | None:
    """The same under the newest key; None where it is. Raises ValueError where it cannot be opened."""
    return None if sealer.is_current(sealed) else sealer.seal(sealer.open(sealed, context), context)


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
