"""What services are: names, schedules, people's choices. What is believed of them: `service_states`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row, scalar_row

from medic_core.domain.alerting.flapping import DEFAULT_MAX_CHANGES, DEFAULT_WINDOW
from medic_core.domain.watching.schedules import DEFAULT_EARLY_TOLERANCE, Schedule
from medic_core.domain.watching.signals import Whom
from medic_core.store import schedules
from medic_core.store.connection import Transaction
from medic_core.store.recording import identification

#: A slug that another service of the team has is made unique by a number.
ADD: Final = """
INSERT INTO medic.services (
    heartbeat_name, name_key, service_name, slug, ping_id, team_id, priority, runbook, every_seconds, threshold,
    grace_period_seconds, max_duration_ms, failure_tolerance, reminder_interval_seconds, alert_when_never_reported,
    post_only, success_keywords, failure_keywords, start_keywords, unmatched_body, tags, cron_expression, timezone,
    early_tolerance_seconds, flapping_max_changes, flapping_window_seconds, working_hours_id, notification_mode,
    status_page)
SELECT %(heartbeat_name)s, %(name_key)s, %(service_name)s, free.slug, %(ping_id)s, %(team_id)s, %(priority)s,
       %(runbook)s, %(every_seconds)s, %(threshold)s, %(grace_period_seconds)s, %(max_duration_ms)s,
       %(failure_tolerance)s, %(reminder_interval_seconds)s, %(alert_when_never_reported)s, %(post_only)s,
       %(success_keywords)s, %(failure_keywords)s, %(start_keywords)s, %(unmatched_body)s, %(tags)s,
       %(cron_expression)s, %(timezone)s, %(early_tolerance_seconds)s, %(flapping_max_changes)s,
       %(flapping_window_seconds)s, %(working_hours_id)s, %(notification_mode)s, %(status_page)s
  FROM (SELECT CASE n WHEN 1 THEN %(slug)s ELSE %(slug)s || '-' || n END AS slug, n
          FROM generate_series(1, 10000) AS n) AS free
 WHERE NOT EXISTS (SELECT FROM medic.services taken WHERE taken.team_id = %(team_id)s AND taken.slug = free.slug)
 ORDER BY free.n LIMIT 1
ON CONFLICT (name_key) DO NOTHING
RETURNING service_id
"""


@dataclass(frozen=True, slots=True)
class Configuration:
    """All that a person decides about a service when registering it. Either `every_seconds` or a cron expression."""

    heartbeat_name: str
    service_name: str
    slug: str
    team_id: int | None
    priority: str
    runbook: str
    every_seconds: int | None
    threshold: int
    cron_expression: str | None = None
    timezone: str | None = None
    early_tolerance_seconds: int = int(DEFAULT_EARLY_TOLERANCE.total_seconds())
    grace_period_seconds: int = 0
    max_duration_ms: int | None = None
    failure_tolerance: int = 1
    reminder_interval_seconds: int | None = None
    alert_when_never_reported: bool = True
    post_only: bool = False
    success_keywords: tuple[str, ...] = ()
    failure_keywords: tuple[str, ...] = ()
    start_keywords: tuple[str, ...] = ()
    unmatched_body: str = "ignore"
    tags: tuple[str, ...] = ()
    flapping_max_changes: int | None = DEFAULT_MAX_CHANGES
    flapping_window_seconds: int = int(DEFAULT_WINDOW.total_seconds())
    working_hours_id: int | None = None
    notification_mode: str = "notify_all"
    status_page: str | None = None

    @property
    def schedule(self) -> Schedule:
        """When it must be heard."""
        return schedules.read(asdict(self))


def add(tx: Transaction, new: Configuration, name_key: str, ping_id: UUID) -> int | None:
    """Add a service; None where the name is taken."""
    values = {name: getattr(new, name) for name in Configuration.__dataclass_fields__}
    values |= {"name_key": name_key, "ping_id": ping_id}
    values |= {name: list(value) for name, value in values.items() if isinstance(value, tuple)}
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(ADD, values).fetchone()


FIND: Final = """
SELECT service_id FROM medic.services WHERE name_key = %(name_key)s
UNION ALL
SELECT service_id FROM medic.services WHERE ping_id = %(ping_id)s
UNION ALL
SELECT service_id FROM medic.services WHERE service_id = %(service_id)s
UNION ALL
SELECT s.service_id FROM medic.teams t JOIN medic.services s USING (team_id)
 WHERE t.ping_key = %(ping_key)s AND s.slug = %(slug)s
