"""Executions as people read them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import class_row

from medic_core.store.connection import Transaction
from medic_core.store.gathering import gathered


@dataclass(frozen=True, slots=True)
class ExecutionRow:
    """An execution as it is listed."""

    execution_id: int
    playbook_id: int
    playbook_name: str
    version: int
    service_id: int | None
    heartbeat_name: str | None
    alert_id: int | None
    trigger_id: int | None
    cause: str
    started_by: str
    status: str
    outcome: str | None
    because: str
    current_step: int
    context: dict[str, Any]
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


COLUMNS: Final = """
SELECT e.execution_id, e.playbook_id, p.name AS playbook_name, e.version, e.service_id, s.heartbeat_name, e.alert_id,
       e.trigger_id, e.cause, e.started_by, e.status, e.outcome, e.because, e.current_step,
       e.context || jsonb_build_object('EXECUTION_ID', e.execution_id::text) AS context, e.created_at, e.started_at,
       e.completed_at
"""
TABLES: Final = """
  FROM medic.playbook_executions e JOIN medic.playbooks p USING (playbook_id)
  LEFT JOIN medic.services s USING (service_id)
"""
LISTED: Final = (
    COLUMNS
    + TABLES
    + """
 WHERE (%(execution_id)s::bigint IS NULL OR e.execution_id = %(execution_id)s)
   AND (%(playbook_id)s::bigint IS NULL OR e.playbook_id = %(playbook_id)s)
   AND (%(service_id)s::bigint IS NULL OR e.service_id = %(service_id)s)
   AND (%(alert_id)s::bigint IS NULL OR e.alert_id = %(alert_id)s)
   AND (%(statuses)s::text[] IS NULL OR e.status = ANY(%(statuses)s))
   AND (%(playbook_like)s::text IS NULL OR p.name_key LIKE %(playbook_like)s)
   AND (%(service_like)s::text IS NULL OR s.name_key LIKE %(service_like)s)
   AND (%(before)s::bigint IS NULL OR e.execution_id < %(before)s)
 ORDER BY e.execution_id DESC LIMIT %(limit)s
"""
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which executions; None does not filter. `playbook_like` and `service_like` are LIKE patterns of name keys."""

    execution_id: int | None = None
    playbook_id: int | None = None
    service_id: int | None = None
    alert_id: int | None = None
    statuses: list[str] | None = None
    playbook_like: str | None = None
    service_like: str | None = None


def listed(tx: Transaction, wanted: Wanted, before: int | None = None, limit: int = 1) -> list[ExecutionRow]:
    """Executions, newest first."""
    values = {name: getattr(wanted, name) for name in Wanted.__dataclass_fields__}
    with tx.cursor(row_factory=class_row(ExecutionRow)) as cursor:
        return cursor.execute(LISTED, {**values, "before": before, "limit": limit}).fetchall()


@dataclass(frozen=True, slots=True)
class StepResultRow:
    """One try of a step."""

    step_index: int
    attempt: int
    step_name: str
    type: str
    status: str
    output: str | None
    error_message: str | None
    started_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class WithSteps:
    """An execution, the text of the version that it runs, and the tries of its steps as they began."""

    execution: ExecutionRow
    yaml_content: str
    steps: list[StepResultRow]


WITH_STEPS: Final = (
    COLUMNS  # noqa: S608 - constants
    + """,
       (SELECT v.yaml_content FROM medic.playbook_versions v
         WHERE v.playbook_id = e.playbook_id AND v.version = e.version) AS yaml_content,
       ARRAY(SELECT ROW(r.step_index, r.attempt, r.step_name, r.step_type, r.status, r.output, r.error_message,
                        r.started_at, r.completed_at)
               FROM medic.playbook_step_results r WHERE r.execution_id = e.execution_id ORDER BY r.result_id) AS steps
"""
    + TABLES
    + " WHERE e.execution_id = %(execution_id)s"
)


def with_steps(tx: Transaction, execution_id: int) -> WithSteps | None:
    """An execution with all that it did; None where it is not there."""
    found = gathered(tx, WITH_STEPS, execution_id=execution_id)
    if found is None:
        return None
    steps = [StepResultRow(*one) for one in found.pop("steps")]
    return WithSteps(yaml_content=found.pop("yaml_content"), steps=steps, execution=ExecutionRow(**found))


FORGET: Final = """
DELETE FROM medic.playbook_executions WHERE execution_id IN (
    SELECT execution_id FROM medic.playbook_executions
     WHERE completed_at < now() - %(days)s * interval '1 day' ORDER BY completed_at LIMIT 10000
)
"""


def forget(tx: Transaction, days: int) -> int:
    """Remove executions that ended so long ago, with their steps; returns how many, 10,000 at most."""
    return tx.execute(FORGET, {"days": days}).rowcount
