"""How things stand now, in one statement that reads what is open and no history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from psycopg.rows import class_row

from medic_core.domain.observing import metrics
from medic_core.store.connection import Transaction
from medic_core.store.health import DatabaseHealth

READ: Final = """
WITH few AS MATERIALIZED (SELECT active AND paused_at IS NULL AS watched FROM medic.services LIMIT %(few)s + 1),
counted AS (SELECT count(*) AS registered, count(*) FILTER (WHERE watched) AS active FROM few),
due AS (SELECT min(alert_after) AS earliest FROM medic.service_state WHERE alert_after <= now()),
waiting AS (SELECT count(*) AS number, min(leave_at) AS earliest FROM medic.outbox WHERE done_at IS NULL)
SELECT now() AS now, c.counted_until,
       CASE WHEN few.registered > %(few)s THEN GREATEST(c.registered_services, few.registered) ELSE few.registered END
           AS registered_services,
       CASE WHEN few.registered > %(few)s AND c.measured_at IS NOT NULL THEN c.active_services ELSE few.active END
           AS active_services,
       (SELECT count(*) FROM medic.alerts WHERE resolved_at IS NULL) AS alerts_active,
       (SELECT count(*) FROM medic.job_runs WHERE status = 'STARTED' AND stale_at IS NOT NULL) AS stale_jobs,
       (SELECT count(*) FROM medic.playbook_executions
         WHERE next_look_at IS NOT NULL AND status = 'pending_approval') AS pending_approval,
       (SELECT count(*) FROM (
            SELECT FROM medic.playbook_executions
             WHERE service_id IS NOT NULL
               AND (created_at > now() - %(breaker_window)s::interval OR next_look_at IS NOT NULL)
             GROUP BY service_id HAVING count(*) >= %(breaker_executions)s) AS open) AS breakers_open,
       COALESCE(now() - due.earliest, interval '0') AS deadline_lag,
       waiting.number AS outbox_waiting,
       GREATEST(now() - waiting.earliest, interval '0') AS outbox_age,
       (SELECT count(*) FROM medic.notification_deliveries WHERE due_at IS NOT NULL) AS deliveries_waiting,
       COALESCE(now() - m.spool_waiting_since, interval '0') AS spool_waiting,
       m.last_sweep_at, now() - m.last_sweep_at AS since_sweep,
       now() - schema.installed_at AT TIME ZONE 'UTC' AS since_installation, schema.newest_migration
  FROM medic.counted c, medic.monitor_state m, counted few, due, waiting,
       (SELECT max(migration_id) AS newest_migration, min(applied_at_utc) AS installed_at
          FROM public._yoyo_migration) AS schema
"""


@dataclass(frozen=True, slots=True)
class Gauges:
    """The numbers, how far history was added up, and what a health check wants to know."""

    now: datetime
    counted_until: datetime
    registered_services: int
    active_services: int
    alerts_active: int
    stale_jobs: int
    pending_approval: int
    breakers_open: int
    deadline_lag: timedelta
    outbox_waiting: int
    outbox_age: timedelta
    deliveries_waiting: int
    spool_waiting: timedelta
    last_sweep_at: datetime | None
    since_sweep: timedelta | None
    since_installation: timedelta | None
    newest_migration: str | None

    @property
    def health(self) -> DatabaseHealth:
        """What /health asks of the database."""
        return DatabaseHealth(self.since_sweep, self.since_installation, self.newest_migration)


def read(tx: Transaction, breaker_executions: int, breaker_window: timedelta) -> Gauges:
    """Read them. A breaker is open where a service had so many executions within the window."""
    values = {
        "few": metrics.COUNTED_AT_ONCE,
        "breaker_executions": breaker_executions,
        "breaker_window": breaker_window,
    }
    with tx.cursor(row_factory=class_row(Gauges)) as cursor:
        found = cursor.execute(READ, values).fetchone()
    assert found is not None
    return found
