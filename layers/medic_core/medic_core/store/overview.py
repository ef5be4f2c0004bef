"""What is wrong now, who was told, and how much there is of everything: two statements, however many services."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg.rows import class_row, dict_row

from medic_core.domain.observing import metrics
from medic_core.store import counting
from medic_core.store.connection import Transaction

#: Few services are counted where they lie; how many there are of many is what the monitor counted last.
SUMMARY: Final = (
    """
WITH few AS MATERIALIZED (SELECT count(*) AS n FROM (SELECT FROM medic.services LIMIT %(few)s + 1) AS first_ones),
known AS (SELECT CASE WHEN few.n > %(few)s THEN c.measured_at END AS counted_at, c.services_by_status
            FROM medic.counted c, few)
SELECT now() AS now, m.last_sweep_at, now() - m.last_sweep_at AS since_sweep, known.counted_at,
       CASE WHEN known.counted_at IS NOT NULL THEN known.services_by_status ELSE ("""  # noqa: S608
    + counting.BY_STATUS
    + """) END AS services,
       (SELECT count(*) FROM medic.alerts WHERE resolved_at IS NULL) AS alerts,
       (SELECT count(*) FROM medic.playbook_executions WHERE status IN ('running', 'waiting')) AS under_way,
       (SELECT count(*) FROM medic.playbook_executions WHERE status = 'pending_approval') AS awaiting_approval,
       (SELECT COALESCE(jsonb_agg(changed ORDER BY at DESC, alert_event_id DESC), '[]')
          FROM (SELECT e.alert_event_id, e.alert_id, e.event, e.at, e.actor, e.because, a.heartbeat_name, a.kind
                  FROM medic.alert_events e JOIN medic.alerts a USING (alert_id)
                 ORDER BY e.alert_event_id DESC LIMIT %(limit)s) AS changed) AS changes
  FROM medic.monitor_state m, known
"""
)


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to an alert."""

    alert_event_id: int
    alert_id: int
    event: str
    at: datetime
    actor: str | None
    because: str
    heartbeat_name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Summary:
    """How many services there are of each status, what is under way, and what happened last, newest first.

    `counted_at` is when services were counted, where that was not now.
    """

    now: datetime
    last_sweep_at: datetime | None
    since_sweep: timedelta | None
    counted_at: datetime | None
    services: dict[str, int]
    alerts: int
    under_way: int
    awaiting_approval: int
    changes: list[Change]

    @property
    def number_of_services(self) -> int:
        return sum(self.services.values())


def summary(tx: Transaction, limit: int) -> Summary:
    """The figures, and the last `limit` changes."""
    with tx.cursor(row_factory=dict_row) as cursor:
        row: dict[str, Any] | None = cursor.execute(
            SUMMARY, {"limit": limit, "few": metrics.COUNTED_AT_ONCE}
        ).fetchone()
    assert row is not None
    changes = [Change(**{**one, "at": datetime.fromisoformat(one["at"])}) for one in row["changes"]]
    return Summary(**{**row, "changes": changes})


#: Most urgent first. Who was told: whom a message has reached, and whom none has.
WRONG: Final = """
SELECT a.alert_id, a.service_id, a.heartbeat_name, s.service_name, a.kind, a.status, a.priority, a.because, a.opened_at,
       a.told_at, a.acknowledged_by, a.snoozed_until, told.reached, told.unreached
  FROM (SELECT * FROM medic.alerts WHERE resolved_at IS NULL
         ORDER BY priority, opened_at DESC, alert_id DESC LIMIT %(limit)s) AS a
  LEFT JOIN medic.services s USING (service_id),
       LATERAL (SELECT array_agg(DISTINCT channel) FILTER (WHERE status = 'success') AS reached,
                       array_agg(DISTINCT channel) FILTER (WHERE status NOT IN ('success', 'skipped')) AS unreached
                  FROM medic.notification_deliveries d
                 WHERE d.alert_id = a.alert_id AND channel IS NOT NULL) AS told
 ORDER BY a.priority, a.opened_at DESC, a.alert_id DESC
"""


@dataclass(frozen=True, slots=True)
class Wrong:
    """An open alert, and the channels that its messages have reached or not (yet)."""

    alert_id: int
    service_id: int | None
    heartbeat_name: str
    service_name: str | None
    kind: str
    status: str
    priority: str
    because: str
    opened_at: datetime
    told_at: datetime | None
    acknowledged_by: str | None
    snoozed_until: datetime | None
    reached: list[str] | None
    unreached: list[str] | None


def wrong_now(tx: Transaction, limit: int) -> list[Wrong]:
    """What is wrong now, most urgent first."""
    with tx.cursor(row_factory=class_row(Wrong)) as cursor:
        return cursor.execute(WRONG, {"limit": limit}).fetchall()
