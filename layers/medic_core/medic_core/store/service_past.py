"""The past of one service, as its page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from medic_core.domain.watching.periods import Outage
from medic_core.store.connection import Transaction
from medic_core.store.gathering import gathered
from medic_core.store.job_runs import STATISTICS, RunRow
from medic_core.store.outage_history import MOST_OUTAGES

PAST: Final = (
    """
SELECT statistics.*,
       ARRAY(SELECT ROW(opened_at, resolved_at) FROM medic.alerts
              WHERE service_id = %(service_id)s AND COALESCE(resolved_at, 'infinity') > %(since)s
              ORDER BY alert_id DESC LIMIT %(most_outages)s) AS outages,
       ARRAY(SELECT ROW(alert_id, kind, status, opened_at, resolved_at) FROM medic.alerts
              WHERE service_id = %(service_id)s ORDER BY alert_id DESC LIMIT %(most_alerts)s) AS alerts,
       ARRAY(SELECT ROW(job_run_id, run_id, status, started_at, completed_at, duration_ms, exit_status, stale_after,
                        stale_at)
               FROM medic.job_runs
              WHERE service_id = %(service_id)s ORDER BY job_run_id DESC LIMIT %(most_runs)s) AS runs
  FROM ("""  # noqa: S608 - constants
    + STATISTICS
    + ") AS statistics"
)


@dataclass(frozen=True, slots=True)
class AlertOfPast:
    """An alert that the service had, or has."""

    alert_id: int
    kind: str
    status: str
    opened_at: datetime
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True)
class Past:
    """Alerts and runs newest first; `statistics` are of runs, as `job_runs.statistics` has them."""

    outages: list[Outage]
    alerts: list[AlertOfPast]
    runs: list[RunRow]
    statistics: dict[str, Any]


def of_service(tx: Transaction, service_id: int, since: datetime, most_alerts: int, most_runs: int) -> Past:
    """The newest of each; of outages those that reach beyond `since`."""
    found = gathered(
        tx,
        PAST,
        service_id=service_id,
        since=since,
        most_outages=MOST_OUTAGES,
        most_alerts=most_alerts,
        most_runs=most_runs,
    )
    assert found is not None
    return Past(
        outages=[Outage(*one) for one in found.pop("outages")],
        alerts=[AlertOfPast(*one) for one in found.pop("alerts")],
        runs=[RunRow(*one) for one in found.pop("runs")],
        statistics=found,
    )
