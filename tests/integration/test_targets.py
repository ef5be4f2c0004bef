"""Teams, working hours, targets and webhooks over the API, and the route that they make."""

from __future__ import annotations

from typing import Any

import pytest

from medic_core.domain.watching.signals import SignalKind
from medic_core.store.connection import Database
from tests.builders import a_service, hears, rows
from tests.fixtures.functions import Functions

OFFICE = {"monday": [{"start": "09:00", "end": "17:00"}]}
SLACK = {"type": "slack", "config": {"channel_id": "C1"}}
HOOK = "https://example.com/hooks/medic?token=S3cret"


def made(functions: Functions, path: str, body: dict[str, Any]) -> dict[str, Any]:
    reply = functions.api("POST", path, body)
    assert reply.status == 201, reply.body
    found: dict[str, Any] = reply.json["results"]
    return found


def a_target(functions: Functions, **wanted: Any) -> dict[str, Any]:
    owner = {} if "team_id" in wanted else {"service_id": 1}
    return made(functions, "/v2/targets", {**SLACK, **owner, **wanted})


def routed(functions: Functions, query: str = "") -> dict[str, Any]:
    reply = functions.api("GET", f"/v2/services/1/route{query}")
    assert reply.status == 200, reply.body
    found: dict[str, Any] = reply.json["results"]
    return found


@pytest.mark.parametrize(
    ("path", "body", "change"),
    [
        ("/v2/teams", {"name": "infra"}, {"slack_channel_id": "C1"}),
        ("/v2/schedules", {"name": "office", "hours": OFFICE}, {"timezone": "Europe/Berlin"}),
        ("/v2/targets", {**SLACK, "service_id": 1}, {"period": "after_hours"}),
        ("/v2/webhooks", {"url": "https://example.com/x"}, {"enabled": False}),
    ],
)
def test_each_is_made_listed_read_changed_and_deleted(
    functions: Functions, database: Database, path: str, body: dict[str, Any], change: dict[str, Any]
) -> None:
    a_service(database)
    first = made(functions, path, body)
    number = next(value for name, value in first.items() if name.endswith("_id") and name[:4] == path[4:8].rstrip("/"))
    found = functions.api("GET", path).json["results"]["items"]
    assert [item.items() <= first.items() for item in found] == [True]
    one = functions.api("GET", f"{path}/{number}")
    assert (one.json["results"], one.headers["ETag"]) == (found[0], '"v1"')
    changed = functions.api("PATCH", f"{path}/{number}", change, if_match='"v1"')
    assert (changed.status, changed.headers["ETag"]) == (200, '"v2"')
    assert change.items() <= changed.json["results"].items()
    assert functions.api("PATCH", f"{path}/{number}", change, if_match='"v1"').status == 412
    assert functions.api("PATCH", f"{path}/{number}", {"nonsense": 1}).status == 400
    assert functions.api("DELETE", f"{path}/{number}").status == 200
    for method in ("GET", "PATCH", "DELETE"):
        assert functions.api(method, f"{path}/{number}", {} if method == "PATCH" else None).status == 404


@pytest.mark.parametrize(("path", "body"), [("/v2/teams", {}), ("/v2/schedules", {"hours": OFFICE})])
def test_names_are_unique_whatever_their_case(functions: Functions, path: str, body: dict[str, Any]) -> None:
    made(functions, path, {**body, "name": "Infra"})
    second = functions.api("POST", path, {**body, "name": "iNFRA"})
    assert (second.status, second.json["message"]) == (409, "name: it is taken already.")
    other = functions.api("POST", path, {**body, "name": "other"}).json["results"]
    number = other.get("team_id") or other["schedule_id"]
    assert functions.api("PATCH", f"{path}/{number}", {"name": "INFRA"}).status == 409


