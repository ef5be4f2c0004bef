"""Maintenance windows: no alert in them, one at their end for what is silent still, whatever people do meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from medic_core.domain.watching.signals import SignalKind
from medic_core.flows.sweep import Swept, sweep
from medic_core.store.connection import Database
from tests.builders import a_service, hears, now_of, rows, time_passes
from tests.fixtures.functions import Functions
from tests.fixtures.receivers import Receivers

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
WINDOWS = "/v2/maintenance-windows"


def swept(database: Database, by: timedelta = timedelta(0)) -> Swept:
    time_passes(database, by)
    return sweep(database, 0, timedelta(seconds=15))


def a_window(functions: Functions, database: Database, **wanted: Any) -> dict[str, Any]:
    now = now_of(database)
    body = {"name": "move", "start_time": now.isoformat(), "end_time": (now + HOUR).isoformat(), **wanted}
    reply = functions.api("POST", WINDOWS, body)
    assert reply.status == 201, reply.body
    found: dict[str, Any] = reply.json["results"]
    return found


def alerts(database: Database) -> list[tuple[str, str, bool]]:
    return rows(database, "SELECT kind, status, told_at IS NOT NULL FROM medic.alerts ORDER BY alert_id")


def told(database: Database) -> list[str]:
    """What went into the outbox, in order."""
    events = "JOIN medic.alert_events e ON e.alert_event_id = o.subject_id WHERE o.topic = 'notification'"
    return [event for (event,) in rows(database, f"SELECT event FROM medic.outbox o {events} ORDER BY outbox_id")]


@pytest.mark.parametrize("whom", [{"service_ids": [1]}, {"tags": ["eu"]}, {}, {"service_ids": [1], "tags": ["us"]}])
def test_who_falls_due_in_it_makes_no_alert_and_at_its_end_one(
    functions: Functions, database: Database, whom: dict[str, Any]
) -> None:
    a_service(database, tags=("eu",))
    hears(database)
    window = a_window(functions, database, **whom)
    assert swept(database, 2 * MINUTE) == Swept()
    assert alerts(database) == []
    (state,) = rows(database, "SELECT health, alert_after FROM medic.service_state")
    assert state[0] == "up"
    assert [(state[1],)] == rows(database, "SELECT next_end FROM medic.maintenance_windows")
    assert swept(database, 57 * MINUTE) == Swept()
    assert swept(database, 2 * MINUTE).opened == 1
    assert alerts(database) == [("missed_heartbeat", "open", True)]
    assert functions.api("GET", f"{WINDOWS}/{window['window_id']}").json["results"]["is_active"] is False


@pytest.mark.parametrize("whom", [{"service_ids": [2]}, {"tags": ["us"]}])
def test_it_is_for_nobody_else(functions: Functions, database: Database, whom: dict[str, Any]) -> None:
    a_service(database, tags=("eu",))
    a_service(database, "other")
    hears(database)
    a_window(functions, database, **whom)
    assert swept(database, 2 * MINUTE).opened >= 1
    assert ("missed_heartbeat", "open", True) in alerts(database)


def test_who_is_heard_in_it_goes_on_as_ever(functions: Functions, database: Database) -> None:
    a_service(database)
    hears(database)
    a_window(functions, database)
    swept(database, 2 * MINUTE)
    hears(database)
    assert swept(database, 59 * MINUTE).opened == 1, "its own deadline had passed, and the window too"


def test_one_that_never_reported_waits_too(functions: Functions, database: Database) -> None:
    a_service(database)
    a_window(functions, database)
    assert swept(database, 2 * MINUTE).opened == 0
    assert swept(database, HOUR).opened == 1
    assert alerts(database) == [("never_reported", "open", True)]


def test_what_a_service_says_itself_opens_silently_and_is_told_at_the_end_if_still_so(
    functions: Functions, database: Database
) -> None:
    a_service(database)
    a_service(database, "other", every_seconds=86_400)
    a_window(functions, database)
    for name in ("nightly-backup", "other"):
        hears(database, name, SignalKind.DOWN)
    assert alerts(database) == [("reported_down", "open", False)] * 2
    hears(database, "other")
    assert told(database) == []
    swept(database, 30 * MINUTE)
    assert told(database) == []
    swept(database, 31 * MINUTE)
    assert told(database) == ["unmuted"]


def test_a_run_that_takes_too_long_is_silent_too(functions: Functions, database: Database) -> None:
    a_service(database, max_duration_ms=1000)
    hears(database, kind=SignalKind.STARTED, run_id="a")
    a_window(functions, database)
    swept(database, MINUTE)
    assert ("stale_run", "open", False) in alerts(database)
    assert told(database) == []


def test_a_recovery_is_never_held_and_reminders_are(functions: Functions, database: Database) -> None:
    a_service(database, reminder_interval_seconds=60)
    hears(database)
    swept(database, 2 * MINUTE)
    a_window(functions, database)
    swept(database, 10 * MINUTE)
    assert told(database) == ["opened"]
    hears(database)
    assert told(database) == ["opened", "resolved"]


def test_windows_that_follow_one_another_are_waited_for_one_by_one(functions: Functions, database: Database) -> None:
    a_service(database)
    hears(database)
    end = now_of(database) + HOUR
    a_window(functions, database)
    later = {"start_time": end.isoformat(), "end_time": (end + HOUR).isoformat()}
    a_window(functions, database, name="and on", **later)
    swept(database, 2 * MINUTE)
    assert swept(database, 60 * MINUTE) == Swept()
    assert swept(database, 60 * MINUTE).opened == 1


def test_one_that_is_ended_early_ends_the_wait(functions: Functions, database: Database) -> None:
    a_service(database)
    hears(database)
    hears(database, "nightly-backup", SignalKind.UP)
    window = a_window(functions, database)
    swept(database, 2 * MINUTE)
    assert functions.api("DELETE", f"{WINDOWS}/{window['window_id']}").status == 200
    assert swept(database).opened == 1


def test_ending_one_early_is_no_false_alarm_for_who_is_well(functions: Functions, database: Database) -> None:
    """A deadline of its own that is the very end of the window is its own."""
    a_service(database, every_seconds=3600)
    hears(database)
    window = a_window(functions, database)
    with database.transaction() as tx:
        tx.execute("UPDATE medic.service_state st SET alert_after = w.next_end FROM medic.maintenance_windows w")
    functions.api("PATCH", f"{WINDOWS}/{window['window_id']}", {"end_time": (now_of(database) + MINUTE).isoformat()})
    assert swept(database, 2 * MINUTE) == Swept()


def test_one_that_grows_holds_longer(functions: Functions, database: Database) -> None:
    a_service(database)
    hears(database)
    window = a_window(functions, database)
    swept(database, 2 * MINUTE)
    end = now_of(database) + 3 * HOUR
    path = f"{WINDOWS}/{window['window_id']}"
    assert functions.api("PATCH", path, {"end_time": end.isoformat()}).status == 200
    assert swept(database, 90 * MINUTE) == Swept()
    assert swept(database, 120 * MINUTE).opened == 1


def test_all_silent_in_maintenance_is_not_taken_for_silence_of_medics_own(
    functions: Functions, database: Database
) -> None:
    for number in range(12):
        a_service(database, f"s{number}")
        hears(database, f"s{number}")
    a_window(functions, database)
    assert swept(database, 5 * MINUTE) == Swept()
    assert alerts(database) == []


def test_eight_monitors_at_once_turn_a_window_once(functions: Functions, database: Database, database_url: str) -> None:
    a_service(database)
    hears(database)
    a_window(functions, database, notify=True)

    def by_one_monitor(_: int) -> None:
        own = Database(database_url)
        for _ in range(3):
            sweep(own, 0, timedelta(seconds=15))
        own.close()

    for _ in range(2):
        with ThreadPoolExecutor(8) as monitors:
            list(monitors.map(by_one_monitor, range(8)))
        time_passes(database, HOUR)
    with ThreadPoolExecutor(8) as monitors:
        list(monitors.map(by_one_monitor, range(8)))
    found = [kind for (kind,) in rows(database, "SELECT kind FROM medic.notices ORDER BY notice_id")]
    assert found == ["maintenance_started", "maintenance_ended"]
    assert len(alerts(database)) == 1


def test_beginnings_and_ends_are_told_where_that_is_wanted(
    standing_in: Receivers, functions: Functions, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in standing_in.environment.items():
        monkeypatch.setenv(name, value)
    a_service(database, team="infra")
    assert functions.api("PATCH", "/v2/teams/1", {"slack_channel_id": "C-infra"}).status == 200
    hears(database)
    a_window(functions, database, notify=True, service_ids=[1], reason="new disks")
    a_window(functions, database, name="quiet one", service_ids=[1])
    tick = functions.module("tick")
    for by in (timedelta(0), HOUR + MINUTE):
        swept(database, by)
        hears(database)
        tick.relay(tick.DATABASE, tick.NOTIFICATIONS)
        while functions.route_notifications():
            pass
    sent = [one.content for one in standing_in.slack.received]
    texts = [(one["channel"], one["text"]) for one in sent if one["text"].startswith("Maintenance")]
    begun, over = "Maintenance has begun: move", "Maintenance is over: move"
    assert sorted(texts) == sorted(
        [(channel, text) for channel in ("C-infra", "C0123456789") for text in (begun, over)]
    )
    types = [one.content["type"] for one in standing_in.webhook.received]
    noticed = [one for one in types if one.startswith("notice.")]
    assert noticed == ["notice.maintenance_started", "notice.maintenance_ended"]
    assert "new disks" in str(sent[0])
    summaries = [one.content.get("payload", {}).get("summary", "") for one in standing_in.pagerduty.received]
    assert not any("Maintenance" in one for one in summaries)


def test_a_recurring_window_comes_again(functions: Functions, database: Database) -> None:
    a_service(database, every_seconds=600)
    now = now_of(database)
    first = now - timedelta(days=7)
    recurrence = f"{now.minute} {now.hour} * * *"
    times = {"start_time": first.isoformat(), "end_time": (first + 2 * HOUR).isoformat(), "recurrence": recurrence}
    window = a_window(functions, database, **times)
    assert window["is_active"] is True
    hears(database)
    assert swept(database, 30 * MINUTE) == Swept()
    with database.transaction() as tx:
        tx.execute("UPDATE medic.maintenance_windows SET next_start = now() - interval '2 hours', next_end = now()")
    swept(database, timedelta(0))
    (found,) = rows(database, "SELECT next_start, next_end, began_at FROM medic.maintenance_windows")
    assert found[1] - found[0] == 2 * HOUR
    assert found[0] + 2 * HOUR > now


def test_which_are_active(functions: Functions, database: Database) -> None:
    a_service(database)
    a_service(database, "other")
    window = a_window(functions, database, service_ids=[1])
    later = now_of(database) + timedelta(days=3)
    times = {"start_time": later.isoformat(), "end_time": (later + HOUR).isoformat()}
    a_window(functions, database, name="later", **times)

    def active(query: str = "") -> list[str]:
        reply = functions.api("GET", f"{WINDOWS}/active{query}")
        assert reply.status == 200, reply.body
        return [one["window"]["name"] for one in reply.json["results"]["items"]]

    assert active() == ["move"]
    assert active("?service_id=1") == ["move"]
    assert active("?service_id=2") == []
    at = (later + MINUTE).isoformat().replace("+", "%2B")
    assert active(f"?at={at}") == ["later"]
    assert active(f"?at={at}&service_id=2") == ["later"]
    assert active("?at=2020-01-01T00:00:00Z") == []
    assert functions.api("GET", f"{WINDOWS}/active?service_id=99").status == 400
    assert window["next_end"] == window["end_time"]


def test_a_service_is_silenced_for_half_an_hour(functions: Functions, database: Database) -> None:
    a_service(database)
    hears(database)
    reply = functions.api("POST", "/v2/services/1/silence", {"reason": "deploy"}, x_actor="ann")
    assert reply.status == 201, reply.body
    made = reply.json["results"]
    assert (made["service_ids"], made["reason"], made["created_by"], made["is_active"]) == ([1], "deploy", "ann", True)
    assert functions.api("POST", "/v2/services/1/silence", {"minutes": 5}).status == 201
    assert swept(database, 20 * MINUTE) == Swept()
    explained = functions.api("GET", "/v2/services/1/explain").json["results"]["explanation"]
    assert explained["held"][0]["because"] == "the service is in maintenance"
    assert "it passed in maintenance, which ends then" in explained["arithmetic"][-1]["text"]
    assert swept(database, 11 * MINUTE).opened == 1
    assert functions.api("POST", "/v2/services/9/silence").status == 404


def test_an_explanation_says_what_maintenance_will_do(functions: Functions, database: Database) -> None:
    a_service(database)
    hears(database)
    start = now_of(database) + timedelta(seconds=30)
    a_window(functions, database, start_time=start.isoformat(), end_time=(start + HOUR).isoformat())
    lines = functions.api("GET", "/v2/services/1/explain").json["results"]["explanation"]["next"]
    assert "It is in maintenance then" in lines[0]["text"]
    assert "a missed_heartbeat alert opens" in lines[1]["text"]


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ({"end_time": "2020-01-01T00:00:00Z"}, "end_time must lie after start_time"),
        ({"start_time": "2020-01-01T00:00:00Z", "end_time": "2020-01-01T01:00:00Z"}, "is over already"),
        ({"start_time": "noon"}, "start_time: must be a time like"),
        ({"start_time": "2026-03-01T12:00:00"}, "start_time"),
        ({"recurrence": "* * * * *"}, "begin again before it is over"),
        ({"recurrence": "0 0 31 2 *"}, "recurrence: "),
        ({"recurrence": "every day"}, "recurrence: "),
        ({"timezone": "CST"}, "timezone: "),
        ({"timezone": "Mars/Olympus"}, "timezone: "),
        ({"service_ids": [99]}, "no service has the id 99"),
        ({"service_ids": ["1"]}, "service_ids"),
        ({"name": ""}, "name"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_what_is_no_window(functions: Functions, database: Database, wanted: dict[str, Any], problem: str) -> None:
    a_service(database)
    now = now_of(database)
    body = {"name": "move", "start_time": now.isoformat(), "end_time": (now + HOUR).isoformat(), **wanted}
    reply = functions.api("POST", WINDOWS, body)
    assert (reply.status, rows(database, "SELECT count(*) FROM medic.maintenance_windows")) == (400, [(0,)])
    assert problem in reply.json["message"]


def test_names_are_unique_and_versions_are_kept(functions: Functions, database: Database) -> None:
    window = a_window(functions, database)
    now = now_of(database)
    again = {"name": "MOVE", "start_time": now.isoformat(), "end_time": (now + HOUR).isoformat()}
    assert functions.api("POST", WINDOWS, again).status == 409
    path = f"{WINDOWS}/{window['window_id']}"
    assert functions.api("PATCH", path, {"reason": "x"}, if_match='"v1"').headers["ETag"] == '"v2"'
    assert functions.api("PATCH", path, {"reason": "y"}, if_match='"v1"').status == 412
    a_window(functions, database, name="other")
    assert functions.api("PATCH", path, {"name": "Other"}).status == 409
    assert functions.api("DELETE", path, if_match='"v1"').status == 412
    assert functions.api("DELETE", path).status == 200
    assert functions.api("DELETE", path).status == functions.api("GET", path).status == 404
