"""Alerts are considered: triggers fire at their count and once, guards hold whoever else is at it, batches wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from medic_core.domain.repair.execution import Cause
from medic_core.domain.watching.signals import SignalKind
from medic_core.domain.watching.states import Trouble
from medic_core.errors import Conflict, NotFound, Unavailable
from medic_core.flows import edit_playbooks, edit_triggers, executions_by_people
from medic_core.flows.consider import BATCH, Considered, Rules, consider_alerts
from medic_core.flows.expire_batches import expire_batches
from medic_core.flows.sweep import sweep
from medic_core.store import repair_batches
from medic_core.store.connection import Database
from tests.builders import a_service, at_once, away, hears, rows, time_passes
from tests.fixtures.repairing import a_playbook, started

MINUTE = timedelta(minutes=1)
RULES = Rules(breaker_executions=5)

FIRINGS = "SELECT decision, because FROM medic.trigger_firings ORDER BY firing_id"
NOTICES = "SELECT kind, heading, because FROM medic.notices WHERE kind <> 'execution_started' ORDER BY notice_id"


def a_trigger(database: Database, playbook_id: int, pattern: str = "*", failures: int = 1, **more: Any) -> int:
    values = {"service_pattern": pattern, "consecutive_failures": failures, **more}
    with database.transaction() as tx:
        return edit_triggers.create(tx, playbook_id, values, "a test").trigger_id


def a_remedy(database: Database, pattern: str = "*", failures: int = 1, **more: Any) -> int:
    """A playbook of its own with one trigger, whose id it returns."""
    return a_trigger(database, a_playbook(database, {"type": "wait", "duration": "1h"}), pattern, failures, **more)


def fails(database: Database, name: str = "nightly-backup") -> None:
    hears(database, name, SignalKind.FAILED)


def considered(database: Database, batch: int = BATCH) -> Considered:
    return consider_alerts(database, RULES, batch)


def by_program(playbook_id: int, service_id: int) -> Callable[[Database], str]:
    """A start by webhook; what came of it."""

    def call(database: Database) -> str:
        try:
            started(database, playbook_id, service_id, Cause.WEBHOOK)
        except Conflict as refused:
            return str(refused)
        return "started"

    return call


def audited(database: Database, *actions: str) -> int:
    query = "SELECT count(*) FROM medic.remediation_audit_log WHERE action_type = ANY(%(actions)s)"
    return int(rows(database, query, actions=list(actions))[0][0])


# When a trigger fires.


def test_a_trigger_fires_when_its_count_is_reached_and_not_again(database: Database) -> None:
    service_id = a_service(database, team="infra", priority="p1")
    trigger_id = a_remedy(database, "NIGHTLY-*", 3)
    found = []
    for _ in range(6):
        fails(database)
        found.append(considered(database))
    assert [(one.alerts, one.started) for one in found] == [(1, 0), (1, 0), (1, 1), (1, 0), (1, 0), (1, 0)]
    assert considered(database) == Considered()
    kept = "SELECT alert_id, trigger_id, service_id, consecutive_failures, decision, execution_id"
    firing = rows(database, f"{kept} FROM medic.trigger_firings")
    assert firing == [(1, trigger_id, service_id, 3, "started", 1)]
    query = "SELECT playbook_id, version, service_id, alert_id, trigger_id, cause, status, started_by, context"
    ((*ids, cause, status, by, context),) = rows(database, f"{query} FROM medic.playbook_executions")
    assert (ids, cause, status) == ([1, 1, service_id, 1, trigger_id], "alert", "running")
    assert by.startswith(f"trigger {trigger_id} for alert 1: ")
    expected = {
        "SERVICE_ID": "1",
        "SERVICE_NAME": "nightly-backup",
        "HEARTBEAT_NAME": "nightly-backup",
        "ALERT_ID": "1",
        "ALERT_CYCLE": "3",
        "CONSECUTIVE_FAILURES": "3",
        "TRIGGER_ID": "1",
        "PRIORITY": "p1",
        "TEAM": "infra",
    }
    assert expected.items() <= context.items()
    assert rows(database, "SELECT subject_id FROM medic.outbox WHERE topic = 'start'") == [(1,)]
    assert rows(database, "SELECT kind, team_ids FROM medic.notices") == [("execution_started", [1])]
    assert audited(database, "execution_started") == 1


def test_a_count_that_was_passed_in_one_go_fires_too(database: Database) -> None:
    a_service(database)
    a_remedy(database, failures=3)
    for _ in range(5):
        fails(database)
    assert considered(database).started == 1
    assert rows(database, "SELECT consecutive_failures FROM medic.trigger_firings") == [(5,)]


@pytest.mark.parametrize(
    ("kind", "failures", "expected"), [(SignalKind.FAILED, 2, [0, 1, 0]), (SignalKind.DOWN, 1, [1, 0, 0])]
)
def test_what_a_service_says_of_itself_fires(
    database: Database, kind: SignalKind, failures: int, expected: list[int]
) -> None:
    """Each run that fails counts; a service that says again that it is down says nothing new."""
    a_service(database)
    a_remedy(database, failures=failures)
    found = []
    for _ in range(3):
        hears(database, kind=kind)
        found.append(considered(database).started)
    assert found == expected
    fired = "SELECT kind, decision FROM medic.trigger_firings JOIN medic.alerts USING (alert_id)"
    kinds = {SignalKind.FAILED: "job_failed", SignalKind.DOWN: "reported_down"}
    assert rows(database, fired) == [(kinds[kind], "started")]


def test_silence_counts_up_to_it(database: Database) -> None:
    a_service(database)
    hears(database)
    a_remedy(database, failures=2)
    found = []
    for by in (1.5 * MINUTE, MINUTE, MINUTE):
        time_passes(database, by)
        sweep(database, 0, timedelta(seconds=15))
        found.append(considered(database).started)
    assert found == [0, 1, 0]


def test_the_most_demanding_that_matches_wins(database: Database) -> None:
    a_service(database)
    at_one, at_three = a_remedy(database, failures=1), a_remedy(database, "nightly-*", failures=3)
    a_remedy(database, failures=3)
    a_remedy(database, "other", failures=4)
    for _ in range(4):
        fails(database)
        considered(database)
    fired = rows(database, "SELECT trigger_id, consecutive_failures FROM medic.trigger_firings ORDER BY firing_id")
    assert fired == [(at_one, 1), (at_three, 3)]


def test_each_alert_is_one_of_its_own(database: Database) -> None:
    a_service(database)
    trigger_id = a_remedy(database)
    for alert_id in (1, 2):
        fails(database)
        assert considered(database).alerts == 1
        hears(database, kind=SignalKind.COMPLETED)
        fired = rows(database, "SELECT alert_id, trigger_id FROM medic.trigger_firings ORDER BY firing_id")
        assert fired == [(number, trigger_id) for number in range(1, alert_id + 1)]


@pytest.mark.parametrize("over", ["resolved", "disabled", "deleted", "other name", "service gone"])
def test_what_calls_for_nothing(database: Database, over: str) -> None:
    a_service(database)
    a_remedy(database, "nightly" if over == "other name" else "*", enabled=over != "disabled")
    fails(database)
    if over == "resolved":
        hears(database, kind=SignalKind.COMPLETED)
    if over == "deleted":
        with database.transaction() as tx:
            edit_playbooks.delete(tx, 1, "a test", None)
    if over == "service gone":
        rows(database, "DELETE FROM medic.services RETURNING 1")
    found = considered(database)
    assert (found.started, found.told) == (0, 0)
    assert rows(database, "SELECT count(*) FROM medic.trigger_firings") == [(0,)]
    assert rows(database, "SELECT count(*) FROM medic.playbook_executions") == [(0,)]


def test_what_is_muted_fires_when_it_is_told(database: Database) -> None:
    a_service(database)
    a_remedy(database, failures=2)
    rows(database, "UPDATE medic.services SET muted_at = now(), muted_until = now() + interval '10 min' RETURNING 1")
    for _ in range(3):
        fails(database)
    assert considered(database) == Considered()
    time_passes(database, 11 * MINUTE)
    assert sweep(database, 0, timedelta(seconds=15)).told == 1
    assert considered(database).started == 1


def test_monitors_at_the_same_time_fire_once(database: Database) -> None:
    count = 24
    for number in range(count):
        a_service(database, f"job-{number}")
        a_remedy(database, f"job-{number}")
        fails(database, f"job-{number}")
    # Few at a time, so that each monitor comes to several.
    found = at_once(database, [lambda own: considered(own, batch=2)] * 8)
    assert (sum(one.alerts for one in found), sum(one.started for one in found)) == (count, count)
    fired = "SELECT count(*), count(DISTINCT alert_id), count(DISTINCT execution_id) FROM medic.trigger_firings"
    assert rows(database, fired) == [(count, count, count)]
    starts = "SELECT count(*), count(DISTINCT subject_id) FROM medic.outbox WHERE topic = 'start'"
    assert rows(database, starts) == [(count, count)]
    assert audited(database, "execution_started") == count


def test_one_that_only_observes_notes_its_plan_and_does_nothing(database: Database) -> None:
    a_service(database)
    call = {
        "type": "webhook",
        "url": "https://ops.example.com/${SERVICE_NAME}",
        "headers": {"Authorization": "Bearer ${secrets.TOKEN}"},
    }
    a_trigger(database, a_playbook(database, call), mode="observe")
    fails(database)
    assert considered(database) == Considered(alerts=1, observed=1)
    ((decision, because, execution_id, plan),) = rows(
        database, "SELECT decision, because, execution_id, plan FROM medic.trigger_firings"
    )
    assert (decision, because, execution_id) == ("observed", "the trigger only observes", None)
    assert [(step["name"], step["problems"]) for step in plan] == [("step-0", [])]
    assert plan[0]["shown"]["url"] == "https://ops.example.com/nightly-backup"
    assert plan[0]["shown"]["headers"] == {"Authorization": "Bearer ***"}
    assert rows(database, "SELECT count(*) FROM medic.playbook_executions") == [(0,)]
    assert rows(database, "SELECT count(*) FROM medic.notices") == [(0,)]
    assert rows(database, "SELECT count(*) FROM medic.outbox WHERE topic = 'start'") == [(0,)]
    assert audited(database, "execution_observed") == 1


def test_one_that_cannot_be_read_any_more_keeps_no_other_from_being_repaired(database: Database) -> None:
    """A newer release saved it, and an older one runs again."""
    for name, mode in (("of-tomorrow", "observe"), ("worker", "run")):
        a_service(database, name)
        a_trigger(database, a_playbook(database, {"type": "wait", "duration": "1h"}), name, mode=mode)
        fails(database, name)
    text = "name: x\nsteps:\n- {name: a, type: teleport}"
    rows(
        database,
        "UPDATE medic.playbook_versions SET yaml_content = %(text)s WHERE playbook_id = 1 RETURNING 1",
        text=text,
    )
    assert considered(database) == Considered(alerts=2, started=1, observed=1)
    said = dict(rows(database, FIRINGS))
    assert said["observed"].startswith("the playbook cannot be read: line 3")


# Trouble with the database.

TABLES = (
    "playbook_triggers",
    "kill_switches",
    "playbook_executions",
    "outbox",
    "remediation_audit_log",
    "notices",
    "trigger_firings",
)
STARTS = "SELECT (SELECT count(*) FROM medic.playbook_executions), (SELECT count(*) FROM medic.trigger_firings)"


@pytest.mark.parametrize("table", TABLES)
def test_what_cannot_be_read_or_written_starts_nothing_and_is_made_up_for(database: Database, table: str) -> None:
    a_service(database)
    a_service(database, "other")
    a_remedy(database)
    for name in ("nightly-backup", "other"):
        fails(database, name)
    renamed(database, table, f"{table}_gone")
    with pytest.raises(psycopg.errors.UndefinedTable):
        considered(database)
    renamed(database, f"{table}_gone", table)
    assert rows(database, STARTS) == [(0, 0)]
    assert rows(database, NOTICES) == []
    assert considered(database) == Considered(alerts=2, started=2)


def renamed(database: Database, was: str, becomes: str) -> None:
    with database.autocommit() as connection:
        connection.execute(f"ALTER TABLE medic.{was} RENAME TO {becomes}")


def test_a_connection_that_breaks_at_the_last_statement_starts_nothing(database: Database) -> None:
    a_service(database)
    a_remedy(database)
    fails(database)
    function = "CREATE FUNCTION public.broken() RETURNS trigger LANGUAGE plpgsql AS"
    with database.autocommit() as connection:
        connection.execute(f"{function} 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END'")
        connection.execute(
            "CREATE TRIGGER broken BEFORE INSERT ON medic.trigger_firings FOR EACH ROW EXECUTE FUNCTION public.broken()"
        )
    with pytest.raises(Unavailable):
        considered(database)
    assert rows(database, STARTS) == [(0, 0)]
    with database.autocommit() as connection:
        connection.execute("DROP TRIGGER broken ON medic.trigger_firings")
    assert considered(database).started == 1


def test_a_database_that_is_away_starts_nothing(database: Database) -> None:
    service_id = a_service(database)
    a_remedy(database)
    fails(database)
    with away(database):
        for call in (considered, by_program(1, service_id)):
            with pytest.raises(Unavailable):
                call(database)
    assert rows(database, STARTS) == [(0, 0)]
    assert considered(database).started == 1


# Guards.


@pytest.mark.parametrize(("level", "subject"), [("global", None), ("team", 1), ("service", 1), ("playbook", 1)])
def test_a_kill_switch_blocks_at_each_level(database: Database, level: str, subject: int | None) -> None:
    a_service(database, team="infra")
    a_service(database, "other")
    a_remedy(database, "nightly-*")
    a_remedy(database, "other")
    thrown = "INSERT INTO medic.kill_switches (level, subject_id, reason, thrown_by) VALUES "
    rows(database, f"{thrown} (%(level)s, %(subject)s, 'migration', 'ann') RETURNING 1", level=level, subject=subject)
    fails(database)
    assert considered(database) == Considered(alerts=1, blocked=1)
    said = f"kill switch ({level}), thrown by ann: migration"
    assert rows(database, FIRINGS) == [("blocked", said)]
    ((kind, heading, because),) = rows(database, NOTICES)
    assert (kind, because) == ("execution_blocked", said)
    assert heading.startswith("nightly-backup is not repaired: ")
    assert audited(database, "execution_blocked") == 1
    # Those whom it is not about are repaired.
    fails(database, "other")
    assert considered(database).started == (level != "global")
    # And once it is released, what was blocked is not made up for: its trigger has fired.
    rows(database, "DELETE FROM medic.kill_switches RETURNING 1")
    fails(database)
    assert considered(database) == Considered(alerts=1)


def test_one_that_is_under_way_blocks_another_of_its_kind(database: Database) -> None:
    service_id = a_service(database)
    a_remedy(database)
    started(database, 1, service_id)
    fails(database)
    assert considered(database).blocked == 1
    assert rows(database, FIRINGS) == [("blocked", "an execution of this playbook for this service is under way")]
    assert rows(database, "SELECT count(*) FROM medic.playbook_executions") == [(1,)]


def test_of_twenty_starts_at_once_one_begins(database: Database) -> None:
    service_id = a_service(database)
    a_remedy(database)
    fails(database)

    def by_monitor(own: Database) -> str:
        return "started" if considered(own).started else "blocked"

    calls = [by_monitor, *[by_program(1, service_id)] * 19]
    outcomes = Counter(outcome == "started" for outcome in at_once(database, calls, workers=20))
    assert outcomes == {True: 1, False: 19}
    assert rows(database, "SELECT count(*) FROM medic.playbook_executions") == [(1,)]
    ((decision,),) = rows(database, "SELECT decision FROM medic.trigger_firings")
    by_alert = rows(database, "SELECT count(*) FROM medic.playbook_executions WHERE cause = 'alert'")
    assert by_alert == [(decision == "started",)]


def test_the_circuit_breaker_is_exact(database: Database) -> None:
    """Twenty bursts of fifty: alerts of every kind by several monitors, and programs, all for one service."""
    kinds = list(Trouble)
    for failures in range(1, len(kinds) + 1):
        a_remedy(database, failures=failures)
    others = [a_playbook(database, {"type": "wait", "duration": "1h"}) for _ in range(50 - len(kinds))]
    for burst in range(20):
        service_id = a_service(database, f"burst-{burst}")
        alerts_of_every_kind(database, service_id)
        monitors: list[Callable[[Database], Any]] = [lambda own: considered(own, batch=1)] * 3
        programs: list[Callable[[Database], Any]] = [by_program(playbook, service_id) for playbook in others]
        calls = programs[:20] + monitors + programs[20:] if burst % 2 else monitors + programs
        found = at_once(database, calls, workers=len(calls))
        by_monitors = [one for one in found if isinstance(one, Considered)]
        by_programs = Counter(one for one in found if isinstance(one, str))
        fired, blocked = (sum(getattr(one, name) for one in by_monitors) for name in ("started", "blocked"))
        assert fired + by_programs["started"] == 5
        assert fired + blocked == len(kinds)
        refused = "Not started: circuit breaker: 5 executions for this service within an hour."
        assert by_programs[refused] == len(others) - by_programs["started"]
        begun = "SELECT count(*) FROM medic.playbook_executions WHERE service_id = %(id)s"
        assert rows(database, begun, id=service_id) == [(5,)]
        because = "SELECT because FROM medic.trigger_firings WHERE service_id = %(id)s AND decision = 'blocked'"
        said = "circuit breaker: 5 executions for this service within an hour"
        assert rows(database, because, id=service_id) == [(said,)] * blocked
        # So that services that fail one after another are not taken to fail at once.
        time_passes(database, 6 * MINUTE)
    assert audited(database, "execution_started") == 20 * 5


def alerts_of_every_kind(database: Database, service_id: int) -> None:
    """All that can be wrong with a service, each at another count and told: as many triggers are called for."""
    alert = """
        INSERT INTO medic.alerts (service_id, heartbeat_name, kind, priority, because, consecutive_failures,
                                  overdue_since, counted_until, opened_at, told_at)
        SELECT %(id)s, s.heartbeat_name, w.kind, 'p3', 'a test', w.n, now(), now(), now(), now()
          FROM medic.services s, unnest(%(kinds)s::text[]) WITH ORDINALITY AS w (kind, n)
         WHERE s.service_id = %(id)s RETURNING 1
    """
    rows(database, alert, id=service_id, kinds=list(Trouble))


def test_the_circuit_breaker_forgets_after_an_hour(database: Database) -> None:
    service_id = a_service(database)
    playbooks = [a_playbook(database, {"type": "wait", "duration": "1s"}) for _ in range(6)]
    calls = [by_program(playbook, service_id) for playbook in playbooks]
    assert [call(database) for call in calls][:5] == ["started"] * 5
    # Whatever became of them: those that are under way count for as long as they are.
    ended = "UPDATE medic.playbook_executions SET status = 'completed', outcome = 'succeeded', completed_at = now(), "
    ended += "next_look_at = NULL WHERE execution_id <> 1 RETURNING 1"
    rows(database, ended)
    time_passes(database, 59 * MINUTE)
    assert calls[5](database) != "started"
    time_passes(database, 2 * MINUTE)
    assert [call(database) == "started" for call in calls] == [False, True, True, True, True, False]


# The brake.


def many_fail(database: Database, failing: int, of: int = 30) -> None:
    """So many of a trigger's services fail, about each other."""
    for number in range(of):
        a_service(database, f"worker-{number}")
    a_remedy(database, "worker-*")
    for number in range(failing):
        fails(database, f"worker-{number}")


