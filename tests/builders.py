"""Things to test with: valid by default, so that a test names only what matters to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

from medic_core.credentials import here
from medic_core.domain.watching import cron
from medic_core.domain.watching.names import name_key, slug_of
from medic_core.domain.watching.signals import ByName, Signal, SignalKind, Taken
from medic_core.flows.record import record_signal
from medic_core.flows.register import register, team_named
from medic_core.store.connection import Database
from medic_core.store.services import Configuration

Result = TypeVar("Result")


def a_service(database: Database, name: str = "nightly-backup", *, team: str | None = None, **wanted: Any) -> int:
    """Register a service: every minute, no grace, unless said otherwise."""
    with database.transaction() as tx:
        team_id = team_named(tx, team) if team else None
        defaults: dict[str, Any] = {"every_seconds": 60, "threshold": 1, "priority": "p3", "runbook": ""}
        defaults |= {"service_name": name}
        new = Configuration(heartbeat_name=name, slug=slug_of(name), team_id=team_id, **(defaults | wanted))
        service_id = register(tx, new)
    assert service_id is not None
    return service_id


def hears(database: Database, name: str = "nightly-backup", kind: SignalKind = SignalKind.UP, **more: Any) -> Taken:
    """Let a service be heard now."""
    return record_signal(database, a_signal(name, kind, **more), None)


def all_ticks(expression: str, timezone: str, after: datetime) -> Iterator[datetime]:
    """All ticks after a moment, in UTC."""
    while True:
        after = cron.next_tick(expression, timezone, after)
        yield after


def a_signal(name: str = "nightly-backup", kind: SignalKind = SignalKind.UP, **more: Any) -> Signal:
    return Signal(more.pop("signal_id", uuid4()), more.pop("whom", ByName(name_key(name))), kind, **more)


#: Every moment that the rules look at; moving them all back is how time passes in a test.
MOMENTS = {
    "service_state": ("last_heartbeat_at", "alert_after", "down_at", "flapping_until"),
    "services": ("created_at", "muted_at", "muted_until", "paused_at"),
    "alerts": (
        "overdue_since",
        "opened_at",
        "told_at",
        "remind_at",
        "next_look_at",
        "acknowledged_at",
        "snoozed_until",
        "counted_until",
    ),
    "alert_events": ("at", "swept_at"),
    "heartbeat_events": ("received_at",),
    "job_runs": ("started_at", "completed_at", "stale_after", "stale_at"),
    "monitor_state": ("last_sweep_at", "spool_waiting_since", "gap_start", "gap_end", "approvals_told_at"),
    "outbox": ("leave_at", "created_at", "done_at"),
    "api_keys": ("expires_at", "revoked_at", "last_used_at"),
    "api_key_secrets": ("valid_until",),
    "service_snapshots": ("created_at", "restored_at"),
    "idempotency_keys": ("created_at",),
    "notification_deliveries": ("due_at", "queued_at", "last_attempt_at", "created_at", "group_at"),
    "target_health": ("failing_since", "failure_told_at", "slow_until", "throttled_until", "grouped_at"),
    "maintenance_windows": ("start_time", "end_time", "next_start", "next_end", "began_at"),
    "webhooks": ("former_secret_until",),
    "notices": ("at",),
    "playbook_executions": ("expected_by", "next_look_at", "created_at", "started_at", "completed_at"),
    "playbook_step_results": ("sent_at", "started_at", "completed_at"),
    "approval_requests": (
        "requested_at",
        "expires_at",
        "decided_at",
        "remind_at",
        "token_answered_at",
        "token_refused_at",
    ),
    "approval_votes": ("at",),
    "approval_links": ("made_at",),
    "slack_requests": ("received_at",),
    "counters": ("changed_at",),
    "counted": ("counted_until", "measured_at"),
    "repair_batches": ("created_at", "expires_at", "decided_at"),
    "trigger_firings": ("fired_at",),
    "secrets": ("last_used_at",),
    "kill_switches": ("thrown_at",),
    "remediation_audit_log": ("at",),
}
#: Those that an execution keeps of its progress.
MOMENTS_OF_PROGRESS = ("until", "deadline", "step_began", "acted_at")


def time_passes(database: Database, by: timedelta, *, swept: bool = True) -> None:
    """Move everything `by` into the past; the monitor is taken to have swept all the while unless `swept` is False."""
    with database.transaction() as tx:
        for table, columns in MOMENTS.items():
            changes = ", ".join(f"{column} = {column} - %(by)s" for column in columns)
            tx.execute(f"UPDATE medic.{table} SET {changes}", {"by": by})
        for column in ("recent_heartbeats", "extensions", "health_changes"):
            moved = f"SELECT moment - %(by)s FROM unnest({column}) WITH ORDINALITY AS m (moment, n) ORDER BY n"
            tx.execute(f"UPDATE medic.service_state SET {column} = ARRAY({moved})", {"by": by})
        for name in MOMENTS_OF_PROGRESS:
            moved = f"to_jsonb((progress->>'{name}')::timestamptz - %(by)s)"
            tx.execute(
                f"UPDATE medic.playbook_executions SET progress = jsonb_set(progress, '{{{name}}}', {moved})"
                f" WHERE progress ? '{name}'",
                {"by": by},
            )
        if swept:
            tx.execute("UPDATE medic.monitor_state SET last_sweep_at = now()")


def rows(database: Database, query: str, **values: Any) -> list[tuple[Any, ...]]:
    with database.autocommit() as connection:
        return connection.execute(query, values).fetchall()


#: It repeats the schedule.
OF_THE_HOT_ROW = """
    UPDATE medic.service_state st SET cron = replace(st.cron, 'Europe/Berlin', s.timezone)
      FROM medic.services s WHERE s.service_id = st.service_id AND s.heartbeat_name = %(name)s
