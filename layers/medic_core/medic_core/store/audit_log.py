"""What repairs did, and who had them do it: written in the transaction of the change that an entry tells of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from medic_core.domain.repair.audit import AuditAction
from medic_core.store.connection import Transaction


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be noted. `actor` None: Medic itself."""

    action: AuditAction
    actor: str | None = None
    execution_id: int | None = None
    playbook_id: int | None = None
    service_id: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogRow:
    """An entry as it is read."""

    log_id: int
    execution_id: int | None
    playbook_id: int | None
    service_id: int | None
    action_type: str
    details: dict[str, Any]
    actor: str | None
    at: datetime


ADD: Final = """
INSERT INTO medic.remediation_audit_log (execution_id, playbook_id, service_id, action_type, details, actor)
SELECT w.execution_id, w.playbook_id, s.service_id, w.action_type, w.details, w.actor
  FROM unnest(%(execution_ids)s::bigint[], %(playbook_ids)s::bigint[], %(service_ids)s::bigint[], %(actions)s::text[],
              %(details)s::jsonb[], %(actors)s::text[])
       WITH ORDINALITY AS w (execution_id, playbook_id, service_id, action_type, details, actor, n)
  LEFT JOIN medic.services s ON s.service_id = w.service_id
 ORDER BY w.n
"""


def add(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Note what happens in this transaction, in this order."""
    if not entries:
        return
    tx.execute(
        ADD,
        {
            "execution_ids": [one.execution_id for one in entries],
            "playbook_ids": [one.playbook_id for one in entries],
            "service_ids": [one.service_id for one in entries],
            "actions": [one.action for one in entries],
            "details": [Jsonb(dict(one.details)) for one in entries],
            "actors": [one.actor for one in entries],
        },
    )


LISTED: Final = """
SELECT log_id, execution_id, playbook_id, service_id, action_type, details, actor, at
  FROM medic.remediation_audit_log
 WHERE (%(execution_id)s::bigint IS NULL OR execution_id = %(execution_id)s)
   AND (%(playbook_id)s::bigint IS NULL OR playbook_id = %(playbook_id)s)
   AND (%(service_id)s::bigint IS NULL OR service_id = %(service_id)s)
   AND (%(actions)s::text[] IS NULL OR action_type = ANY(%(actions)s))
   AND (%(actor)s::text IS NULL OR actor = %(actor)s)
   AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
   AND (%(until)s::timestamptz IS NULL OR at <= %(until)s)
   AND (%(before)s::bigint IS NULL OR log_id < %(before)s)
 ORDER BY log_id DESC LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries; None does not filter. `since` and `until` are inclusive."""

    execution_id: int | None = None
    playbook_id: int | None = None
    service_id: int | None = None
    actions: list[str] | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def listed(tx: Transaction, wanted: Wanted, before: int | None, limit: int) -> list[LogRow]:
    """Entries, newest first, older than the entry `before`."""
    values = {name: getattr(wanted, name) for name in Wanted.__dataclass_fields__}
    with tx.cursor(row_factory=class_row(LogRow)) as cursor:
        return cursor.execute(LISTED, {**values, "before": before, "limit": limit}).fetchall()


NAMES: Final = """
SELECT 'service' AS kind, service_id AS number, service_name AS name
  FROM medic.services WHERE service_id = ANY(%(service_ids)s::bigint[])
 UNION ALL
SELECT 'playbook', playbook_id, name FROM medic.playbooks WHERE playbook_id = ANY(%(playbook_ids)s::bigint[])
"""


def names(tx: Transaction, entries: Sequence[LogRow]) -> dict[tuple[str, int], str]:
    """What the services and playbooks of some entries are called now, as far as they are still there."""
    values = {
        "service_ids": list({one.service_id for one in entries if one.service_id is not None}),
        "playbook_ids": list({one.playbook_id for one in entries if one.playbook_id is not None}),
    }
    return {(kind, number): name for kind, number, name in tx.execute(NAMES, values).fetchall()}


FORGET: Final = """
DELETE FROM medic.remediation_audit_log WHERE log_id IN (
    SELECT log_id FROM medic.remediation_audit_log
     WHERE at < now() - %(days)s * interval '1 day' ORDER BY at LIMIT 10000
)
"""


def forget(tx: Transaction, days: int) -> int:
    """Remove entries so old; returns how many, 10,000 at most."""
    return tx.execute(FORGET, {"days": days}).rowcount