def decided(database: Database, *, approved: bool, batch_id: int = 1) -> int:
    with database.transaction() as tx:
        return executions_by_people.decide_batch(tx, batch_id, "ann", 5, approved=approved)


def test_a_fifth_of_a_triggers_services_is_no_mass(database: Database) -> None:
    many_fail(database, failing=6)
    assert considered(database) == Considered(alerts=6, started=6)


def test_more_than_five_minutes_apart_is_no_mass(database: Database) -> None:
    many_fail(database, failing=5)
    time_passes(database, 6 * MINUTE)
    for number in range(5, 10):
        fails(database, f"worker-{number}")
    assert considered(database).started == 10


@pytest.mark.parametrize("failing", [7, 30])
def test_when_many_fail_at_once_one_question_is_asked_for_all(database: Database, failing: int) -> None:
    many_fail(database, failing)
    found = at_once(database, [lambda own: considered(own, batch=3)] * 4)
    assert (sum(one.held for one in found), sum(one.started for one in found)) == (failing, 0)
    said = f"{failing} of 30 services of this trigger failed within 5 minutes: somebody must decide for all of them"
    assert rows(database, FIRINGS) == [("held", said)] * failing
    assert rows(database, "SELECT count(*) FROM medic.playbook_executions") == [(0,)]
    (batch,) = repair_batches_of(database)
    heading = f"Many services fail at once: repairs by trigger 1 wait (batch {batch.batch_id})"
    assert rows(database, NOTICES) == [("execution_held", heading, said)]
    assert (batch.status, batch.services, batch.because) == ("pending", failing, said)
    assert (audited(database, "batch_held"), audited(database, "execution_held")) == (1, failing)
    # Who fails now goes with them: nobody is asked twice.
    hears(database, "worker-0", SignalKind.COMPLETED)
    fails(database, "worker-0")
    assert considered(database).held == 1
    assert len(rows(database, NOTICES)) == 1