def test_the_working_hours_of_a_service(functions: Functions, database: Database) -> None:
    a_service(database)
    schedule = made(
        functions, "/v2/schedules", {"name": "office", "timezone": "Europe/Berlin", "hours": OFFICE, "holidays": ["DE"]}
    )
    path = f"/v2/schedules/{schedule['schedule_id']}/current-period"
    found = functions.api("GET", f"{path}?at=2026-03-02T12:00:00Z").json["results"]
    assert (found["period"], found["local"]) == ("during_hours", "2026-03-02T13:00:00+01:00")
    assert found["until"] == "2026-03-02T16:00:00Z"
    # Easter Monday.
    found = functions.api("GET", f"{path}?at=2026-04-06T10:00:00Z").json["results"]
    assert (found["period"], found["until"]) == ("after_hours", "2026-04-13T07:00:00Z")
    assert functions.api("GET", path).json["results"]["period"] in {"during_hours", "after_hours"}
    service = functions.api("PATCH", "/v2/services/1", {"working_hours_id": 1}).json["results"]
    assert service["working_hours_id"] == 1
    assert functions.api("PATCH", "/v2/services/1", {"working_hours_id": 9}).status == 400
    a_target(functions, period="during_hours")
    at = "?at=2026-04-06T10:00:00Z"
    assert routed(functions, at)["passed_over"][0]["because"].startswith("it is told during hours, and this is after")
    functions.api("DELETE", "/v2/schedules/1")
    assert functions.api("GET", "/v2/services/1").json["results"]["working_hours_id"] is None
    assert [one["target_key"] for one in routed(functions, at)["told"]] == ["target:1"]


def test_the_route_says_who_and_why_not_the_others(functions: Functions, database: Database) -> None:
    a_service(database, team="infra")
    functions.api("PATCH", "/v2/teams/1", {"slack_channel_id": "C-infra"})
    assert [one["target_key"] for one in routed(functions)["told"]] == ["team:1"]
    a_target(functions, team_id=1)
    a_target(functions, priority=2)
    a_target(functions, priority=1, type="pagerduty", config={"service_key": "K" * 32}, min_priority="p2")
    a_target(functions, enabled=False)
    made(functions, "/v2/webhooks", {"url": "https://example.com/all"})
    made(functions, "/v2/webhooks", {"url": "https://example.com/own", "service_id": 1})
    functions.api("PATCH", "/v2/services/1", {"notification_mode": "notify_until_success"})
    found = routed(functions, "?priority=p1")
    assert [one["target_key"] for one in found["told"]] == ["target:3", "target:2", "webhook:1", "webhook:2"]
    assert (found["mode"], found["period"], found["period_until"]) == ("notify_until_success", "during_hours", None)
    why_not = {one["target_key"]: one["because"] for one in found["passed_over"]}
    assert why_not == {
        "target:4": "it is disabled",
        "target:1": "a target of the service is told instead",
        "team:1": "a target of the service is told instead",
    }
    assert [one["target_key"] for one in routed(functions)["told"]] == ["target:2", "webhook:1", "webhook:2"]


def test_the_router_follows_the_route_that_was_shown(functions: Functions, database: Database) -> None:
    a_service(database)
    for priority in (3, 1, 2):
        a_target(functions, priority=priority)
    shown = [one["target_key"] for one in routed(functions)["told"]]
    hears(database, kind=SignalKind.DOWN)
    tick = functions.module("tick")
    tick.relay(tick.DATABASE, tick.NOTIFICATIONS)
    functions.route_notifications()
    made_of = rows(database, "SELECT target_key FROM medic.notification_deliveries ORDER BY delivery_id")
    assert [key for (key,) in made_of] == shown == ["target:2", "target:3", "target:1"]


