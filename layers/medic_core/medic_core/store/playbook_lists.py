"""Playbooks as people look for them: what starts each, and how it has done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import dict_row

from medic_core.store import playbooks
from medic_core.store.connection import Transaction
from medic_core.store.playbooks import Stats


@dataclass(frozen=True, slots=True)
class ListedTrigger:
    """What starts a playbook."""

    trigger_id: int
    service_pattern: str
    consecutive_failures: int
    mode: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class ListedPlaybook:
    """A playbook with its newest version, which `saved_by` wrote at `saved_at`."""

    playbook_id: int
    name: str
    description: str
    version: int
    approval_mode: str
    saved_by: str
    saved_at: datetime
    stats: Stats
    triggers: list[ListedTrigger]


#: Whoever gives the last one of a page goes on after its name, also if it was deleted meanwhile.
LISTED: Final = f"""
SELECT p.playbook_id, p.name, p.description, p.version, v.approval_mode, v.created_by AS saved_by,
       v.created_at AS saved_at, to_jsonb(done) AS stats, starts.triggers
  FROM medic.playbooks p JOIN medic.playbook_versions v USING (playbook_id, version),
       LATERAL (SELECT {playbooks.FIGURES}
                  FROM medic.playbook_executions e
                 WHERE e.playbook_id = p.playbook_id AND e.created_at > now() - %(days)s * interval '1 day') AS done,
       LATERAL (SELECT COALESCE(jsonb_agg(jsonb_build_object(
                       'trigger_id', t.trigger_id, 'service_pattern', t.service_pattern,
                       'consecutive_failures', t.consecutive_failures, 'mode', t.mode, 'enabled', t.enabled)
                       ORDER BY t.trigger_id), '[]') AS triggers
                  FROM medic.playbook_triggers t WHERE t.playbook_id = p.playbook_id) AS starts
 WHERE p.deleted_at IS NULL
   AND (%(playbook_id)s::bigint IS NULL OR p.playbook_id = %(playbook_id)s)
   AND (%(after)s::bigint IS NULL
        OR p.name_key > (SELECT name_key FROM medic.playbooks WHERE playbook_id = %(after)s))
 ORDER BY p.name_key LIMIT %(limit)s
"""  # noqa: S608 - constants


def listed(
    tx: Transaction, days: int, *, playbook_id: int | None = None, after: int | None = None, limit: int = 1
) -> list[ListedPlaybook]:
    """Playbooks by name, with how they have done over the last days."""
    values = {"days": days, "playbook_id": playbook_id, "after": after, "limit": limit}
    with tx.cursor(row_factory=dict_row) as cursor:
        return [_read(row) for row in cursor.execute(LISTED, values).fetchall()]


def _read(row: dict[str, Any]) -> ListedPlaybook:
    triggers = [ListedTrigger(**one) for one in row.pop("triggers")]
    return ListedPlaybook(**{**row, "stats": Stats(**row["stats"]), "triggers": triggers})