def repair_batches_of(database: Database) -> list[repair_batches.Batch]:
    with database.autocommit() as connection:
        return repair_batches.listed(connection, limit=10)


def test_an_approved_batch_repairs_those_that_are_still_down(database: Database) -> None:
    many_fail(database, failing=9)
    considered(database)
    for number in (0, 4):
        hears(database, f"worker-{number}", SignalKind.COMPLETED)
    started(database, 1, 2)
    rows(
        database,
        "INSERT INTO medic.kill_switches (level, subject_id, thrown_by) VALUES ('service', 3, 'x') RETURNING 1",
    )
    assert decided(database, approved=True) == 5
    decisions = rows(database, "SELECT service_id, decision, because FROM medic.trigger_firings ORDER BY service_id")
    approved = ("started", "the batch was approved by ann")
    assert [(one[1], one[2]) for one in decisions] == [
        ("blocked", "the alert was over"),
        ("blocked", "an execution of this playbook for this service is under way"),
        ("blocked", "kill switch (service), thrown by x"),
        approved,
        ("blocked", "the alert was over"),
        approved,
        approved,
        approved,
        approved,
    ]
    begun = "SELECT service_id, alert_id, trigger_id, started_by, context->>'ALERT_ID' FROM medic.playbook_executions"
    found = rows(database, f"{begun} WHERE cause = 'alert' ORDER BY service_id")
    assert found == [(n, n, 1, "batch approved by ann", str(n)) for n in (4, 6, 7, 8, 9)]
    assert rows(database, "SELECT count(*) FROM medic.outbox WHERE topic = 'start'") == [(6,)]
    assert audited(database, "batch_approved") == 1
    with pytest.raises(Conflict, match="this batch is approved"):
        decided(database, approved=False)


