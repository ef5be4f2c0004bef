"""Each migration goes up, down and up again on a database that has rows; two deploys at once are one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from medic_core.adapters import hashing
from medic_core.adapters.migrations import apply_all, roll_back
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.domain.repair.approvals import Via, Voter
from medic_core.domain.repair.kill_switches import KillLevel
from medic_core.domain.routing.messages import NoticeKind
from medic_core.domain.routing.targets import Defaults
from medic_core.domain.watching.signals import SignalKind
from medic_core.flows import approval_links, change, edit_triggers, keys, kill_switches, maintain, scripts, secrets
from medic_core.flows.change import By
from medic_core.flows.consider import Rules, consider_alerts
from medic_core.flows.count_up import count_up
from medic_core.flows.housekeep import make_partitions
from medic_core.flows.keys import ensure_admin_key
from medic_core.flows.plan_deliveries import plan_notice, plan_notification
from medic_core.flows.settle import replay_signal
from medic_core.flows.sweep import sweep
from medic_core.store import (
    alert_attention,
    approvals,
    connection,
    idempotency_keys,
    notices,
    repair_batches,
    schema_lock,
    slack_requests,
    target_health,
)
from medic_core.store.connection import Database
from medic_core.store.targets import TARGETS, WEBHOOKS
from medic_core.store.working_hours import SCHEDULES
from tests.builders import a_service, a_signal, hears, now_of, rows, time_passes
from tests.fixtures.functions import ADMIN_KEY
from tests.fixtures.postgres import MIGRATIONS, PostgresServer
from tests.fixtures.repairing import SECRETS, Hand, a_playbook, started

FORWARD = sorted(path.name for path in MIGRATIONS.glob("*.sql") if ".rollback." not in path.name)
ROLLBACKS = sorted(path.name for path in MIGRATIONS.glob("*.rollback.sql"))
TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'medic'::regnamespace AND relkind IN ('r', 'p')"


@pytest.fixture
def empty_url(postgres_server: PostgresServer) -> Iterator[str]:
    name = f"empty_{uuid4().hex}"
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield postgres_server.url(name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def lived_in(url: str) -> None:
    """Leave a row in every table."""
    database = Database(url)
    make_partitions(database, days=1)
    ensure_admin_key(database, ADMIN_KEY, hashing)
    a_service(database, "silent", team="infra")
    hears(database, "silent", SignalKind.STARTED)
    hears(database, "silent")
    time_passes(database, timedelta(minutes=2))
    sweep(database, 0, timedelta(seconds=15))
    ((event_id,),) = rows(database, "SELECT subject_id FROM medic.outbox")
    plan_notification(database, event_id, Defaults("C1"), 5)
    leave_administration(database)
    leave_routing(database)
    leave_jobs(database)
    leave_repairs(database)
    leave_metrics(database)
    used = [table for (table,) in rows(database, TABLES) if not re.search(r"_(default|\d{8})$", table)]
    empty = [table for table in used if not rows(database, f"SELECT 1 FROM medic.{table} LIMIT 1")]
    database.close()
    assert empty == []


def leave_administration(database: Database) -> None:
    """A key that rotates, a service that was changed, a request that may be repeated."""
    with database.transaction() as tx:
        made = keys.create(tx, "ci", {Scope.READ}, None, {Endpoints.HEARTBEAT: 5}, hashing)
        keys.rotate(tx, made.key.api_key_id, timedelta(days=1), None, hashing)
        change.change(tx, 1, change.pause(tx, resume_on_heartbeat=True), By("a person"))
        idempotency_keys.claim(tx, made.key.api_key_id, "again", b"digest")
        idempotency_keys.keep(tx, made.key.api_key_id, "again", {"statusCode": 200})


def leave_routing(database: Database) -> None:
    """Working hours, targets that are told one after the other, a webhook that fails, a window, a notice."""
    with database.transaction() as tx:
        hours = {"monday": [{"start": "09:00", "end": "17:00"}]}
        SCHEDULES.add(tx, {"name": "office", "name_key": "office", "timezone": "Europe/Berlin", "hours": hours})
        for type_, config in (("apprise", {"url": "json://example.com"}), ("slack", {"channel_id": "C2"})):
            TARGETS.add(tx, {"service_id": 1, "type": type_, "config": config})
        WEBHOOKS.add(tx, {"url": "https://example.com", "headers": {}, "secret": "whsec_" + "A" * 32})
        tx.execute("UPDATE medic.services SET working_hours_id = 1, notification_mode = 'notify_until_success'")
        target_health.note_trouble(tx, "webhook:1", failed=True)
        now = connection.now(tx)
        times = {"start_time": now, "end_time": now + timedelta(hours=1), "recurrence": None, "timezone": "UTC"}
        maintain.create(tx, {"name": "move", "notify": True, "service_ids": [1], **times}, "a person")
        notice_id = notices.add(tx, NoticeKind.MAINTENANCE_STARTED, "It begins", "as planned")
        alert_attention.acknowledge(tx, 1, "a person", "seen")
        tx.execute(
            "INSERT INTO medic.alert_events (alert_id, event, at, because, consecutive_failures)"
            " VALUES (1, 'reminded', now(), 'still so', 1)"
        )
    plan_notice(database, notice_id, Defaults("C1"))
    ((event_id,),) = rows(database, "SELECT max(alert_event_id) FROM medic.alert_events")
    # The acknowledgement before it too; of the chain of two the second waits.
    assert len(plan_notification(database, event_id, Defaults("C1"), 5).now) == 3


def leave_jobs(database: Database) -> None:
    """A service by cron that flaps, with a run that took too long and one that still does."""
    cron = {"every_seconds": None, "cron_expression": "0 2 * * *", "timezone": "Europe/London"}
    a_service(database, "job", max_duration_ms=1000, flapping_max_changes=2, **cron)
    for run_id in ("a", "b"):
        hears(database, "job", SignalKind.STARTED, run_id=run_id)
    time_passes(database, timedelta(minutes=1))
    hears(database, "job", SignalKind.COMPLETED, run_id="a")
    for kind in (SignalKind.DOWN, SignalKind.UP, SignalKind.DOWN):
        hears(database, "job", kind)
    sweep(database, 0, timedelta(seconds=15))
    kinds = {kind for (kind,) in rows(database, "SELECT kind FROM medic.alerts WHERE resolved_at IS NULL")}
    assert {"duration_exceeded", "stale_run"} <= kinds
    assert rows(database, "SELECT count(*) FROM medic.alert_events WHERE event = 'flapping'") == [(1,)]


def leave_repairs(database: Database) -> None:
    """A playbook that was started by an alert and asks people, one that is held, a script, a secret, a kill switch."""
    playbook_id = a_playbook(database, {"type": "wait", "duration": "1h"}, approval="required")
    with database.transaction() as tx:
        edit_triggers.create(tx, playbook_id, {"service_pattern": "*", "consecutive_failures": 1}, "a person")
        tx.execute("UPDATE medic.alerts SET considered_failures = 0, told_at = now()")
    assert consider_alerts(database, Rules(5)).started > 0
    Hand(database, 1).turn()
    with database.transaction() as tx:
        approval_links.give_to_target(tx, 1, "default:slack")
        slack_requests.add(tx, bytes(32))
        approvals.vote(tx, 1, Voter("ann", "ann", Via.API, "ann"), "", approved=True)
    calls = a_playbook(database, {"type": "webhook", "url": "https://example.com"})
    Hand(database, started(database, calls)).turn()
    with database.transaction() as tx:
        repair_batches.open_for(tx, 1, "many at once", timedelta(hours=1))
        scripts.create(tx, {"name": "s", "content": "true", "interpreter": "bash", "timeout_seconds": 1}, "a person")
        secrets.put(tx, SECRETS, "TOKEN", "value", "", "a person")
        kill_switches.throw(tx, KillLevel.GLOBAL, None, "", "a person")
        tx.execute(
            "INSERT INTO medic.alert_events (alert_id, event, at, because, consecutive_failures)"
            " VALUES (1, 'escalated', now(), 'did not help', 1)"
        )


def leave_metrics(database: Database) -> None:
    """History that was added up, a heartbeat that came out of the spool after it, a trace."""
    time_passes(database, timedelta(minutes=2))
    assert count_up(database) == 1
    late = a_signal("silent", received_at=now_of(database) - timedelta(minutes=30))
    assert replay_signal(database, late) is not None
    with database.transaction() as tx:
        tx.execute("UPDATE medic.playbook_executions SET traceparent = %(it)s", {"it": f"00-{1:032}-{1:016}-01"})


#: All that a migration can make: columns, constraints, indexes, relations with their storage, comments, functions.
SCHEMA = """
    SELECT 'column', table_name::text, column_name::text, concat_ws(' ', data_type, is_nullable, column_default,
           is_identity, generation_expression) FROM information_schema.columns WHERE table_schema = 'medic'
    UNION ALL SELECT 'constraint', conrelid::regclass::text, conname::text, pg_get_constraintdef(c.oid)
      FROM pg_constraint c JOIN pg_namespace n ON n.oid = connamespace WHERE nspname = 'medic'
    UNION ALL SELECT 'index', tablename::text, indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'medic'
    UNION ALL SELECT 'relation', relname::text, relkind::text, reloptions::text
      FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'medic'
    UNION ALL SELECT 'comment', objoid::regclass::text, objsubid::text, description
      FROM pg_description JOIN pg_class c ON c.oid = objoid JOIN pg_namespace n ON n.oid = relnamespace
     WHERE nspname = 'medic'
    UNION ALL SELECT 'function', p.oid::regprocedure::text, '', pg_get_functiondef(p.oid)
      FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = 'medic'
    UNION ALL SELECT 'schema', nspname::text, '', '' FROM pg_namespace WHERE nspname = 'medic'