"""


def loses_its_zone(database: Database, table: str, name: str) -> None:
    """What was a zone when it was saved is none any more to the Python that runs now."""
    column = "heartbeat_name" if table == "services" else "name"
    with database.transaction() as tx:
        tx.execute(f"UPDATE medic.{table} SET timezone = 'Mars/Olympus' WHERE {column} = %(name)s", {"name": name})
        if table == "services":
            tx.execute(OF_THE_HOT_ROW, {"name": name})


def at_once(database: Database, calls: Sequence[Callable[[Database], Result]], workers: int = 8) -> list[Result]:
    """What the calls return, each with a connection of its own, so many at a time."""

    def run(call: Callable[[Database], Result]) -> Result:
        with closing(Database(database._server)) as own:
            return call(own)

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(run, calls))


#: Where nobody answers.
NOWHERE = "postgresql://medic@127.0.0.1:1/none"


@contextmanager
def away(database: Database, url: str = NOWHERE) -> Iterator[None]:
    """A function's database is somewhere else for a while."""
    database.close()
    was, database._server = database._server, here(url)
    yield
    database.close()
    database._server, database._avoid_until = was, 0.0


def ping_id(database: Database, service_id: int) -> UUID:
    found: UUID = rows(database, "SELECT ping_id FROM medic.services WHERE service_id = %(id)s", id=service_id)[0][0]
    return found


def now_of(database: Database) -> datetime:
    """The database's time."""
    found: datetime = rows(database, "SELECT now()")[0][0]
    return found


def watch_statements(database: Database) -> list[str]:
    """The statements that this connection executes from now on, as the server hears them."""
    heard: list[str] = []

    def note(notice: Any) -> None:
        how, _, text = (notice.message_primary or "").partition(": ")
        if how == "statement" or how.startswith("execute"):
            heard.append(text.strip())

    with database.autocommit() as connection:
        connection.execute("SET log_statement = 'all'")
        connection.execute("SET client_min_messages = log")
        connection.add_notice_handler(note)
    return heard
