from __future__ import annotations

from datetime import timedelta

from medic_core.flows.sweep import sweep
from medic_core.store.connection import Database
from tests.builders import a_service, hears, rows, time_passes

CADENCE = timedelta(seconds=15)
MINUTE = timedelta(minutes=1)


def open_alerts(database: Database) -> list[tuple[str, int]]:
    return rows(
        database, "SELECT kind, consecutive_failures FROM medic.alerts WHERE resolved_at IS NULL ORDER BY alert_id"
    )


def told(database: Database) -> list[str]:
    query = "SELECT event FROM medic.outbox JOIN medic.alert_events ON subject_id = alert_event_id ORDER BY outbox_id"
    return [event for (event,) in rows(database, query)]


def test_a_silence_past_its_deadline_opens_one_alert_and_a_heartbeat_ends_it(database: Database) -> None:
    a_service(database)
    hears(database)
    time_passes(database, 59 * timedelta(seconds=1))
    assert sweep(database, 0, CADENCE).opened == 0
    time_passes(database, 2 * timedelta(seconds=1))
    assert sweep(database, 0, CADENCE).opened == 1
    assert sweep(database, 0, CADENCE).opened == 0
    assert open_alerts(database) == [("missed_heartbeat", 1)]
    assert hears(database).told == 1
    assert open_alerts(database) == []
    assert told(database) == ["opened", "resolved"]