"""


def schema(url: str) -> set[tuple[str, ...]]:
    """What there is of Medic in a database."""
    with psycopg.connect(url) as connection:
        return set(connection.execute(SCHEMA).fetchall())


def test_names_are_numbered_without_gaps_and_each_can_be_rolled_back() -> None:
    assert [name[:4] for name in FORWARD] == [f"{number:04}" for number in range(1, len(FORWARD) + 1)]
    assert [name.replace(".sql", ".rollback.sql") for name in FORWARD] == ROLLBACKS


@pytest.mark.parametrize(("name", "before"), list(zip(FORWARD[1:], FORWARD, strict=False)))
def test_each_stands_on_the_one_before_it(name: str, before: str) -> None:
    assert (MIGRATIONS / name).read_text().startswith(f"-- depends: {before.removesuffix('.sql')}\n")


def test_what_goes_down_leaves_nothing_and_comes_up_the_same(empty_url: str) -> None:
    apply_all(empty_url, MIGRATIONS)
    first = schema(empty_url)
    assert len(first) > 100
    roll_back(empty_url, MIGRATIONS)
    assert schema(empty_url) == set()
    apply_all(empty_url, MIGRATIONS)
    assert schema(empty_url) == first


def test_applying_again_changes_nothing(empty_url: str) -> None:
    apply_all(empty_url, MIGRATIONS)
    first = schema(empty_url)
    assert apply_all(empty_url, MIGRATIONS) == []
    assert schema(empty_url) == first


@pytest.mark.parametrize("count", range(1, len(FORWARD) + 1))
def test_the_newest_go_down_and_up_again_on_a_database_in_use(empty_url: str, count: int) -> None:
    assert len(apply_all(empty_url, MIGRATIONS)) == len(FORWARD)
    lived_in(empty_url)
    undone = roll_back(empty_url, MIGRATIONS, count)
    assert undone == [name.removesuffix(".sql") for name in reversed(FORWARD)][:count]
    assert apply_all(empty_url, MIGRATIONS) == list(reversed(undone))


def test_two_deploys_at_once_are_one(empty_url: str) -> None:
    def deploy(_: int) -> int:
        with schema_lock.held(empty_url):
            return len(apply_all(empty_url, MIGRATIONS))

    with ThreadPoolExecutor(4) as deploys:
        assert sorted(deploys.map(deploy, range(4))) == [0, 0, 0, len(FORWARD)]


def test_who_waits_too_long_for_another_deploy_says_so(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_lock, "PATIENCE_MILLISECONDS", 200)
    with schema_lock.held(empty_url), pytest.raises(psycopg.errors.LockNotAvailable), schema_lock.held(empty_url):
        pytest.fail("two deploys change the schema at once")


def test_a_deploy_and_housekeeping_may_make_partitions_at_once(empty_url: str) -> None:
    apply_all(empty_url, MIGRATIONS)

    def make(_: int) -> int:
        database = Database(empty_url)
        try:
            return make_partitions(database, days=5)
        finally:
            database.close()

    with ThreadPoolExecutor(4) as several:
        assert sum(several.map(make, range(4))) == 6
