"""Services as they were before a change. A snapshot outlives its service, which can be made again from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import class_row, dict_row, scalar_row

from medic_core.domain.watching.schedules import Schedule
from medic_core.domain.watching.snapshots import Action
from medic_core.store import schedules
from medic_core.store.connection import Transaction

#: All of its row: a column that is added later is kept from then on.
TAKE: Final = """
INSERT INTO medic.service_snapshots (service_id, heartbeat_name, action_type, actor, snapshot_data)
SELECT service_id, heartbeat_name, %(action)s, %(actor)s, to_jsonb(services) - 'inspects_pings'
  FROM medic.services WHERE service_id = %(service_id)s
"""


def take(tx: Transaction, service_id: int, action: Action, actor: str) -> None:
    """Keep a service as it is now."""
    tx.execute(TAKE, {"service_id": service_id, "action": action, "actor": actor})


AS_IT_IS: Final = "SELECT to_jsonb(services) FROM medic.services WHERE service_id = %(service_id)s"


def as_it_is(tx: Transaction, service_id: int) -> dict[str, Any] | None:
    """A service as `take` would keep it; None where there is none."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(AS_IT_IS, {"service_id": service_id}).fetchone()


READ: Final = """
SELECT snapshot_id, service_id, heartbeat_name, action_type, actor, snapshot_data, created_at, restored_at, restored_by
  FROM medic.service_snapshots
 WHERE (%(snapshot_id)s::bigint IS NULL OR snapshot_id = %(snapshot_id)s)
   AND (%(service_id)s::bigint IS NULL OR service_id = %(service_id)s)
   AND (%(action_type)s::text IS NULL OR action_type = %(action_type)s)
   AND (%(start_date)s::timestamptz IS NULL OR created_at >= %(start_date)s)
   AND (%(end_date)s::timestamptz IS NULL OR created_at <= %(end_date)s)
   AND (%(before)s::bigint IS NULL OR snapshot_id < %(before)s)
 ORDER BY snapshot_id DESC
 LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A service as it was before a change."""

    snapshot_id: int
    service_id: int
    heartbeat_name: str
    action_type: str
    actor: str
    snapshot_data: dict[str, Any]
    created_at: datetime
    restored_at: datetime | None
    restored_by: str | None


def read(
    tx: Transaction,
    *,
    snapshot_id: int | None = None,
    service_id: int | None = None,
    action_type: Action | None = None,
    start_date: datetime | None = None,
    end_date: datetime | None = None,
    before: int | None = None,
    limit: int = 1,
) -> list[Snapshot]:
    """Snapshots, newest first; None does not filter. Both dates are inclusive."""
    values = {
        "snapshot_id": snapshot_id,
        "service_id": service_id,
        "action_type": action_type,
        "start_date": start_date,
        "end_date": end_date,
        "before": before,
        "limit": limit,
    }
    with tx.cursor(row_factory=class_row(Snapshot)) as cursor:
        return cursor.execute(READ, values).fetchall()


MARK_RESTORED: Final = """
UPDATE medic.service_snapshots SET restored_at = now(), restored_by = %(actor)s
 WHERE snapshot_id = %(snapshot_id)s AND restored_at IS NULL
"""


def mark_restored(tx: Transaction, snapshot_id: int, actor: str) -> bool:
    """Note that a service was put back; False where it had been already. The second of two at once waits for that."""
    return tx.execute(MARK_RESTORED, {"snapshot_id": snapshot_id, "actor": actor}).rowcount == 1


#: With its old ids, so that its ping URL goes on working. A team or working hours that are gone are not missed.
#: What an older snapshot does not know yet is as the columns' defaults have it.
MAKE_AGAIN: Final = """
INSERT INTO medic.services (
    service_id, heartbeat_name, name_key, service_name, slug, ping_id, team_id, priority, runbook, active,
    every_seconds, threshold, grace_period_seconds, max_duration_ms, failure_tolerance, reminder_interval_seconds,
    alert_when_never_reported, muted_at, muted_until, mute_reason, post_only, success_keywords, failure_keywords,
    start_keywords, unmatched_body, tags, paused_at, resume_on_heartbeat, cron_expression, timezone,
    early_tolerance_seconds, flapping_max_changes, flapping_window_seconds, working_hours_id, notification_mode,
    status_page, version, created_at)
OVERRIDING SYSTEM VALUE
SELECT was.service_id, was.heartbeat_name, was.name_key, was.service_name, was.slug, was.ping_id, t.team_id,
       was.priority, was.runbook, was.active, was.every_seconds, was.threshold, was.grace_period_seconds,
       was.max_duration_ms, was.failure_tolerance, was.reminder_interval_seconds, was.alert_when_never_reported,
       was.muted_at, was.muted_until, was.mute_reason, was.post_only, was.success_keywords, was.failure_keywords,
       was.start_keywords, was.unmatched_body, was.tags, was.paused_at, was.resume_on_heartbeat, was.cron_expression,
       was.timezone, was.early_tolerance_seconds, was.flapping_max_changes, was.flapping_window_seconds,
       h.schedule_id, was.notification_mode, was.status_page, was.version + 1, was.created_at
  FROM medic.service_snapshots snapshot,
       jsonb_populate_record(NULL::medic.services, '{"early_tolerance_seconds": 60, "flapping_max_changes": 10,
                             "flapping_window_seconds": 3600, "notification_mode": "notify_all"}'
                             || snapshot.snapshot_data) AS was
  LEFT JOIN medic.teams t ON t.team_id = was.team_id
  LEFT JOIN medic.schedules h ON h.schedule_id = was.working_hours_id
 WHERE snapshot.snapshot_id = %(snapshot_id)s
ON CONFLICT DO NOTHING
RETURNING service_id, every_seconds, threshold, grace_period_seconds, cron_expression, timezone, early_tolerance_seconds
"""


def make_again(tx: Transaction, snapshot_id: int) -> tuple[int, Schedule] | None:
    """Make a deleted service again: its id and schedule. None where its name, slug or id is another's by now."""
    with tx.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(MAKE_AGAIN, {"snapshot_id": snapshot_id}).fetchone()
    return (row["service_id"], schedules.read(row)) if row else None


FORGET: Final = """
DELETE FROM medic.service_snapshots WHERE snapshot_id IN (
    SELECT snapshot_id FROM medic.service_snapshots
     WHERE created_at < now() - interval '1 day' * %(days)s ORDER BY created_at LIMIT 10000
)
"""


def forget(tx: Transaction, days: int) -> int:
    """Remove old snapshots, 10,000 at most; returns how many."""
    return tx.execute(FORGET, {"days": days}).rowcount
