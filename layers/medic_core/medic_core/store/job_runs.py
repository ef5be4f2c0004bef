"""Job runs: from a start to an end, paired by run id or, for those without, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg.rows import class_row, dict_row, scalar_row

from medic_core.domain.watching.runs import RunsHeard, RunStatus
from medic_core.store.connection import Transaction

#: A start that is heard after its run's end completes the record; one that is heard twice changes nothing.
START: Final = """
INSERT INTO medic.job_runs AS run (service_id, run_id, named, started_at, status, stale_after)
VALUES (%(service_id)s, %(run_id)s, %(named)s, %(at)s, 'STARTED', %(at)s::timestamptz + %(limit)s::interval)
ON CONFLICT (service_id, run_id) DO UPDATE
   SET started_at = LEAST(run.started_at, EXCLUDED.started_at),
       stale_after = LEAST(run.stale_after, CASE WHEN run.stale_after IS NOT NULL THEN EXCLUDED.stale_after END),
       duration_ms = floor(1000 * extract(epoch FROM run.completed_at - LEAST(run.started_at, EXCLUDED.started_at)))
"""
RESTART: Final = """
UPDATE medic.job_runs
   SET started_at = %(at)s, stale_after = %(at)s::timestamptz + %(limit)s::interval, stale_at = NULL
 WHERE service_id = %(service_id)s AND run_id = %(run_id)s AND status = 'STARTED' AND started_at < %(at)s
"""


def start(tx: Transaction, service_id: int, run_id: str, at: datetime, limit: timedelta | None, *, named: bool) -> None:
    """A run begins. It takes too long after `limit`."""
    tx.execute(START, {"service_id": service_id, "run_id": run_id, "named": named, "at": at, "limit": limit})


def restart(tx: Transaction, service_id: int, run_id: str, at: datetime, limit: timedelta | None) -> None:
    """A run without an id begins while another is under way: it takes its place."""
    tx.execute(RESTART, {"service_id": service_id, "run_id": run_id, "at": at, "limit": limit})


#: An end without a start makes a run of duration 0; the second end of a run finds the first and changes nothing.
END: Final = """
INSERT INTO medic.job_runs AS run
       (service_id, run_id, named, started_at, completed_at, duration_ms, exit_status, status)
VALUES (%(service_id)s, %(run_id)s, %(named)s, %(at)s, %(at)s, 0, %(exit_status)s, %(status)s)
ON CONFLICT (service_id, run_id) DO UPDATE
   SET completed_at = GREATEST(EXCLUDED.completed_at, run.started_at), status = EXCLUDED.status,
       exit_status = EXCLUDED.exit_status, stale_after = NULL,
       duration_ms = GREATEST(0, floor(1000 * extract(epoch FROM EXCLUDED.completed_at - run.started_at)))
 WHERE run.status = 'STARTED'
RETURNING duration_ms
"""


def end(
    tx: Transaction,
    service_id: int,
    run_id: str,
    at: datetime,
    status: RunStatus,
    exit_status: int | None,
    *,
    named: bool,
) -> int | None:
    """A run ends; its duration in milliseconds, None where it had ended before."""
    with tx.cursor(row_factory=scalar_row) as cursor:
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


#: The newest of the completed runs, of several in one instant the longest; whether this one completed then; and how
#: many are known to be under way for too long.
HEARD: Final = """
SELECT latest.duration_ms, latest.completed_at = own.completed_at AS is_latest,
       (SELECT count(*) FROM medic.job_runs
         WHERE service_id = %(service_id)s AND status = 'STARTED' AND stale_at IS NOT NULL) AS stale
  FROM (VALUES (1)) AS always
  LEFT JOIN LATERAL (
       SELECT duration_ms, completed_at FROM medic.job_runs
        WHERE service_id = %(service_id)s AND status = 'COMPLETED'
        ORDER BY completed_at DESC, duration_ms DESC LIMIT 1) AS latest ON true
  LEFT JOIN medic.job_runs own
    ON own.service_id = %(service_id)s AND own.run_id = %(run_id)s AND own.status = 'COMPLETED'
"""


def heard(tx: Transaction, service_id: int, run_id: str) -> RunsHeard:
    """What is known of a service's runs once a signal was about this one."""
    found = tx.execute(HEARD, {"service_id": service_id, "run_id": run_id}).fetchone()
    assert found is not None
    duration_ms, is_latest, stale = found
    if not is_latest:
        return RunsHeard(stale=stale)
    return RunsHeard(timedelta(milliseconds=duration_ms), is_latest=True, stale=stale)


#: Each run is found once: `stale_after` is gone then.
FIND_STALE: Final = """
WITH found AS (
    UPDATE medic.job_runs SET stale_at = %(now)s, stale_after = NULL
     WHERE service_id = ANY(%(service_ids)s::bigint[]) AND stale_after < %(now)s
    RETURNING service_id, run_id, named, started_at
)
SELECT found.service_id, found.run_id, found.named, found.started_at, COALESCE(known.stale, 0) AS known
  FROM found
  LEFT JOIN (SELECT service_id, count(*) AS stale FROM medic.job_runs
              WHERE service_id = ANY(%(service_ids)s::bigint[]) AND status = 'STARTED' AND stale_at IS NOT NULL
              GROUP BY service_id) AS known USING (service_id)
 ORDER BY found.started_at, found.run_id
"""


@dataclass(frozen=True, slots=True)
class StaleRun:
    """A run that was just found to take too long. `known` are the service's others that were found before."""

    service_id: int
    run_id: str
    named: bool
    started_at: datetime
    known: int


def find_stale(tx: Transaction, service_ids: Sequence[int], now: datetime) -> list[StaleRun]:
    """Mark and return the runs of locked services that take too long, oldest first."""
    with tx.cursor(row_factory=class_row(StaleRun)) as cursor:
        return cursor.execute(FIND_STALE, {"service_ids": list(service_ids), "now": now}).fetchall()


LIMIT: Final = """
UPDATE medic.job_runs SET stale_after = started_at + %(limit)s::interval
 WHERE service_id = %(service_id)s AND status = 'STARTED' AND stale_at IS NULL
"""


def limit(tx: Transaction, service_id: int, longest: timedelta | None) -> None:
    """Runs under way take too long after this from now on; None: never. Those found already stay found."""
    tx.execute(LIMIT, {"service_id": service_id, "limit": longest})


OF_SERVICE: Final = """
SELECT job_run_id, run_id, status, started_at, completed_at, duration_ms, exit_status, stale_after, stale_at
  FROM medic.job_runs
 WHERE service_id = %(service_id)s
   AND (%(job_run_id)s::bigint IS NULL OR job_run_id = %(job_run_id)s)
   AND (%(run_id)s::text IS NULL OR run_id = %(run_id)s)
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
    stale_after: datetime | None
    stale_at: datetime | None


def of_service(
    tx: Transaction,
    service_id: int,
    *,
    job_run_id: int | None = None,
    run_id: str | None = None,
    statuses: Sequence[str] | None = None,
    before: int | None = None,
    limit: int = 1,
) -> list[RunRow]:
    """A service's runs, newest first, from the one before `before`; None does not filter."""
    values = {
        "service_id": service_id,
        "job_run_id": job_run_id,
        "run_id": run_id,
        "statuses": statuses,
        "before": before,
        "limit": limit,
    }
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
