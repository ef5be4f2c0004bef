"""Task tokens: what lets a run go on that waits for a decision, and what the state machine said to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from psycopg.rows import class_row

from medic_core.store.connection import Transaction


@dataclass(frozen=True, slots=True)
class TaskToken:
    """A request's token. `sealed` is None where no run has come to wait (any more)."""

    execution_id: int
    sealed: bytes | None
    is_answered: bool


READ: Final = """
SELECT execution_id, task_token AS sealed, token_answered_at IS NOT NULL AS is_answered
  FROM medic.approval_requests WHERE request_id = %(request_id)s
"""


def read(tx: Transaction, request_id: int) -> TaskToken | None:
    """What a run waits with for the decision about a request; None where there is no such request."""
    with tx.cursor(row_factory=class_row(TaskToken)) as cursor:
        return cursor.execute(READ, {"request_id": request_id}).fetchone()


#: What was said to a former token was not said to this one.
KEEP: Final = """
UPDATE medic.approval_requests
   SET task_token = %(sealed)s, token_answered_at = NULL, token_refused_at = NULL
 WHERE request_id = %(request_id)s
"""


def keep(tx: Transaction, request_id: int, sealed: bytes) -> None:
    """Keep what lets a run go on."""
    tx.execute(KEEP, {"request_id": request_id, "sealed": sealed})


FORGET: Final = """
UPDATE medic.approval_requests SET task_token = NULL WHERE execution_id = %(execution_id)s AND task_token IS NOT NULL
"""


def forget(tx: Transaction, execution_id: int) -> None:
    """Another run goes on with an execution: nobody waits with these any more."""
    tx.execute(FORGET, {"execution_id": execution_id})


NOTE_ANSWERED: Final = "UPDATE medic.approval_requests SET token_answered_at = now() WHERE request_id = %(request_id)s"


def note_answered(tx: Transaction, request_id: int) -> None:
    """The state machine has taken it: the run goes on."""
    tx.execute(NOTE_ANSWERED, {"request_id": request_id})


NOTE_REFUSED: Final = "UPDATE medic.approval_requests SET token_refused_at = now() WHERE request_id = %(request_id)s"


def note_refused(tx: Transaction, request_id: int) -> None:
    """The state machine does not wait with it."""
    tx.execute(NOTE_REFUSED, {"request_id": request_id})
