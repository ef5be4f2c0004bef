"""History, added up: each event once, in the background, by what is written anyway.

What happened up to `counted_until` is in `counters`; what came later is counted where it lies, by the same rules. So a
heartbeat pays nothing for being counted, and a scrape reads what is new and no history.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from psycopg.rows import class_row, scalar_row

from medic_core.domain.observing import metrics
from medic_core.domain.observing.exposition import Sample
from medic_core.domain.watching.signals import SignalKind
from medic_core.store.connection import Transaction

#: Whatever began longer ago has been committed or given up, as a rule: no statement is allowed half of that.
SETTLED_AFTER: Final = timedelta(minutes=1)
#: A transaction that is still under way is waited for so long.
WAITED_FOR: Final = timedelta(minutes=10)
#: Services are counted from end to end so often.
MEASURED_EVERY: Final = timedelta(minutes=5)

LATE_SEEN: Final = "WITH late AS (SELECT service_id, kind FROM medic.late_heartbeats)"
LATE_TAKEN: Final = "WITH late AS (DELETE FROM medic.late_heartbeats RETURNING service_id, kind)"
#: What happened in a stretch of time, as series. Who has a name of its own is decided by age, so that a series that was
#: begun goes on.
COUNTED: Final = """
, named AS (
    SELECT COALESCE((SELECT service_id FROM medic.services ORDER BY service_id OFFSET %(services)s - 1 LIMIT 1),
                    'infinity'::float8) AS service,
           COALESCE((SELECT service_id FROM medic.services ORDER BY service_id OFFSET %(services_in_executions)s - 1
                     LIMIT 1), 'infinity'::float8) AS service_in_executions,
           COALESCE((SELECT playbook_id FROM medic.playbooks ORDER BY playbook_id OFFSET %(playbooks)s - 1 LIMIT 1),
                    'infinity'::float8) AS playbook,
           COALESCE((SELECT team_id FROM medic.teams ORDER BY team_id OFFSET %(teams)s - 1 LIMIT 1), 'infinity'::float8)
               AS team
), heard AS (
    SELECT CASE WHEN one.service_id <= named.service THEN one.service_id END AS service_id, one.kind, count(*) AS value
      FROM named, (
           SELECT service_id, kind FROM late
            UNION ALL
           (SELECT service_id, kind FROM medic.heartbeat_events
             WHERE received_at > %(since)s AND received_at <= COALESCE(%(until)s::timestamptz, 'infinity')
             ORDER BY received_at LIMIT %(most)s)
      ) AS one
     GROUP BY 1, 2
), told AS (
    SELECT e.event, a.kind, a.priority,
           CASE WHEN t.team_id > named.team THEN %(others)s::text ELSE COALESCE(t.name, '') END AS team
      FROM named, medic.alert_events e JOIN medic.alerts a USING (alert_id)
      LEFT JOIN medic.services s ON s.service_id = a.service_id LEFT JOIN medic.teams t USING (team_id)
     WHERE e.at > %(since)s AND e.at <= COALESCE(%(until)s::timestamptz, 'infinity')
       AND e.event IN ('opened', 'resolved')
), ended AS (
    SELECT e.status, extract(epoch FROM e.completed_at - COALESCE(e.started_at, e.created_at))::float8 AS seconds,
           jsonb_build_object(
               'playbook', CASE WHEN p.playbook_id > named.playbook THEN %(others)s::text ELSE p.name END,
               'service_name', CASE WHEN s.service_id > named.service_in_executions THEN %(others)s::text
                                    ELSE COALESCE(s.service_name, '') END) AS of_it
      FROM named, medic.playbook_executions e JOIN medic.playbooks p USING (playbook_id)
      LEFT JOIN medic.services s USING (service_id)
     WHERE e.completed_at > %(since)s AND e.completed_at <= COALESCE(%(until)s::timestamptz, 'infinity')
), stopped AS (
    SELECT CASE WHEN l.service_id <= named.service THEN l.service_id END AS service_id
      FROM named, medic.remediation_audit_log l
     WHERE l.at > %(since)s AND l.at <= COALESCE(%(until)s::timestamptz, 'infinity')
       AND l.action_type = 'execution_blocked' AND starts_with(l.details->>'because', 'circuit breaker:')
), counted AS (
    SELECT 'medic_heartbeats_total' AS name, s.service_id, heard.value::float8 AS value,
           jsonb_build_object(
               'heartbeat_name', COALESCE(s.heartbeat_name, %(others)s::text), 'status', heard.kind) AS labels
      FROM heard LEFT JOIN medic.services s USING (service_id)
     WHERE heard.service_id IS NULL OR s.service_id IS NOT NULL
     UNION ALL
    SELECT 'medic_alerts_total', NULL, count(*), jsonb_build_object('priority', priority, 'team', team)
      FROM told WHERE event = 'opened' GROUP BY priority, team
     UNION ALL
    SELECT 'medic_alerts_resolved_total', NULL, count(*), jsonb_build_object()
      FROM told WHERE event = 'resolved' HAVING count(*) > 0
     UNION ALL
    SELECT 'medic_duration_alerts_total', NULL, count(*),
           jsonb_build_object('alert_type', CASE kind WHEN 'stale_run' THEN 'stale' ELSE 'exceeded' END)
      FROM told WHERE event = 'opened' AND kind IN ('stale_run', 'duration_exceeded') GROUP BY kind
     UNION ALL
    SELECT 'medic_playbook_executions_total', NULL, count(*), of_it || jsonb_build_object('status', status)
      FROM ended GROUP BY of_it, status
     UNION ALL
    SELECT 'medic_playbook_execution_duration_seconds', NULL, count(*), of_it || jsonb_build_object('le', bound.le)
      FROM ended, LATERAL (
           SELECT COALESCE(min(b)::text, '+Inf') AS le FROM unnest(%(bounds)s::float8[]) AS u (b) WHERE seconds <= b
      ) AS bound
     GROUP BY of_it, bound.le
     UNION ALL
    SELECT 'medic_playbook_execution_duration_seconds_sum', NULL, sum(GREATEST(seconds, 0)), of_it
      FROM ended GROUP BY of_it
     UNION ALL
    SELECT 'medic_circuit_breaker_trips_total', service_id, count(*),
           jsonb_build_object('service_id', COALESCE(service_id::text, %(others)s::text))
      FROM stopped GROUP BY service_id
)
"""
LIMITS: Final = {
    "services": metrics.NAMED_SERVICES,
    "services_in_executions": metrics.NAMED_IN_EXECUTIONS,
    "playbooks": metrics.NAMED_PLAYBOOKS,
    "teams": metrics.NAMED_TEAMS,
    "others": metrics.OTHERS,
    "bounds": list(metrics.EXECUTION_TIME.bounds),
}
READ: Final = (
    LATE_SEEN  # noqa: S608 - constants
    + COUNTED
    + """
