"""`explain` and `schedule/preview`, over the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from medic_core.domain.watching.signals import SignalKind
from medic_core.flows.sweep import sweep
from medic_core.store.connection import Database
from tests.builders import a_service, hears, now_of, rows, time_passes
from tests.fixtures.functions import Functions

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
LONDON: dict[str, Any] = {"every_seconds": None, "cron_expression": "30 1 * * *", "timezone": "Europe/London"}


def explained(functions: Functions, service_id: int = 1) -> dict[str, Any]:
    reply = functions.api("GET", f"/v2/services/{service_id}/explain")
    assert reply.status == 200, reply.body
    results: dict[str, Any] = reply.json["results"]
    return results


def said(lines: list[dict[str, Any]]) -> str:
    return "\n".join(line["text"] for line in lines)


def test_an_explained_service_says_what_the_service_says(functions: Functions, database: Database) -> None:
    a_service(database, grace_period_seconds=30)
    hears(database)
    found, service = explained(functions), functions.api("GET", "/v2/services/1").json["results"]
    explanation = found["explanation"]
    assert (found["status"], explanation["summary"]) == ("up", "nightly-backup is alive.")
    assert explanation["deadline_at"] == service["next_deadline_at"]
    assert explanation["arithmetic"][-1]["at"] == service["next_deadline_at"]
    assert "It was heard at" in said(explanation["arithmetic"])
    assert "+ 1 min + 30 s of grace" in said(explanation["arithmetic"])
    assert explanation["next"][0] == {
        "at": service["next_deadline_at"],
        "text": "If it is not heard until then, a missed_heartbeat alert opens.",
    }
    assert [signal["status"] for signal in found["last_signals"]] == ["UP"]
    assert explanation["held"] == []


def test_what_it_foretells_is_what_happens(functions: Functions, database: Database) -> None:
    a_service(database)
    hears(database)
    time_passes(database, 10 * SECOND)
    began = now_of(database)
    foretold = explained(functions)["explanation"]["if_heard_now"]
    hears(database)
    passed = (now_of(database) - began).total_seconds()
    deadline = explained(functions)["explanation"]["deadline_at"]
    assert foretold["next_deadline_at"] < deadline
    assert abs_seconds(foretold["next_deadline_at"], deadline) < passed
    time_passes(database, 2 * MINUTE)
    sweep(database, 0, MINUTE)
    down = explained(functions)["explanation"]
    assert down["summary"] == "nightly-backup is down."
    assert (down["if_heard_now"]["health"], down["if_heard_now"]["ends"]) == ("up", ["missed_heartbeat"])
    assert "Nothing is awaited: its trouble was found already" in said(down["arithmetic"])
    assert "A missed_heartbeat alert is open: last heard at" in " ".join(down["because"])
    (reminder,) = [line for line in down["next"] if "reminded" in line["text"]]
    ((remind_at,),) = rows(database, "SELECT to_json(remind_at) #>> '{}' FROM medic.alerts")
    assert abs_seconds(reminder["at"], remind_at) < 1
    hears(database)
    assert explained(functions)["explanation"]["summary"] == "nightly-backup is alive."


def abs_seconds(one: str, other: str) -> float:
    from datetime import datetime  # noqa: PLC0415

    return abs((datetime.fromisoformat(one) - datetime.fromisoformat(other)).total_seconds())


def test_a_muted_service_says_that_nobody_would_be_told(functions: Functions, database: Database) -> None:
    service_id = a_service(database)
    hears(database)
    functions.api("POST", f"/v2/services/{service_id}/mute", {"reason": "deploy"})
    explanation = explained(functions)["explanation"]
    assert explanation["held"][0]["because"] == "the service is muted"
    assert explanation["held"][0]["until"] is not None
    assert "alert opens, of which nobody is told then." in said(explanation["next"])


def test_the_guards_are_named(functions: Functions, database: Database) -> None:
    for number in range(12):
        a_service(database, f"s{number}")
        hears(database, f"s{number}")
    time_passes(database, 2 * MINUTE)
    held = explained(functions)["explanation"]["held"]
    assert held == [
        {
            "because": "no silence is judged now: 12 services fell silent at once and nothing is heard from anyone",
            "until": None,
        }
    ]
    sweep(database, 3, MINUTE)
    assert "wait in the spool" in explained(functions)["explanation"]["held"][0]["because"]


@pytest.mark.parametrize(
    ("action", "summary"),
    [
        ({"active": 0}, "nightly-backup is inactive: its heartbeats are refused and it is not watched."),
        (None, "nightly-backup is paused: its heartbeats are taken and it is not watched."),
    ],
)
def test_who_is_not_watched_says_so(functions: Functions, database: Database, action: Any, summary: str) -> None:
    service_id = a_service(database)
    hears(database)
    if action:
        functions.api("POST", "/service/nightly-backup", action)
    else:
        functions.api("POST", f"/v2/services/{service_id}/pause")
    explanation = explained(functions)["explanation"]
    assert explanation["summary"] == summary
    assert "Nothing is awaited: it is not watched." in said(explanation["arithmetic"])
    assert explanation["next"] == []


def test_runs_under_way_are_part_of_the_arithmetic(functions: Functions, database: Database) -> None:
    a_service(database, max_duration_ms=3_600_000)
    hears(database)
    hears(database, kind=SignalKind.STARTED, run_id="run-7")
    explanation = explained(functions)["explanation"]
    assert "A run started at" in explanation["arithmetic"][-1]["text"]
    assert explanation["arithmetic"][-1]["text"].endswith("and may take 1 h.")
    assert "If run run-7 has not ended by then, a stale_run alert opens." in said(explanation["next"])
    time_passes(database, 2 * HOUR)
    sweep(database, 0, MINUTE)
    assert "The stale_run alert ends with run run-7, or when somebody resolves it." in said(
        explained(functions)["explanation"]["next"]
    )


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({}, ["Expected every 1 min.", "Its watch began at"]),
        ({"threshold": 3}, ["Expected at least 3 times in any 1 min."]),
        (
            LONDON,
            ["Expected at each tick of '30 1 * * *' in Europe/London, up to 1 min early.", "the first tick after that"],
        ),
        ({"alert_when_never_reported": False}, ["it is only watched once it was heard"]),
    ],
)
def test_a_service_that_was_never_heard_is_explained(
    functions: Functions, database: Database, wanted: dict[str, Any], words: list[str]
) -> None:
    a_service(database, **wanted)
    explanation = explained(functions)["explanation"]
    assert explanation["summary"] == "nightly-backup has not been heard since it was registered."
    for word in words:
        assert word in said(explanation["arithmetic"])


def test_a_deadline_that_was_moved_says_so(functions: Functions, database: Database) -> None:
    a_service(database)
    hears(database)
    with database.transaction() as tx:
        tx.execute("UPDATE medic.service_state SET alert_after = alert_after + interval '7 minutes'")
    arithmetic = explained(functions)["explanation"]["arithmetic"]
    assert arithmetic[-1]["text"].startswith("Moved ahead by 7 min, because Medic itself was away")


def test_a_flapping_service_says_until_when(functions: Functions, database: Database) -> None:
    a_service(database, flapping_max_changes=2)
    for kind in (SignalKind.UP, SignalKind.DOWN, SignalKind.UP, SignalKind.DOWN, SignalKind.UP):
        hears(database, kind=kind)
    explanation = explained(functions)["explanation"]
    assert explanation["held"][0]["because"] == "the service is flapping"
    assert "it is stable, and what was held is told" in said(explanation["next"])
    assert functions.api("GET", "/v2/services/1").json["results"]["flapping_until"] == explanation["held"][0]["until"]


def test_nobody_is_explained_who_is_not_there(functions: Functions, database: Database) -> None:
    assert functions.api("GET", "/v2/services/1/explain").status == 404
    assert functions.api("GET", "/v2/services/1/schedule/preview").status == 404


def test_a_preview_shows_the_night_in_which_the_clocks_change(functions: Functions, database: Database) -> None:
    a_service(database, **LONDON, grace_period_seconds=600)
    reply = functions.api("GET", "/v2/services/1/schedule/preview?count=3&after=2026-03-28T00:00:00Z")
    found = reply.json["results"]
    assert (found["timezone"], found["grace_period_seconds"]) == ("Europe/London", 600)
    assert [one["local"] for one in found["expected"]] == [
        "2026-03-28T01:30:00Z",
        "2026-03-29T02:00:00+01:00",
        "2026-03-30T01:30:00+01:00",
    ]
    assert [one["deadline_at"] for one in found["expected"]][1] == "2026-03-29T01:10:00Z"
    assert [one["counts_from"] for one in found["expected"]][1] == "2026-03-29T00:59:00Z"


def test_the_preview_of_a_service_begins_with_its_deadline(functions: Functions, database: Database) -> None:
    a_service(database, grace_period_seconds=30)
    hears(database)
    service = functions.api("GET", "/v2/services/1").json["results"]
    found = functions.api("GET", "/v2/services/1/schedule/preview?count=2").json["results"]["expected"]
    assert found[0]["deadline_at"] == service["next_deadline_at"]
    assert len(found) == 2


def test_an_expression_can_be_looked_at_before_it_is_saved(functions: Functions, database: Database) -> None:
    query = "expression=0%209%20*%20*%20mon-fri&timezone=Asia/Kathmandu&count=2&after=2026-03-06T12:00:00Z"
    found = functions.api("GET", f"/v2/schedule/preview?{query}").json["results"]
    assert [one["at"] for one in found["expected"]] == ["2026-03-09T03:15:00Z", "2026-03-10T03:15:00Z"]
    found = functions.api("GET", "/v2/schedule/preview?every_seconds=3600&count=1&after=2026-03-06T12:00:00Z")
    assert found.json["results"]["expected"][0]["at"] == "2026-03-06T13:00:00Z"
    assert len(functions.api("GET", "/v2/schedule/preview?expression=@daily").json["results"]["expected"]) == 10


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("", "either expression or every_seconds"),
        ("expression=@daily&every_seconds=60", "either expression or every_seconds"),
        ("expression=0%200%2031%202%20*", "expression never comes"),
        ("expression=*%20*%20*%20*%20*%20*", "five fields"),
        ("expression=@daily&timezone=CST", "timezone must be a place"),
        ("expression=@daily&count=0", "count"),
        ("expression=@daily&count=101", "count"),
        ("expression=@daily&after=tomorrow", "after"),
        ("every_seconds=1", "every_seconds"),
    ],
)
def test_what_cannot_be_previewed_is_named(functions: Functions, database: Database, query: str, named: str) -> None:
    reply = functions.api("GET", f"/v2/schedule/preview?{query}")
    assert (reply.status, named in reply.json["message"]) == (400, True), reply.body


def test_a_cron_service_is_shown_changed_and_restored(functions: Functions, database: Database) -> None:
    schedule = {"kind": "cron", "expression": "30 1 * * *", "timezone": "Europe/London", "early_tolerance_seconds": 90}
    made = functions.api("POST", "/v2/services", {"heartbeat_name": "nightly", "schedule": schedule})
    assert (made.status, made.json["results"]["schedule"]) == (201, schedule)
    assert made.json["results"]["flapping"] == {"max_changes": 10, "window_seconds": 3600}
    v1 = functions.api("GET", "/service/nightly").json["results"]
    assert (v1[0] if isinstance(v1, list) else v1)["alert_interval"] in {1440, 1380, 1500}
    assert functions.api("POST", "/service/nightly", {"threshold": 3}).status == 400
    interval = {"kind": "interval", "every_seconds": 600, "threshold": 2}
    changed = functions.api("PATCH", "/v2/services/1", {"schedule": interval, "flapping": None})
    assert (changed.json["results"]["schedule"], changed.json["results"]["flapping"]) == (interval, None)
    snapshots = functions.api("GET", "/v2/snapshots").json["results"]["items"]
    restored = functions.api("POST", f"/v2/snapshots/{snapshots[0]['snapshot_id']}/restore")
    assert restored.json["results"]["schedule"] == schedule
    functions.api("DELETE", "/v2/services/1")
    deleted = functions.api("GET", "/v2/snapshots?action_type=delete").json["results"]["items"][0]
    again = functions.api("POST", f"/v2/snapshots/{deleted['snapshot_id']}/restore")
    assert (again.status, again.json["results"]["schedule"]) == (200, schedule)
    assert again.json["results"]["next_deadline_at"] is not None
    assert functions.api("POST", "/service/nightly", {"alert_interval": 5}).status == 200
    assert functions.api("GET", "/v2/services/1").json["results"]["schedule"]["every_seconds"] == 300