"""


def find(tx: Transaction, whom: Whom) -> int | None:
    """The service that a client means."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(FIND, identification(whom)).fetchone()


#: The columns that an update may name; `SET` is put together from these alone.
EDITABLE: Final = frozenset(
    {
        "heartbeat_name", "name_key", "service_name", "slug", "team_id", "priority", "runbook", "active",
        "every_seconds", "threshold", "grace_period_seconds", "max_duration_ms", "failure_tolerance",
        "reminder_interval_seconds", "alert_when_never_reported", "muted_at", "muted_until", "mute_reason", "post_only",
        "success_keywords", "failure_keywords", "start_keywords", "unmatched_body", "tags", "paused_at",
        "resume_on_heartbeat", "ping_id", "cron_expression", "timezone", "early_tolerance_seconds",
        "flapping_max_changes", "flapping_window_seconds", "working_hours_id", "notification_mode",
        "status_page",
    }
)  # fmt: skip


def update(tx: Transaction, service_id: int, changes: Mapping[str, Any]) -> None:
    """Change these columns of a service; each must be EDITABLE."""
    unknown = set(changes) - EDITABLE
    if unknown:
        raise ValueError(f"not editable: {sorted(unknown)}")
    assignments = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in changes
    )
    statement = sql.SQL(
        "UPDATE medic.services SET updated_at = now(), version = version + 1{} WHERE service_id = %(service_id)s"
    ).format(sql.SQL(", ") + assignments if changes else sql.SQL(""))
    tx.execute(statement, {**changes, "service_id": service_id})


#: The columns of a `Service`.
FIELDS: Final = """
       s.service_id, s.heartbeat_name, s.service_name, s.slug, s.ping_id, s.team_id, t.name AS team, s.priority,
       s.runbook, s.active, s.every_seconds, s.threshold, s.grace_period_seconds, s.max_duration_ms,
       s.failure_tolerance, s.reminder_interval_seconds, s.alert_when_never_reported, s.muted_at, s.muted_until,
       s.mute_reason, s.post_only, s.success_keywords, s.failure_keywords, s.start_keywords, s.unmatched_body,
       s.tags, s.paused_at, s.resume_on_heartbeat, s.version, s.created_at, s.updated_at, s.cron_expression, s.timezone,
       s.early_tolerance_seconds, s.flapping_max_changes, s.flapping_window_seconds, s.working_hours_id,
       s.notification_mode, s.status_page, st.health, st.last_heartbeat_at, st.alert_after,
       st.silence_allowed,
       CASE WHEN st.flapping_until > now() THEN st.flapping_until END AS flapping_until,
       now() AS now, status.status
"""
#: `late` is past its interval and within its grace; who is not watched is `paused`.
TABLES: Final = """
  FROM medic.services s JOIN medic.service_state st USING (service_id) LEFT JOIN medic.teams t USING (team_id),
       LATERAL (SELECT CASE WHEN NOT s.active OR s.paused_at IS NOT NULL THEN 'paused'
                            WHEN st.health IN ('up', 'degraded')
                             AND now() > st.alert_after - s.grace_period_seconds * interval '1 second' THEN 'late'
                            ELSE st.health END AS status) AS status
"""
COLUMNS: Final = "SELECT " + FIELDS + TABLES
READ: Final = (
    COLUMNS
    + """
 WHERE (%(service_id)s::bigint IS NULL OR s.service_id = %(service_id)s)
   AND (%(name_key)s::text IS NULL OR s.name_key = %(name_key)s)
   AND (%(service_name)s::text IS NULL OR s.service_name = %(service_name)s)
   AND (%(active)s::boolean IS NULL OR s.active = %(active)s)
   AND s.service_id > %(after)s
 ORDER BY s.service_id
 LIMIT %(limit)s
"""
)