SELECT name, labels, sum(value) AS value, (SELECT counted_until FROM medic.counted) AS counted_until
  FROM (SELECT c.name, c.labels, c.value
          FROM medic.counters c LEFT JOIN medic.services s USING (service_id)
         WHERE c.service_id IS NULL OR s.service_id IS NOT NULL
         UNION ALL
        SELECT name, labels, value FROM counted) AS both_parts
 GROUP BY name, labels ORDER BY name, labels
"""
)


def read(tx: Transaction, since: datetime) -> list[Sample] | None:
    """All counters as they are now: what was added up until `since`, and what has happened since then.

    None where somebody has added up more meanwhile, which would count twice.
    """
    rows = tx.execute(READ, {**LIMITS, "since": since, "until": None, "most": metrics.SEEN_AT_ONCE}).fetchall()
    if any(counted_until != since for *_, counted_until in rows):
        return None
    return [Sample(name, labels, value) for name, labels, value, _ in rows]


#: Who comes second leaves it to the first. Replays that hold the row are waited for: they must not keep it for ever.
LOCK: Final = """
SELECT counted_until, now() AS now, measured_at, GREATEST(now() - %(waited_for)s::interval, LEAST(
           now() - %(settled_after)s::interval,
           (SELECT min(xact_start) FROM pg_stat_activity
             WHERE datname = current_database() AND backend_xid IS NOT NULL))) AS latest
  FROM medic.counted
 WHERE pg_try_advisory_xact_lock(hashtextextended('who counts in Medic', 0)) FOR UPDATE
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """How far history was added up, how far it can be now, and when services were last counted from end to end."""

    counted_until: datetime
    now: datetime
    measured_at: datetime | None
    latest: datetime


