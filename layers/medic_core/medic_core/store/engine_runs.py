"""What the state machine calls its runs of executions, and which of them must be asked for, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import uuid4

from psycopg.rows import class_row

from medic_core.store.connection import Transaction


@dataclass(frozen=True, slots=True)
class EngineRun:
    """A run, and how far Medic has followed it. `is_overdue`: it should have come back by now.

    `is_starting`: its start waits to be handed to the state machine, which cannot have lost it. `is_young`: it was
    handed over a moment ago, and need not be known there yet.
    """

    execution_id: int
    engine_name: str
    seq: int
    is_over: bool
    is_overdue: bool
    is_starting: bool = False
    is_young: bool = False


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


#: Reading follows writing there, a little later.
KNOWN_WITHIN: Final = timedelta(seconds=10)
CLAIM: Final = """
WITH due AS (
    SELECT e.execution_id, o.outbox_id IS NOT NULL AND o.done_at IS NULL AS is_starting,
           o.done_at + %(known_within)s::interval AS known_at
      FROM medic.playbook_executions e
      LEFT JOIN medic.outbox o ON o.topic = 'start' AND o.subject_id = e.execution_id
     WHERE e.next_look_at <= now()
       AND (%(execution_id)s::bigint IS NULL OR e.execution_id = %(execution_id)s)
     ORDER BY e.next_look_at LIMIT %(batch)s FOR UPDATE OF e SKIP LOCKED
)
UPDATE medic.playbook_executions e
   SET next_look_at = LEAST(now() + interval '2 minutes', CASE WHEN e.expected_by > now() THEN e.expected_by END,
                            CASE WHEN due.known_at > now() THEN due.known_at END)
  FROM due WHERE e.execution_id = due.execution_id
RETURNING e.execution_id, e.engine_name, e.seq, false AS is_over, COALESCE(e.expected_by < now(), false) AS is_overdue,
          due.is_starting, COALESCE(due.known_at > now(), false) AS is_young
"""


def claim(tx: Transaction, batch: int, execution_id: int | None = None) -> list[EngineRun]:
    """Runs to ask the state machine for, of all executions or of one; each comes up again in two minutes at most."""
    values = {"batch": batch, "execution_id": execution_id, "known_within": KNOWN_WITHIN}
    with tx.cursor(row_factory=class_row(EngineRun)) as cursor:
        return cursor.execute(CLAIM, values).fetchall()


START_OF: Final = """
SELECT COALESCE(bool_or(done_at IS NULL), false) AS waits,
       COALESCE(bool_or(done_at + %(known_within)s::interval > now()), false) AS is_young
  FROM medic.outbox WHERE topic = 'start' AND subject_id = %(execution_id)s
"""


@dataclass(frozen=True, slots=True)
class Start:
    """Whether a run's start waits to be handed over, or was handed over a moment ago."""

    waits: bool
    is_young: bool


def start_of(tx: Transaction, execution_id: int) -> Start:
    """How far the start of an execution's run is; under the execution's lock it stays so."""
    with tx.cursor(row_factory=class_row(Start)) as cursor:
        found = cursor.execute(START_OF, {"execution_id": execution_id, "known_within": KNOWN_WITHIN}).fetchone()
    assert found is not None
    return found


#: One that is locked is being moved by its run at this moment, and so is not lost.
LOOK_AT_ALL: Final = """
WITH others AS (
    SELECT execution_id FROM medic.playbook_executions WHERE next_look_at > now() FOR UPDATE SKIP LOCKED
)
UPDATE medic.playbook_executions e SET next_look_at = now() FROM others WHERE e.execution_id = others.execution_id
"""


def look_at_all(tx: Transaction) -> None:
    """Have all executions that are under way be claimed next."""
    tx.execute(LOOK_AT_ALL)


LOOK_NOW: Final = """
UPDATE medic.playbook_executions
   SET next_look_at = now(), expected_by = LEAST(expected_by, now() + %(back_within)s::interval)
 WHERE execution_id = %(execution_id)s AND completed_at IS NULL
"""


def look_now(tx: Transaction, execution_id: int, back_within: timedelta) -> None:
    """Have an execution be claimed next. Where its run lives, it must come back within so long."""
    tx.execute(LOOK_NOW, {"execution_id": execution_id, "back_within": back_within})


RENEW: Final = """
UPDATE medic.playbook_executions
   SET engine_name = %(engine_name)s, engine_runs = engine_runs + 1, expected_by = now() + interval '5 minutes'
 WHERE execution_id = %(execution_id)s
"""


def renew(tx: Transaction, execution_id: int, engine_name: str) -> None:
    """Another run goes on with an execution; the former one is not listened to any more."""
    tx.execute(RENEW, {"execution_id": execution_id, "engine_name": engine_name})