@dataclass(frozen=True, slots=True)
class Service:
    """A service as it is read: what it is and what is believed of it at `now`."""

    service_id: int
    heartbeat_name: str
    service_name: str
    slug: str
    ping_id: UUID
    team_id: int | None
    team: str | None
    priority: str
    runbook: str
    active: bool
    every_seconds: int | None
    threshold: int
    grace_period_seconds: int
    max_duration_ms: int | None
    failure_tolerance: int
    reminder_interval_seconds: int | None
    alert_when_never_reported: bool
    muted_at: datetime | None
    muted_until: datetime | None
    mute_reason: str | None
    post_only: bool
    success_keywords: list[str]
    failure_keywords: list[str]
    start_keywords: list[str]
    unmatched_body: str
    tags: list[str]
    paused_at: datetime | None
    resume_on_heartbeat: bool
    version: int
    created_at: datetime
    updated_at: datetime
    cron_expression: str | None
    timezone: str | None
    early_tolerance_seconds: int
    flapping_max_changes: int | None
    flapping_window_seconds: int
    working_hours_id: int | None
    notification_mode: str
    status_page: str | None
    health: str
    last_heartbeat_at: datetime | None
    alert_after: datetime | None
    silence_allowed: timedelta
    flapping_until: datetime | None
    now: datetime
    status: str

    @property
    def schedule(self) -> Schedule:
        """When it must be heard."""
        return schedules.read(asdict(self))

    @property
    def is_muted(self) -> bool:
        return self.muted_until is not None and self.muted_until > self.now


def read(
    tx: Transaction,
    *,
    service_id: int | None = None,
    name_key: str | None = None,
    service_name: str | None = None,
    active: bool | None = None,
    after: int = 0,
    limit: int = 1,
) -> list[Service]:
    """Services in the order of their registration; None does not filter."""
    with tx.cursor(row_factory=class_row(Service)) as cursor:
        return cursor.execute(
            READ,
            {
                "service_id": service_id,
                "name_key": name_key,
                "service_name": service_name,
                "active": active,
                "after": after,
                "limit": limit,
            },
        ).fetchall()


BY_NAMES: Final = """
SELECT name_key, service_id FROM medic.services WHERE name_key = ANY(%(name_keys)s::text[])
"""


def by_names(tx: Transaction, name_keys: Collection[str]) -> dict[str, int]:
    """The services of these names, as far as there are any."""
    return dict(tx.execute(BY_NAMES, {"name_keys": list(name_keys)}).fetchall())


HEARTBEAT_NAMES: Final = """
SELECT heartbeat_name FROM medic.services WHERE service_id = ANY(%(service_ids)s::bigint[]) ORDER BY name_key
"""


def heartbeat_names(tx: Transaction, service_ids: Collection[int]) -> list[str]:
    """What these services call themselves, as far as they are still there."""
    return [name for (name,) in tx.execute(HEARTBEAT_NAMES, {"service_ids": list(service_ids)}).fetchall()]


DELETE: Final = """
WITH events AS (DELETE FROM medic.heartbeat_events WHERE service_id = %(service_id)s)
DELETE FROM medic.services WHERE service_id = %(service_id)s
"""


def delete(tx: Transaction, service_id: int) -> None:
    """Remove a service with all that was heard of it; its alerts stay, without it."""
    tx.execute(DELETE, {"service_id": service_id})
