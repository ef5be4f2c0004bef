"""Job runs: from a start to an end, paired by run id or, for those without, one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg.rows import class_row

from medic_core.domain.watching.runs import RunStatus
from medic_core.store.connection import Transaction

#: A start that is heard after its run's end completes the record; one that is heard twice changes nothing.
START: Final = """
INSERT INTO medic.job_runs AS run (service_id, run_id, named, started_at, status)
VALUES (%(service_id)s, %(run_id)s, %(named)s, %(at)s, 'STARTED')
ON CONFLICT (service_id, run_id) DO UPDATE
   SET started_at = LEAST(run.started_at, EXCLUDED.started_at),
       duration_ms = floor(1000 * extract(epoch FROM run.completed_at - LEAST(run.started_at, EXCLUDED.started_at)))
"""
RESTART: Final = """
UPDATE medic.job_runs SET started_at = GREATEST(started_at, %(at)s)
 WHERE service_id = %(service_id)s AND run_id = %(run_id)s AND status = 'STARTED'
"""


def start(tx: Transaction, service_id: int, run_id: str, at: datetime, *, named: bool) -> None:
    """A run begins."""
    tx.execute(START, {"service_id": service_id, "run_id": run_id, "named": named, "at": at})


def restart(tx: Transaction, service_id: int, run_id: str, at: datetime) -> None:
    """A run without an id begins while another is under way: it takes its place."""
    tx.execute(RESTART, {"service_id": service_id, "run_id": run_id, "at": at})


#: An end without a start makes a run of duration 0; the second end of a run finds the first and changes nothing.
END: Final = """
INSERT INTO medic.job_runs AS run
       (service_id, run_id, named, started_at, completed_at, duration_ms, exit_status, status)
VALUES (%(service_id)s, %(run_id)s, %(named)s, %(at)s, %(at)s, 0, %(exit_status)s, %(status)s)
ON CONFLICT (service_id, run_id) DO UPDATE
   SET completed_at = EXCLUDED.completed_at, status = EXCLUDED.status, exit_status = EXCLUDED.exit_status,
       duration_ms = GREATEST(0, floor(1000 * extract(epoch FROM EXCLUDED.completed_at - run.started_at)))
 WHERE run.status = 'STARTED'
RETURNING started_at, duration_ms
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that has just ended."""

    started_at: datetime
    duration_ms: int


def end(
    tx: Transaction,
    service_id: int,
    run_id: str,
    at: datetime,
    status: RunStatus,
    exit_status: int | None,
    *,
    named: bool,
) -> Ended | None:
    """A run ends; None where it had ended before."""
    with tx.cursor(row_factory=class_row(Ended)) as cursor:
        return cursor.execute(
            END,
            {
                "service_id": service_id,
                "run_id": run_id,
                "named": named,
                "at": at,
                "status": status,
                "exit_status": exit_status,
            },
        ).fetchone()