def test_a_rejected_batch_starts_nothing(database: Database) -> None:
    many_fail(database, failing=7)
    considered(database)
    assert decided(database, approved=False) == 0
    assert rows(database, FIRINGS) == [("blocked", "the batch was rejected by ann")] * 7
    assert rows(database, "SELECT count(*) FROM medic.playbook_executions") == [(0,)]
    assert audited(database, "batch_rejected") == 1
    fails(database, "worker-1")
    assert considered(database) == Considered(alerts=1)


def test_of_many_decisions_about_a_batch_one_counts(database: Database) -> None:
    many_fail(database, failing=7)
    considered(database)

    def decide(number: int) -> Callable[[Database], int | None]:
        def call(own: Database) -> int | None:
            try:
                return decided(own, approved=number % 2 == 0)
            except Conflict:
                return None

        return call

    outcomes = at_once(database, [decide(number) for number in range(12)], workers=12)
    (counted,) = [outcome for outcome in outcomes if outcome is not None]
    assert counted in {0, 7}
    assert rows(database, "SELECT count(*) FROM medic.playbook_executions") == [(counted,)]
    assert audited(database, "batch_approved", "batch_rejected") == 1


def test_a_batch_that_nobody_decides_expires(database: Database) -> None:
    many_fail(database, failing=7)
    considered(database)
    time_passes(database, 61 * MINUTE)
    with pytest.raises(Conflict, match="its time is over"):
        decided(database, approved=True)
    with database.transaction() as tx:
        assert expire_batches(tx) == 1
    with pytest.raises(Conflict, match="this batch is expired"):
        decided(database, approved=True)
    with pytest.raises(NotFound):
        decided(database, approved=True, batch_id=9)
    assert rows(database, "SELECT count(*) FROM medic.playbook_executions") == [(0,)]
    assert rows(database, FIRINGS) == [("blocked", "nobody decided about the batch in time")] * 7


def test_a_batch_whose_time_is_over_takes_nobody_along(database: Database) -> None:
    many_fail(database, failing=7)
    assert considered(database).held == 7
    time_passes(database, 61 * MINUTE)
    for number in range(7):
        hears(database, f"worker-{number}", SignalKind.COMPLETED)
        fails(database, f"worker-{number}")
    found = at_once(database, [lambda own: considered(own, batch=2)] * 4)
    assert sum(one.held for one in found) == 7
    newest, former = repair_batches_of(database)
    assert [(one.status, one.services) for one in (former, newest)] == [("expired", 7), ("pending", 7)]
    assert [kind for kind, *_ in rows(database, NOTICES)] == ["execution_held", "execution_blocked", "execution_held"]
    assert audited(database, "batch_expired") == 1
    with pytest.raises(Conflict, match="this batch is expired"):
        decided(database, approved=True, batch_id=former.batch_id)
    assert decided(database, approved=True, batch_id=newest.batch_id) == 7
    assert Counter(decision for decision, _ in rows(database, FIRINGS)) == {"blocked": 7, "started": 7}
