"""/v2/alerts: listed, read with their history, acknowledged, snoozed and resolved by people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from medic_core.domain.watching.signals import SignalKind
from medic_core.flows.sweep import Swept, sweep
from medic_core.store.connection import Database
from tests.builders import a_service, hears, now_of, rows, time_passes
from tests.fixtures.functions import Functions

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def swept(database: Database, by: timedelta = timedelta(0)) -> Swept:
    time_passes(database, by)
    return sweep(database, 0, timedelta(seconds=15))


def listed(functions: Functions, query: str = "") -> list[dict[str, Any]]:
    reply = functions.api("GET", f"/v2/alerts?{query}")
    assert reply.status == 200, reply.body
    found: list[dict[str, Any]] = reply.json["results"]["items"]
    return found


def events(functions: Functions, alert_id: int = 1) -> list[tuple[str, str | None, str]]:
    found = functions.api("GET", f"/v2/alerts/{alert_id}").json["results"]
    return [(event["event"], event["actor"], event["because"]) for event in found["events"]]


def until(database: Database, by: timedelta) -> dict[str, str]:
    return {"until": (now_of(database) + by).isoformat()}


@pytest.fixture
def silent(functions: Functions, database: Database) -> int:
    """A service that was heard once, and its alert (number 1)."""
    service_id = a_service(database)
    hears(database)
    assert swept(database, 2 * MINUTE).opened == 1
    return service_id


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["s3", "s2", "s1"]),
        ("active=true", ["s3", "s1"]),
        ("active=false", ["s2"]),
        ("status=open", ["s3"]),
        ("status=acknowledged&status=resolved", ["s2", "s1"]),
        ("kind=reported_down", ["s2", "s1"]),
        ("kind=job_failed&kind=missed_heartbeat", ["s3"]),
        ("priority=p1", ["s1"]),
        ("team_id=1", ["s1"]),
        ("team_id=77", []),
        ("limit=2", ["s3", "s2"]),
        ("limit=2&cursor=2", ["s1"]),
    ],
)
def test_alerts_are_found(functions: Functions, database: Database, query: str, expected: list[str]) -> None:
    a_service(database, "s1", team="infra", priority="p1")
    hears(database, "s1", SignalKind.DOWN)
    functions.api("POST", "/v2/alerts/1/acknowledge")
    a_service(database, "s2")
    hears(database, "s2", SignalKind.DOWN)
    hears(database, "s2")
    a_service(database, "s3")
    hears(database, "s3", SignalKind.FAILED)
    assert [alert["heartbeat_name"] for alert in listed(functions, query)] == expected


@pytest.mark.parametrize(
    "query",
    ["limit=0", "cursor=x", "cursor=-1", "status=closed", "priority=p0", "service_id=0", "active=maybe", "unknown=1",
     "active=true&status=resolved", "active=false&status=open", f"cursor={2**60}", "kind=%00"],
)  # fmt: skip
def test_hostile_queries_are_refused(functions: Functions, query: str) -> None:
    assert functions.api("GET", f"/v2/alerts?{query}").status == 400


def test_an_alert_tells_its_story(functions: Functions, database: Database, silent: int) -> None:
    functions.api("POST", "/v2/alerts/1/acknowledge", {"note": "on it"}, x_actor="Ada")
    hears(database)
    alert = functions.api("GET", "/v2/alerts/1").json["results"]
    assert (alert["status"], alert["acknowledged_by"], alert["service_id"]) == ("resolved", "Ada", silent)
    assert alert["created_at"] == alert["opened_at"] <= alert["updated_at"] == alert["resolved_at"]
    assert [event for event, _, _ in events(functions)] == ["opened", "acknowledged", "resolved"]
    assert events(functions)[1] == ("acknowledged", "Ada", "on it")


def test_what_is_acknowledged_is_not_reminded_of(functions: Functions, database: Database, silent: int) -> None:
    acknowledged = functions.api("POST", "/v2/alerts/1/acknowledge").json["results"]
    assert (acknowledged["status"], acknowledged["acknowledged_by"]) == ("acknowledged", "admin testadmin")
    again = functions.api("POST", "/v2/alerts/1/acknowledge", x_actor="somebody else").json["results"]
    assert again["acknowledged_by"] == "admin testadmin"
    assert swept(database, 10 * HOUR).told == 0
    assert [event for event, _, _ in events(functions)] == ["opened", "acknowledged"]
    assert listed(functions)[0]["consecutive_failures"] > 100


def test_a_snooze_ends_and_is_told(functions: Functions, database: Database, silent: int) -> None:
    snoozed = functions.api("POST", "/v2/alerts/1/snooze", until(database, 2 * HOUR)).json["results"]
    assert (snoozed["status"], snoozed["snoozed_until"] is not None) == ("snoozed", True)
    assert swept(database, HOUR).told == 0
    assert swept(database, HOUR + MINUTE).told == 1
    (alert,) = listed(functions)
    assert (alert["status"], alert["snoozed_until"], alert["reminders"]) == ("open", None, 1)
    assert [event for event, _, _ in events(functions)] == ["opened", "snoozed", "reminded"]
    assert events(functions)[2][2] == "the snooze is over and it is still so"


def test_a_snoozed_alert_can_be_acknowledged_and_the_reverse(
    functions: Functions, database: Database, silent: int
) -> None:
    functions.api("POST", "/v2/alerts/1/snooze", until(database, HOUR))
    acknowledged = functions.api("POST", "/v2/alerts/1/acknowledge").json["results"]
    assert (acknowledged["status"], acknowledged["snoozed_until"]) == ("acknowledged", None)
    assert functions.api("POST", "/v2/alerts/1/snooze", until(database, HOUR)).json["results"]["status"] == "snoozed"


@pytest.mark.parametrize(
    "body",
    [{}, {"until": None}, {"until": "later"}, {"until": 7200}, {"until": "2020-01-01T00:00:00Z"}, {"minutes": 5},
     {"until": "2999-01-01T00:00:00Z"}, {"until": "2027-01-01T00:00:00"}],
)  # fmt: skip
def test_a_snooze_must_end(functions: Functions, silent: int, body: dict[str, Any]) -> None:
    assert functions.api("POST", "/v2/alerts/1/snooze", body).status == 400
    assert listed(functions)[0]["status"] == "open"


@pytest.mark.parametrize(("kind", "status"), [(None, "up"), (SignalKind.DOWN, "up"), (SignalKind.FAILED, "up")])
def test_what_is_resolved_by_hand_and_stays_silent_alerts_again(
    functions: Functions, database: Database, kind: SignalKind | None, status: str
) -> None:
    service_id = a_service(database)
    hears(database)
    if kind is None:
        swept(database, 2 * MINUTE)
    else:
        hears(database, kind=kind)
    functions.route_notifications()
    resolved = functions.api("POST", "/v2/alerts/1/resolve", {"note": "looks fine"}, x_actor="Ada").json["results"]
    assert resolved["status"] == "resolved"
    assert events(functions)[-1] == ("resolved", "Ada", "looks fine")
    assert functions.route_notifications() > 0
    service = functions.api("GET", f"/v2/services/{service_id}").json["results"]
    assert (service["status"], service["next_deadline_at"] is not None) == (status, True)
    assert swept(database, MINUTE / 2).opened == 0
    assert swept(database, MINUTE).opened == 1
    assert [alert["kind"] for alert in listed(functions, "active=true")] == ["missed_heartbeat"]


def test_what_else_is_wrong_stays_so(functions: Functions, database: Database) -> None:
    service_id = a_service(database)
    hears(database, kind=SignalKind.FAILED)
    hears(database, kind=SignalKind.DOWN)
    functions.api("POST", "/v2/alerts/1/resolve")
    assert [alert["kind"] for alert in listed(functions, "active=true")] == ["reported_down"]
    service = functions.api("GET", f"/v2/services/{service_id}").json["results"]
    assert (service["status"], service["next_deadline_at"]) == ("down", None)
    hears(database)
    assert listed(functions, "active=true") == []
    assert rows(database, "SELECT settled FROM medic.service_state") == [(True,)]


def test_what_is_over_stays_over(functions: Functions, database: Database, silent: int) -> None:
    hears(database)
    for action, body in (("acknowledge", None), ("resolve", None), ("snooze", until(database, HOUR))):
        reply = functions.api("POST", f"/v2/alerts/1/{action}", body)
        assert (reply.status, reply.json["message"]) == (409, "This alert is over already.")
        assert functions.api("POST", f"/v2/alerts/999/{action}", body).status == 404
    assert functions.api("GET", "/v2/alerts/999").status == 404