@pytest.mark.parametrize(
    ("type_", "config", "shown"),
    [
        ("slack", {"channel_id": "C1"}, {"channel_id": "C1"}),
        ("pagerduty", {"service_key": "S" * 28 + "1234"}, {"service_key": "***1234"}),
        (
            "webhook",
            {"url": HOOK, "headers": {"Authorization": "Bearer S3cret"}},
            {"url": "https://example.com/hooks/medic?token=***", "headers": {"Authorization": "***"}},
        ),
        ("apprise", {"url": "mailto://user:S3cret@example.com"}, {"url": "mailto://***"}),
    ],
)
def test_a_targets_secrets_are_never_shown(
    functions: Functions, database: Database, type_: str, config: dict[str, Any], shown: dict[str, Any]
) -> None:
    a_service(database)
    answers = [functions.api("POST", "/v2/targets", {"service_id": 1, "type": type_, "config": config})]
    answers += [functions.api("GET", "/v2/targets"), functions.api("GET", "/v2/targets/1")]
    answers += [functions.api("PATCH", "/v2/targets/1", {"config": config})]
    assert all(answer.json["results"].get("config", shown) == shown for answer in answers)
    assert not any("S3cret" in answer.body or "SSSS" in answer.body for answer in answers)
    again = functions.api("PATCH", "/v2/targets/1", {"config": shown})
    assert again.status == (200 if type_ == "slack" else 400)


def test_a_webhooks_secret_is_shown_once(functions: Functions, database: Database) -> None:
    first = functions.api("POST", "/v2/webhooks", {"url": HOOK}, idempotency_key="once")
    secret = first.json["results"]["secret"]
    assert secret.startswith("whsec_")
    assert "S3cret" not in first.body
    repeated = functions.api("POST", "/v2/webhooks", {"url": HOOK}, idempotency_key="once")
    assert (repeated.status, repeated.json["results"]["secret"]) == (201, None)
    shown = functions.api("GET", "/v2/webhooks/1").json["results"]
    assert functions.api("PATCH", "/v2/webhooks/1", {"url": shown["url"]}).status == 400
    assert secret not in functions.api("GET", "/v2/webhooks").body + functions.api("GET", "/v2/webhooks/1").body
    rotated = functions.api("POST", "/v2/webhooks/1/rotate-secret", {"overlap_seconds": 60}).json["results"]
    assert rotated["secret"] != secret
    assert rotated["former_secret_until"] is not None
    kept = rows(database, "SELECT secret, former_secret FROM medic.webhooks")
    assert kept == [(rotated["secret"], secret)]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, "type"),
        ({"type": "slack"}, "config is required"),
        ({"type": "slack", "config": {}}, "config.channel_id is required"),
        ({"type": "slack", "config": {"url": "https://example.com"}}, "config.channel_id is required"),
        ({"type": "pagerduty", "config": {"service_key": "a b"}}, "config.service_key"),
        ({"type": "email", "config": {}}, "type"),
        ({**SLACK, "priority": -1}, "priority"),
        ({**SLACK, "period": "sometimes"}, "period: must be one of always, during_hours, after_hours"),
        ({**SLACK, "min_priority": "p9"}, "min_priority: must be one of p1"),
        ({**SLACK, "team_id": 1}, "send either service_id or team_id"),
        ({**SLACK, "service_id": None}, "send either service_id or team_id"),
        ({**SLACK, "service_id": 99}, "no service has the id 99"),
        ({**SLACK, "service_id": None, "team_id": 99}, "no team has the id 99"),
        ({"type": "webhook", "config": {"url": "http://127.0.0.1/"}}, "config.url: Invalid webhook URL"),
        ({"type": "webhook", "config": {"url": "http://0x7f000001/"}}, "config.url: Invalid webhook URL"),
        ({"type": "webhook", "config": {"url": "https://u:S3cret@example.com/"}}, "config.url: Invalid webhook URL"),
        (
            {"type": "webhook", "config": {"url": "https://example.com", "headers": {"X": "a\r\nHost: b"}}},
            "X must be a line",
        ),
        ({"type": "webhook", "config": {"url": "https://example.com", "headers": {"Host": "b"}}}, "Medic's to say"),
        ({"type": "apprise", "config": {"url": "file:///etc/S3cret"}}, "file is not taken"),
        ({"type": "apprise", "config": {"url": "dbus://"}}, "dbus is not taken"),
    ],
)
def test_what_is_no_target(functions: Functions, database: Database, body: dict[str, Any], problem: str) -> None:
    a_service(database)
    reply = functions.api("POST", "/v2/targets", {"service_id": 1, **body})
    assert reply.status == 400, reply.body
    assert problem in reply.json["message"]
    assert "S3cret" not in reply.body
    assert rows(database, "SELECT count(*) FROM medic.notification_targets") == [(0,)]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"url": "ftp://example.com"}, "url: Invalid webhook URL"),
        ({"url": "http://[::1]/"}, "url: Invalid webhook URL"),
        ({"url": "http://localhost:22/"}, "url: Invalid webhook URL"),
        ({"url": ""}, "url"),
        ({"url": "https://example.com", "headers": {"X\n": "y"}}, "no name of a header"),
        ({"url": "https://example.com", "headers": {"X": 1}}, "headers"),
        ({"url": "https://example.com", "service_id": 99}, "no service has the id 99"),
        ({"url": "https://example.com", "secret": "whsec_x"}, "secret"),
    ],
)
def test_what_is_no_webhook(functions: Functions, database: Database, body: dict[str, Any], problem: str) -> None:
    reply = functions.api("POST", "/v2/webhooks", body)
    assert reply.status == 400, reply.body
    assert problem in reply.json["message"]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"hours": {"moonday": []}}, "hours"),
        ({"hours": {"monday": [{"start": "25:00", "end": "26:00"}]}}, "hours.monday.0.start"),
        ({"hours": {"monday": [{"start": "09:00", "end": "09:00"}]}}, "must not end where it starts"),
        (
            {"hours": {"monday": [{"start": "09:00", "end": "12:00"}, {"start": "11:00", "end": "13:00"}]}},
            "a range of monday overlaps one of monday",
        ),
        ({"hours": {"monday": [{"start": "09:00"}]}}, "hours.monday.0.end is required"),
        ({"hours": OFFICE, "timezone": "Mars/Olympus"}, "timezone: must be a zone of the IANA database"),
        ({"hours": OFFICE, "timezone": "CET"}, "timezone: "),
        ({"hours": OFFICE, "holidays": ["Germany"]}, "is neither a day"),
        ({"hours": OFFICE, "holidays": ["2026-02-30"]}, "is neither a day"),
        ({"hours": OFFICE, "holidays": "DE"}, "holidays"),
        ({}, "hours is required"),
    ],
)
def test_what_is_no_schedule(functions: Functions, body: dict[str, Any], problem: str) -> None:
    reply = functions.api("POST", "/v2/schedules", {"name": "office", **body})
    assert reply.status == 400, reply.body
    assert problem in reply.json["message"]