def lock(tx: Transaction, settled_after: timedelta = SETTLED_AFTER) -> Counted | None:
    """Be the one who counts; None where somebody else does."""
    values = {"settled_after": settled_after, "waited_for": WAITED_FOR}
    with tx.cursor(row_factory=class_row(Counted)) as cursor:
        return cursor.execute(LOCK, values).fetchone()


UNTIL: Final = """
SELECT CASE WHEN count(*) < %(most)s THEN %(latest)s::timestamptz ELSE max(received_at) END FROM (
    SELECT received_at FROM medic.heartbeat_events
     WHERE received_at > %(since)s AND received_at <= %(latest)s ORDER BY received_at LIMIT %(most)s
) AS first_ones
"""


def until(tx: Transaction, since: datetime, latest: datetime, most: int) -> datetime:
    """Up to when there are `most` heartbeats, `latest` where there are fewer."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(UNTIL, {"since": since, "latest": latest, "most": most}).fetchone()
    assert isinstance(found, datetime)
    return found


COUNT_UP: Final = (
    LATE_TAKEN  # noqa: S608 - constants
    + COUNTED
    + """, added AS (
    INSERT INTO medic.counters AS c (name, labels, service_id, value)
    SELECT name, labels, max(service_id), sum(value) FROM counted GROUP BY name, labels ORDER BY name, labels
    ON CONFLICT (name, labels) DO UPDATE
       SET value = c.value + EXCLUDED.value, service_id = EXCLUDED.service_id, changed_at = now()
)
UPDATE medic.counted SET counted_until = %(until)s
"""
)


def count_up(tx: Transaction, since: datetime, up_to: datetime) -> None:
    """Add up what happened in between, for good."""
    tx.execute(COUNT_UP, {**LIMITS, "since": since, "until": up_to, "most": None})


#: How many services there are of each status; whoever is late is within the grace.
BY_STATUS: Final = """
SELECT COALESCE(jsonb_object_agg(status, n), jsonb_build_object())
  FROM (SELECT status, count(*) AS n
          FROM (SELECT CASE WHEN NOT s.active OR s.paused_at IS NOT NULL THEN 'paused'
                            WHEN st.health IN ('up', 'degraded')
                             AND now() > st.alert_after - s.grace_period_seconds * interval '1 second'
                            THEN 'late' ELSE st.health END AS status
                  FROM medic.services s JOIN medic.service_state st USING (service_id)) AS each
         GROUP BY status) AS counted
"""
MEASURE: Final = (
    """
UPDATE medic.counted SET registered_services = found.registered, active_services = found.active,
       services_by_status = found.by_status, measured_at = now()
  FROM (SELECT count(*) AS registered, count(*) FILTER (WHERE active AND paused_at IS NULL) AS active, ("""  # noqa: S608
    + BY_STATUS
    + """) AS by_status FROM medic.services) AS found
"""
)


def measure(tx: Transaction) -> None:
    """Count services from end to end."""
    tx.execute(MEASURE)


#: Who counts waits for those that hold this row, and they for who counts: a heartbeat is on one side or the other.
ADD_LATE: Final = """
INSERT INTO medic.late_heartbeats (service_id, kind)
SELECT %(service_id)s, %(kind)s
  FROM (SELECT counted_until FROM medic.counted FOR SHARE) AS state WHERE %(received_at)s <= state.counted_until
"""


def add_late(tx: Transaction, service_id: int, kind: SignalKind, received_at: datetime) -> None:
    """Note a heartbeat, recorded in this transaction, whose time was added up before it came."""
    tx.execute(ADD_LATE, {"service_id": service_id, "kind": kind, "received_at": received_at})
