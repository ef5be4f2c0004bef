"""A deadline passes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from medic_core.domain.watching.signals import SignalKind
from medic_core.flows import change
from medic_core.flows.change import By
from medic_core.flows.sweep import Swept, sweep
from medic_core.store.connection import Database
from tests.builders import a_service, hears, now_of, rows, time_passes
from tests.fixtures.clock import Clock

CADENCE = timedelta(seconds=15)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def database(clock: Clock) -> Database:
    """Its clock stands: no time passes but what is said to."""
    return clock.database


def swept(database: Database, spooled: int = 0) -> Swept:
    return sweep(database, spooled, CADENCE)


def open_alerts(database: Database) -> list[tuple[str, int]]:
    query = "SELECT kind, consecutive_failures FROM medic.alerts WHERE resolved_at IS NULL ORDER BY alert_id"
    return rows(database, query)


def told(database: Database) -> list[str]:
    query = "SELECT event FROM medic.outbox JOIN medic.alert_events ON subject_id = alert_event_id ORDER BY outbox_id"
    return [event for (event,) in rows(database, query)]


def changed(database: Database, service_id: int, **columns: Any) -> None:
    with database.transaction() as tx:
        change.change(tx, service_id, columns, By("a test"))


def muted(database: Database, service_id: int, **how: Any) -> None:
    with database.transaction() as tx:
        change.change(tx, service_id, change.mute(tx, **how), By("a test"))


def health(database: Database) -> str:
    return str(rows(database, "SELECT health FROM medic.service_state")[0][0])


def test_a_silence_past_its_deadline_opens_one_alert_and_a_heartbeat_ends_it(database: Database) -> None:
    a_service(database)
    hears(database)
    time_passes(database, 59 * SECOND)
    assert swept(database).opened == 0
    time_passes(database, 2 * SECOND)
    assert swept(database).opened == 1
    assert swept(database).opened == 0
    assert open_alerts(database) == [("missed_heartbeat", 1)]
    assert hears(database).told == 1
    assert (open_alerts(database), health(database)) == ([], "up")
    assert told(database) == ["opened", "resolved"]


def test_grace_is_added_to_the_interval(database: Database) -> None:
    a_service(database, grace_period_seconds=30)
    hears(database)
    time_passes(database, 89 * SECOND)
    assert swept(database).due == 0
    time_passes(database, 2 * SECOND)
    assert swept(database).opened == 1


def test_fewer_heartbeats_than_the_threshold_are_a_silence(database: Database) -> None:
    a_service(database, every_seconds=3600, threshold=3)
    for _ in range(3):
        hears(database)
        time_passes(database, 10 * MINUTE)
    # The third most recent was 30 minutes ago: its hour is over in 30 more.
    time_passes(database, 29 * MINUTE)
    assert swept(database).opened == 0
    time_passes(database, 2 * MINUTE)
    assert swept(database).opened == 1
    time_passes(database, HOUR)
    for still_open in (1, 1, 0):
        hears(database)
        assert len(open_alerts(database)) == still_open


def test_a_service_that_never_reports_is_told_of_once(database: Database) -> None:
    a_service(database)
    time_passes(database, 61 * SECOND)
    assert [swept(database).opened for _ in range(3)] == [1, 0, 0]
    assert open_alerts(database) == [("never_reported", 1)]
    assert health(database) == "new"
    hears(database)
    assert (open_alerts(database), health(database)) == ([], "up")


def test_it_is_not_told_of_where_that_is_switched_off(database: Database) -> None:
    a_service(database, alert_when_never_reported=False)
    time_passes(database, 10 * HOUR)
    assert swept(database).due == 0


def test_missed_periods_are_counted_however_often_the_monitor_runs(database: Database) -> None:
    a_service(database)
    hears(database)
    time_passes(database, 61 * SECOND)
    for minutes in range(4):
        for _ in range(3):
            swept(database)
        assert open_alerts(database) == [("missed_heartbeat", minutes + 1)]
        time_passes(database, MINUTE)


def test_reminders_back_off_and_end_with_an_acknowledgement(database: Database) -> None:
    service_id = a_service(database, reminder_interval_seconds=600)
    hears(database)
    time_passes(database, 61 * SECOND)
    swept(database)
    assert told(database) == ["opened"]
    for minutes, reminders in ((9, 0), (2, 1), (18, 1), (3, 2), (39, 2), (2, 3)):
        time_passes(database, minutes * MINUTE)
        swept(database)
        swept(database)
        assert told(database).count("reminded") == reminders
    with database.transaction() as tx:
        acknowledge = "UPDATE medic.alerts SET status = 'acknowledged' WHERE service_id = %s"
        tx.execute(acknowledge, [service_id])
    time_passes(database, 48 * HOUR)
    swept(database)
    assert told(database).count("reminded") == 3


def test_a_mute_holds_the_message_back_until_it_ends(database: Database) -> None:
    service_id = a_service(database)
    hears(database)
    muted(database, service_id, until=now_of(database) + 10 * MINUTE)
    time_passes(database, 61 * SECOND)
    assert swept(database).opened == 1
    assert told(database) == []
    time_passes(database, 8 * MINUTE)
    swept(database)
    assert told(database) == []
    time_passes(database, 2 * MINUTE)
    swept(database)
    swept(database)
    assert told(database) == ["unmuted"]
    assert hears(database).told == 1
    assert told(database) == ["unmuted", "resolved"]


def test_unmuting_by_hand_tells_at_the_next_sweep(database: Database) -> None:
    service_id = a_service(database)
    hears(database)
    muted(database, service_id)
    time_passes(database, 61 * SECOND)
    swept(database)
    changed(database, service_id, **change.unmute())
    swept(database)
    assert told(database) == ["unmuted"]


def test_a_recovery_clears_the_mute_and_an_untold_alert_ends_untold(database: Database) -> None:
    service_id = a_service(database)
    hears(database)
    muted(database, service_id)
    time_passes(database, 61 * SECOND)
    swept(database)
    assert hears(database).told == 0
    assert told(database) == []
    assert rows(database, "SELECT muted_until FROM medic.services") == [(None,)]


def test_the_end_of_a_told_alert_is_told_in_spite_of_a_mute(database: Database) -> None:
    service_id = a_service(database)
    hears(database)
    time_passes(database, 61 * SECOND)
    swept(database)
    muted(database, service_id)
    hears(database)
    assert told(database) == ["opened", "resolved"]


def test_an_inactive_service_is_not_watched_and_its_alerts_end(database: Database) -> None:
    service_id = a_service(database)
    hears(database)
    time_passes(database, 61 * SECOND)
    swept(database)
    changed(database, service_id, active=False)
    assert (open_alerts(database), told(database)) == ([], ["opened", "resolved"])
    time_passes(database, 10 * HOUR)
    assert swept(database).due == 0
    changed(database, service_id, active=True)
    time_passes(database, 59 * SECOND)
    assert swept(database).due == 0
    time_passes(database, 2 * SECOND)
    assert swept(database).opened == 1


def test_a_new_schedule_counts_from_now(database: Database) -> None:
    service_id = a_service(database, every_seconds=86_400)
    hears(database)
    time_passes(database, 10 * HOUR)
    changed(database, service_id, every_seconds=60, threshold=3)
    assert swept(database).due == 0
    time_passes(database, 61 * SECOND)
    assert swept(database).opened == 1


@pytest.mark.parametrize("threshold", [1, 4])
def test_a_service_in_trouble_stays_so_when_its_schedule_changes(database: Database, threshold: int) -> None:
    service_id = a_service(database)
    hears(database)
    time_passes(database, 61 * SECOND)
    swept(database)
    changed(database, service_id, every_seconds=120, threshold=threshold)
    assert open_alerts(database) == [("missed_heartbeat", 1)]
    for _ in range(threshold):
        hears(database)
    assert open_alerts(database) == []


def test_reported_down_opens_at_once_and_only_once(database: Database) -> None:
    a_service(database)
    assert [hears(database, kind=SignalKind.DOWN).told for _ in range(2)] == [1, 0]
    assert open_alerts(database) == [("reported_down", 1)]
    assert hears(database, kind=SignalKind.DEGRADED).told == 1
    assert (open_alerts(database), health(database)) == ([], "degraded")


def test_failures_are_tolerated_up_to_the_limit(database: Database) -> None:
    a_service(database, failure_tolerance=3)
    for failures in (1, 2):
        hears(database, kind=SignalKind.FAILED)
        assert open_alerts(database) == []
        assert rows(database, "SELECT consecutive_failures FROM medic.service_state") == [(failures,)]
    hears(database, kind=SignalKind.FAILED)
    hears(database, kind=SignalKind.FAILED)
    assert open_alerts(database) == [("job_failed", 4)]
    hears(database, kind=SignalKind.COMPLETED)
    assert open_alerts(database) == []
    hears(database, kind=SignalKind.FAILED)
    assert open_alerts(database) == []


def test_a_start_gives_the_run_its_time(database: Database) -> None:
    a_service(database, max_duration_ms=600_000)
    hears(database)
    time_passes(database, 50 * SECOND)
    hears(database, kind=SignalKind.STARTED)
    time_passes(database, 9 * MINUTE)
    assert swept(database).due == 0
    time_passes(database, 2 * MINUTE)
    assert swept(database).opened == 2
    assert open_alerts(database) == [("missed_heartbeat", 2), ("stale_run", 1)]
