"""Job runs: from a start to an end, paired by run id or, for those without, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import class_row, dict_row

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


OF_SERVICE: Final = """
SELECT job_run_id, run_id, status, started_at, completed_at, duration_ms, exit_status FROM medic.job_runs
 WHERE service_id = %(service_id)s
   AND (%(statuses)s::text[] IS NULL OR status = ANY(%(statuses)s))
   AND (%(before)s::bigint IS NULL OR job_run_id < %(before)s)
 ORDER BY job_run_id DESC
 LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as it is listed."""

    job_run_id: int
    run_id: str
    status: str
    started_at: datetime
    completed_at: datetime | None
    duration_ms: int | None
    exit_status: int | None


def of_service(
    tx: Transaction, service_id: int, statuses: Sequence[str] | None, before: int | None, limit: int
) -> list[RunRow]:
    """A service's runs, newest first, from the one before `before`."""
    values = {"service_id": service_id, "statuses": statuses, "before": before, "limit": limit}
    with tx.cursor(row_factory=class_row(RunRow)) as cursor:
        return cursor.execute(OF_SERVICE, values).fetchall()


#: Over the last 100 completed runs, percentiles with linear interpolation; nothing is said of fewer than five.
STATISTICS: Final = """
WITH recent AS (
    SELECT duration_ms FROM medic.job_runs
     WHERE service_id = %(service_id)s AND status = 'COMPLETED'
     ORDER BY completed_at DESC LIMIT 100
), enough AS (
    SELECT duration_ms FROM recent WHERE (SELECT count(*) FROM recent) >= 5
)
SELECT (SELECT count(*) FROM recent) AS run_count,
       round(avg(duration_ms), 2)::float AS avg_duration_ms,
       min(duration_ms) AS min_duration_ms,
       max(duration_ms) AS max_duration_ms,
       percentile_cont(0.50) WITHIN GROUP (ORDER BY duration_ms) AS p50_duration_ms,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95_duration_ms,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_ms) AS p99_duration_ms
  FROM enough
"""


def statistics(tx: Transaction, service_id: int) -> dict[str, Any]:
    """How long a service's completed runs take: counts and milliseconds."""
    with tx.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(STATISTICS, {"service_id": service_id}).fetchone()
    assert found is not None
    return found
