"""What the state machine calls its runs of executions, and which of them must be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from psycopg.rows import class_row

from medic_core.store.connection import Transaction


@dataclass(frozen=True, slots=True)
class EngineRun:
    """A run, and how far Medic has followed it. `is_overdue`: it should have come back by now."""

    execution_id: int
    engine_name: str
    seq: int
    is_over: bool
    is_overdue: bool


def new_name() -> str:
    """A name that no run has had."""
    return f"medic-{uuid4()}"


READ: Final = """
SELECT execution_id, engine_name, seq, completed_at IS NOT NULL AS is_over,
       COALESCE(expected_by < now(), false) AS is_overdue
  FROM medic.playbook_executions WHERE execution_id = %(execution_id)s
"""


def read(tx: Transaction, execution_id: int) -> EngineRun | None:
    """An execution's run."""
    with tx.cursor(row_factory=class_row(EngineRun)) as cursor:
        return cursor.execute(READ, {"execution_id": execution_id}).fetchone()


CLAIM: Final = """
WITH due AS (
    SELECT execution_id FROM medic.playbook_executions WHERE next_look_at <= now()
     ORDER BY next_look_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED
)
UPDATE medic.playbook_executions e SET next_look_at = now() + interval '2 minutes'
  FROM due WHERE e.execution_id = due.execution_id
RETURNING e.execution_id, e.engine_name, e.seq, false AS is_over, COALESCE(e.expected_by < now(), false) AS is_overdue
"""


def claim(tx: Transaction, batch: int) -> list[EngineRun]:
    """Runs to ask the state machine for; each comes up again in two minutes."""
    with tx.cursor(row_factory=class_row(EngineRun)) as cursor:
        return cursor.execute(CLAIM, {"batch": batch}).fetchall()


RENEW: Final = """
UPDATE medic.playbook_executions
   SET engine_name = %(engine_name)s, engine_runs = engine_runs + 1, expected_by = now() + interval '5 minutes'
 WHERE execution_id = %(execution_id)s
"""


def renew(tx: Transaction, execution_id: int, engine_name: str) -> None:
    """Another run goes on with an execution; the former one is not listened to any more."""
    tx.execute(RENEW, {"execution_id": execution_id, "engine_name": engine_name})
