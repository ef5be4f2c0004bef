"""Cron schedules, flapping and runs that take too long, at moments that the test chooses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from medic_core.domain.watching.signals import SignalKind
from medic_core.flows import change
from medic_core.flows.change import By
from medic_core.flows.settle import replay_signal
from medic_core.flows.sweep import sweep
from tests.builders import a_service, a_signal, hears, rows, watch_statements
from tests.fixtures.clock import Clock

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NIGHTLY: dict[str, Any] = {
    "every_seconds": None, "cron_expression": "30 2 * * *", "timezone": "America/New_York", "grace_period_seconds": 600,
}  # fmt: skip


def deadline(clock: Clock) -> datetime | None:
    ((found,),) = rows(clock.database, "SELECT alert_after FROM medic.service_state")
    return found  # type: ignore[no-any-return]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def goes_to(clock: Clock, moment: datetime) -> None:
    """Time passes with a monitor that looks every minute: it never thinks that it was away."""
    clock.shows(moment)
    with clock.database.autocommit() as connection:
        connection.execute("UPDATE medic.monitor_state SET last_sweep_at = now()")
    sweep(clock.database, 0, MINUTE)


def open_alerts(clock: Clock) -> list[tuple[str, int]]:
    query = "SELECT kind, consecutive_failures FROM medic.alerts WHERE resolved_at IS NULL ORDER BY alert_id"
    return rows(clock.database, query)


def told(clock: Clock) -> list[tuple[str, str]]:
    query = """SELECT event, kind FROM medic.outbox JOIN medic.alert_events ON subject_id = alert_event_id
                 JOIN medic.alerts USING (alert_id) ORDER BY outbox_id"""
    return rows(clock.database, query)


def test_a_job_of_the_night_is_expected_in_the_night_when_the_clocks_skip_its_hour(clock: Clock) -> None:
    clock.shows(at("2026-03-07T12:00"))
    a_service(clock.database, **NIGHTLY)
    assert deadline(clock) == at("2026-03-08T07:10")
    hears(clock.database)
    assert deadline(clock) == at("2026-03-08T07:10")
    goes_to(clock, at("2026-03-08T07:09:59"))
    assert open_alerts(clock) == []
    goes_to(clock, at("2026-03-08T07:10"))
    assert open_alerts(clock) == [("missed_heartbeat", 1)]
    goes_to(clock, at("2026-03-09T06:40"))
    assert open_alerts(clock) == [("missed_heartbeat", 2)]
    hears(clock.database)
    assert (open_alerts(clock), deadline(clock)) == ([], at("2026-03-10T06:40"))


def test_a_success_just_before_its_tick_counts_for_it(clock: Clock) -> None:
    clock.shows(at("2026-06-01T06:29:30"))
    a_service(clock.database, **NIGHTLY)
    assert deadline(clock) == at("2026-06-01T06:40")
    hears(clock.database)
    assert deadline(clock) == at("2026-06-02T06:40")
    clock.passes(10 * SECOND)
    hears(clock.database)
    assert deadline(clock) == at("2026-06-02T06:40")


def test_an_ordinary_success_of_a_cron_service_is_two_statements(clock: Clock) -> None:
    a_service(clock.database, **NIGHTLY)
    hears(clock.database)
    clock.passes(DAY)
    statements = watch_statements(clock.database)
    hears(clock.database)
    assert [statement.split()[0] for statement in statements] == ["SELECT", "WITH"]
    ((recent, last),) = rows(clock.database, "SELECT recent_heartbeats, last_heartbeat_at FROM medic.service_state")
    assert recent == [last] == [clock.now]
    assert rows(clock.database, "SELECT count(*) FROM medic.heartbeat_events") == [(2,)]


def test_what_changes_more_than_times_is_settled_for_cron_too(clock: Clock) -> None:
    a_service(clock.database, **NIGHTLY)
    for kind in (SignalKind.UP, SignalKind.DEGRADED, SignalKind.DOWN, SignalKind.UP, SignalKind.DEGRADED):
        hears(clock.database, kind=kind)
        clock.passes(MINUTE)
    assert told(clock) == [("opened", "reported_down"), ("resolved", "reported_down")]
    assert rows(clock.database, "SELECT health, alert_after IS NOT NULL FROM medic.service_state") == [
        ("degraded", True)
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (NIGHTLY, {"cron_expression": "0 3 * * *"}, at("2026-03-02T08:10")),
        (NIGHTLY, {"timezone": "UTC"}, at("2026-03-02T02:40")),
        (NIGHTLY, {"every_seconds": 60, "cron_expression": None, "timezone": None}, at("2026-03-01T12:11")),
        ({}, {**NIGHTLY, "grace_period_seconds": 0}, at("2026-03-02T07:30")),
        (NIGHTLY, {"grace_period_seconds": 60}, at("2026-03-02T07:31")),
    ],
)
@pytest.mark.parametrize("was_heard", [False, True])
def test_a_changed_schedule_has_its_deadline_at_once(
    clock: Clock, before: dict[str, Any], after: dict[str, Any], expected: datetime, *, was_heard: bool
) -> None:
    service_id = a_service(clock.database, **before)
    if was_heard:
        hears(clock.database)
    with clock.database.transaction() as tx:
        change.change(tx, service_id, after, By("a person"))
    assert deadline(clock) == expected


def test_a_late_success_leaves_the_deadline_that_it_would_have_left(clock: Clock) -> None:
    clock.shows(at("2026-06-01T06:00"))
    a_service(clock.database, **NIGHTLY)
    hears(clock.database)
    clock.shows(at("2026-06-02T06:35"))
    replay_signal(clock.database, a_signal(received_at=at("2026-06-01T06:45")))
    assert deadline(clock) == at("2026-06-02T06:40")


def test_a_tolerated_failure_is_no_silence_until_the_next_tick(clock: Clock) -> None:
    clock.shows(at("2026-06-01T06:00"))
    a_service(clock.database, **NIGHTLY, failure_tolerance=2)
    hears(clock.database)
    clock.shows(at("2026-06-01T06:35"))
    hears(clock.database, kind=SignalKind.FAILED)
    assert deadline(clock) == at("2026-06-02T06:40")


#: Runs that take too long.


def test_a_run_under_way_for_too_long_is_told_once_and_over_when_it_ends(clock: Clock) -> None:
    a_service(clock.database, every_seconds=86_400, max_duration_ms=600_000)
    hears(clock.database)
    hears(clock.database, kind=SignalKind.STARTED, run_id="a")
    goes_to(clock, clock.now + 10 * MINUTE)
    assert open_alerts(clock) == []
    goes_to(clock, clock.now + SECOND)
    goes_to(clock, clock.now + 4 * MINUTE)
    assert (open_alerts(clock), told(clock)) == ([("stale_run", 1)], [("opened", "stale_run")])
    assert rows(clock.database, "SELECT health, alert_after IS NULL FROM medic.service_state") == [("up", False)]
    hears(clock.database)
    assert open_alerts(clock) == [("stale_run", 1)]
    hears(clock.database, kind=SignalKind.COMPLETED, run_id="a")
    assert open_alerts(clock) == [("duration_exceeded", 1)]
    assert told(clock)[1:] == [("resolved", "stale_run"), ("opened", "duration_exceeded")]
    ((because,),) = rows(clock.database, "SELECT because FROM medic.alerts WHERE kind = 'duration_exceeded'")
    assert because == "the run took 14 min 1 s, which is more than 10 min"


def test_the_next_run_within_the_limit_ends_an_exceeded_duration_and_nothing_else_does(clock: Clock) -> None:
    a_service(clock.database, every_seconds=86_400, max_duration_ms=60_000)
    for run_id, takes in (("long", 2 * MINUTE), ("longer", 3 * MINUTE)):
        hears(clock.database, kind=SignalKind.STARTED, run_id=run_id)
        clock.passes(takes)
        hears(clock.database, kind=SignalKind.COMPLETED, run_id=run_id)
    hears(clock.database)
    hears(clock.database, kind=SignalKind.STARTED, run_id="failing")
    hears(clock.database, kind=SignalKind.FAILED, run_id="failing")
    assert [kind for kind, _ in open_alerts(clock)] == ["duration_exceeded", "job_failed"]
    hears(clock.database, kind=SignalKind.STARTED, run_id="exact")
    clock.passes(MINUTE)
    hears(clock.database, kind=SignalKind.COMPLETED, run_id="exact")
    assert open_alerts(clock) == []
    assert [event for event, kind in told(clock) if kind == "duration_exceeded"] == ["opened", "resolved"]


def test_overlapping_runs_are_found_each_once_and_end_together(clock: Clock) -> None:
    a_service(clock.database, every_seconds=86_400, max_duration_ms=60_000)
    for run_id in ("a", "b"):
        hears(clock.database, kind=SignalKind.STARTED, run_id=run_id)
        clock.passes(30 * SECOND)
    goes_to(clock, clock.now + 10 * SECOND)
    assert open_alerts(clock) == [("stale_run", 1)]
    goes_to(clock, clock.now + MINUTE)
    assert open_alerts(clock) == [("stale_run", 2)]
    hears(clock.database, kind=SignalKind.FAILED, run_id="a")
    assert open_alerts(clock)[0] == ("stale_run", 1)
    hears(clock.database, kind=SignalKind.COMPLETED, run_id="b")
    assert [kind for kind, _ in open_alerts(clock)] == ["duration_exceeded"]
    assert told(clock).count(("opened", "stale_run")) == 1


def test_a_run_without_id_that_begins_again_is_a_new_one(clock: Clock) -> None:
    a_service(clock.database, every_seconds=86_400, max_duration_ms=60_000)
    hears(clock.database, kind=SignalKind.STARTED)
    goes_to(clock, clock.now + 2 * MINUTE)
    assert open_alerts(clock) == [("stale_run", 1)]
    hears(clock.database, kind=SignalKind.STARTED)
    assert open_alerts(clock) == []
    goes_to(clock, clock.now + 2 * MINUTE)
    assert open_alerts(clock) == [("stale_run", 1)]


@pytest.mark.parametrize(
    "held", [{"muted_until": at("2027-01-01T00:00")}, {"active": False}, {"paused_at": at("2026-01-01T00:00")}]
)
def test_a_stale_run_of_a_service_that_is_held_back_is_not_told(clock: Clock, held: dict[str, Any]) -> None:
    service_id = a_service(clock.database, every_seconds=86_400, max_duration_ms=60_000)
    hears(clock.database, kind=SignalKind.STARTED, run_id="a")
    with clock.database.transaction() as tx:
        change.change(tx, service_id, held, By("a person"))
    goes_to(clock, clock.now + HOUR)
    assert told(clock) == []
    assert [kind for kind, _ in open_alerts(clock)] == (["stale_run"] if "muted_until" in held else [])


def test_a_changed_limit_holds_for_runs_under_way(clock: Clock) -> None:
    service_id = a_service(clock.database, every_seconds=86_400)
    hears(clock.database, kind=SignalKind.STARTED, run_id="a")
    goes_to(clock, clock.now + HOUR)
    assert open_alerts(clock) == []
    with clock.database.transaction() as tx:
        change.change(tx, service_id, {"max_duration_ms": 60_000}, By("a person"))
    goes_to(clock, clock.now + SECOND)
    assert open_alerts(clock) == [("stale_run", 1)]


def test_while_heartbeats_wait_in_the_spool_no_run_is_called_stale(clock: Clock) -> None:
    a_service(clock.database, every_seconds=86_400, max_duration_ms=60_000)
    hears(clock.database, kind=SignalKind.STARTED, run_id="a")
    clock.passes(2 * MINUTE)
    sweep(clock.database, 1, MINUTE)
    assert open_alerts(clock) == []
    sweep(clock.database, 0, MINUTE)
    assert open_alerts(clock) == [("stale_run", 1)]


#: Flapping.


def flaps(clock: Clock, times: int) -> None:
    for _ in range(times):
        hears(clock.database, kind=SignalKind.DOWN)
        clock.passes(MINUTE)
        hears(clock.database)
        clock.passes(MINUTE)


DOWN_AND_UP = [("opened", "reported_down"), ("resolved", "reported_down")]


@pytest.mark.parametrize(("most", "heard"), [(4, DOWN_AND_UP * 2), (3, [*DOWN_AND_UP, DOWN_AND_UP[0]])])
def test_a_service_that_goes_down_and_up_too_often_is_told_once_and_then_when_it_is_stable(
    clock: Clock, most: int, heard: list[tuple[str, str]]
) -> None:
    a_service(clock.database, every_seconds=86_400, flapping_max_changes=most, flapping_window_seconds=3600)
    hears(clock.database)
    flaps(clock, 8)
    flapping = ("flapping", "reported_down")
    assert told(clock) == [*heard, flapping]
    goes_to(clock, clock.now + 58 * MINUTE)
    assert told(clock) == [*heard, flapping]
    goes_to(clock, clock.now + 2 * MINUTE)
    assert told(clock) == [*heard, flapping, ("resolved", "reported_down")]
    goes_to(clock, clock.now + HOUR)
    assert told(clock) == [*heard, flapping, ("resolved", "reported_down")]
    flaps(clock, 1)
    assert told(clock)[-2:] == DOWN_AND_UP


def test_what_is_down_when_it_has_stopped_flapping_is_told_then(clock: Clock) -> None:
    a_service(clock.database, every_seconds=86_400, flapping_max_changes=2, flapping_window_seconds=600)
    hears(clock.database)
    flaps(clock, 3)
    hears(clock.database, kind=SignalKind.DOWN)
    goes_to(clock, clock.now + 9 * MINUTE)
    before = told(clock)
    assert before == [*DOWN_AND_UP, ("flapping", "reported_down")]
    goes_to(clock, clock.now + MINUTE)
    assert told(clock) == [*before, ("unmuted", "reported_down")]
    hears(clock.database)
    assert told(clock)[-1] == ("resolved", "reported_down")


def test_silence_flaps_as_failure_does(clock: Clock) -> None:
    a_service(clock.database, flapping_max_changes=2, flapping_window_seconds=86_400)
    for _ in range(4):
        hears(clock.database)
        goes_to(clock, clock.now + 61 * SECOND)
    missed = [("opened", "missed_heartbeat"), ("resolved", "missed_heartbeat")]
    assert told(clock) == [*missed, ("flapping", "missed_heartbeat")]
    assert open_alerts(clock) == [("missed_heartbeat", 1)]


@pytest.mark.parametrize("most", [None, 50])
def test_who_does_not_want_it_hears_of_every_change(clock: Clock, most: int | None) -> None:
    a_service(clock.database, every_seconds=86_400, flapping_max_changes=most)
    hears(clock.database)
    flaps(clock, 12)
    assert told(clock) == DOWN_AND_UP * 12


def test_a_new_limit_ends_what_the_old_one_held(clock: Clock) -> None:
    service_id = a_service(clock.database, every_seconds=86_400, flapping_max_changes=2)
    hears(clock.database)
    flaps(clock, 3)
    with clock.database.transaction() as tx:
        change.change(tx, service_id, {"flapping_max_changes": None}, By("a person"))
    goes_to(clock, clock.now)
    assert told(clock)[-1] == ("resolved", "reported_down")
    flaps(clock, 1)
    assert told(clock)[-2:] == DOWN_AND_UP


def test_nobody_hears_of_flapping_while_it_is_muted(clock: Clock) -> None:
    a_service(clock.database, every_seconds=86_400, flapping_max_changes=2, failure_tolerance=1)
    hears(clock.database)
    with clock.database.transaction() as tx:
        tx.execute("UPDATE medic.services SET muted_until = now() + interval '1 day'")
    hears(clock.database, kind=SignalKind.DOWN)
    assert told(clock) == []


def test_a_repeated_signal_is_no_change(clock: Clock) -> None:
    a_service(clock.database, every_seconds=86_400, flapping_max_changes=2)
    hears(clock.database)
    signal = a_signal(kind=SignalKind.DOWN, signal_id=uuid4(), received_at=clock.now)
    for _ in range(5):
        replay_signal(clock.database, signal)
    ((changes,),) = rows(clock.database, "SELECT cardinality(health_changes) FROM medic.service_state")
    assert changes == 1


@pytest.mark.parametrize("schedule", [{}, NIGHTLY], ids=["interval", "cron"])
@pytest.mark.parametrize("kind", [SignalKind.UP, SignalKind.COMPLETED])
def test_a_clock_that_steps_back_loses_nothing_and_moves_nothing_back(
    clock: Clock, schedule: dict[str, Any], kind: SignalKind
) -> None:
    a_service(clock.database, **schedule)
    hears(clock.database)
    before, heard_at = deadline(clock), clock.now
    clock.passes(-30 * SECOND)
    hears(clock.database, kind=kind)
    assert rows(clock.database, "SELECT last_heartbeat_at FROM medic.service_state") == [(heard_at,)]
    assert deadline(clock) == before
    assert rows(clock.database, "SELECT count(*) FROM medic.heartbeat_events") == [(2,)]


def test_a_run_that_ends_before_its_beginning_by_the_clock_took_no_time(clock: Clock) -> None:
    a_service(clock.database, max_duration_ms=1000)
    hears(clock.database, kind=SignalKind.STARTED, run_id="a")
    clock.passes(-30 * SECOND)
    assert hears(clock.database, kind=SignalKind.COMPLETED, run_id="a").duration == timedelta(0)
    assert open_alerts(clock) == []