def test_apprise_is_for_admins_alone(functions: Functions, database: Database) -> None:
    a_service(database)
    writer = functions.api("POST", "/v2/api-keys", {"name": "w", "scopes": ["write"]}).json["results"]["api_key"]
    body = {"service_id": 1, "type": "apprise", "config": {"url": "mailto://user:x@example.com"}}
    assert functions.api("POST", "/v2/targets", body, key=writer).status == 403
    assert functions.api("POST", "/v2/targets", body).status == 201
    assert functions.api("PATCH", "/v2/targets/1", {"config": body["config"]}, key=writer).status == 403
    assert functions.api("PATCH", "/v2/targets/1", {"priority": 3}, key=writer).status == 200


def test_what_goes_with_whom(functions: Functions, database: Database) -> None:
    a_service(database, team="infra")
    a_target(functions)
    a_target(functions, team_id=1)
    made(functions, "/v2/webhooks", {"url": "https://example.com/own", "service_id": 1})
    made(functions, "/v2/webhooks", {"url": "https://example.com/all"})
    items = functions.api("GET", "/v2/targets?team_id=1").json["results"]["items"]
    assert [one["target_id"] for one in items] == [2]
    functions.api("DELETE", "/v2/teams/1")
    assert functions.api("GET", "/v2/services/1").json["results"]["team_id"] is None
    functions.api("DELETE", "/v2/services/1")
    assert rows(database, "SELECT count(*) FROM medic.notification_targets") == [(0,)]
    assert rows(database, "SELECT webhook_id FROM medic.webhooks") == [(2,)]
