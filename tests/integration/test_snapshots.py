"""What a service was before it was changed is kept, and it can be put back."""

from __future__ import annotations

from typing import Any

import pytest

from medic_core.store.connection import Database
from tests.builders import a_service, hears, ping_id, rows
from tests.fixtures.functions import Functions


def listed(functions: Functions, query: str = "") -> list[dict[str, Any]]:
    reply = functions.api("GET", f"/v2/snapshots?{query}")
    assert reply.status == 200, reply.body
    found: list[dict[str, Any]] = reply.json["results"]["items"]
    return found


@pytest.mark.parametrize(
    ("method", "path", "body", "action"),
    [
        ("PATCH", "/v2/services/1", {"runbook": "new"}, "edit"),
        ("PATCH", "/v2/services/1", {"priority": "p1"}, "priority_change"),
        ("PATCH", "/v2/services/1", {"team": "new"}, "team_change"),
        ("POST", "/v2/services/1/mute", {}, "mute"),
        ("POST", "/v2/services/1/unmute", None, "unmute"),
        ("POST", "/v2/services/1/pause", {}, "deactivate"),
        ("POST", "/v2/services/1/resume", None, "activate"),
        ("DELETE", "/v2/services/1", None, "delete"),
        (
            "POST",
            "/v2/services/bulk",
            {"action": "edit", "service_ids": [1], "changes": {"priority": "p1"}},
            "bulk_edit",
        ),
        ("POST", "/v2/services/bulk", {"action": "mute", "service_ids": [1]}, "mute"),
        ("POST", "/service/nightly-backup", {"active": 0}, "deactivate"),
        ("POST", "/service/nightly-backup", {"active": 1}, "activate"),
        ("POST", "/service/nightly-backup", {"muted": 1, "priority": "p1"}, "mute"),
        ("POST", "/service/nightly-backup", {"muted": 0}, "unmute"),
        ("POST", "/service/nightly-backup", {"priority": "p1", "threshold": 2}, "priority_change"),
        ("POST", "/service/nightly-backup", {"team": "new"}, "team_change"),
        ("POST", "/service/nightly-backup", {"alert_interval": 7}, "edit"),
    ],
)
def test_each_change_that_could_hurt_keeps_what_was(
    functions: Functions, database: Database, method: str, path: str, body: Any, action: str
) -> None:
    a_service(database, runbook="old", priority="p4", tags=("eu",))
    assert functions.api(method, path, body, x_actor="Ada Lovelace").status == 200
    (snapshot,) = listed(functions)
    assert (snapshot["action_type"], snapshot["actor"], snapshot["service_id"]) == (action, "Ada Lovelace", 1)
    was = snapshot["snapshot_data"]
    assert (was["runbook"], was["priority"], was["tags"], was["active"]) == ("old", "p4", ["eu"], True)
    assert functions.api("GET", f"/v2/snapshots/{snapshot['snapshot_id']}").json["results"] == snapshot


def test_what_changes_nothing_keeps_nothing(functions: Functions, database: Database) -> None:
    a_service(database)
    functions.api("PATCH", "/v2/services/1", {})
    functions.api("POST", "/service/nightly-backup", {"down": 1})
    functions.api("PATCH", "/v2/services/1", {"priority": "p9"})
    functions.api("PATCH", "/v2/services/1", {"priority": "p1"}, if_match='"v7"')
    assert listed(functions) == []


@pytest.mark.parametrize("said", ["", " ", "x" * 256, "a\x07b"])
def test_an_actor_that_is_no_name_is_the_keys(functions: Functions, database: Database, said: str) -> None:
    a_service(database)
    functions.api("PATCH", "/v2/services/1", {"runbook": "new"}, x_actor=said)
    assert listed(functions)[0]["actor"] == "admin testadmin"


def test_a_service_is_put_back_once_and_that_is_kept_too(functions: Functions, database: Database) -> None:
    a_service(database, runbook="old", team="infra", tags=("eu",), every_seconds=60)
    before = functions.api("GET", "/v2/services/1").json["results"]
    change = {"runbook": "new", "team": "other", "tags": [], "priority": "p1", "ping_filter": {"post_only": True}}
    functions.api("PATCH", "/v2/services/1", change | {"schedule": {"every_seconds": 90}})
    functions.api("POST", "/v2/services/1/pause")
    functions.api("POST", "/v2/services/1/mute")
    first = listed(functions)[-1]["snapshot_id"]
    restored = functions.api("POST", f"/v2/snapshots/{first}/restore", x_actor="Ada")
    after = restored.json["results"]
    assert restored.status == 200
    assert {name for name in after if after[name] != before[name]} <= {"updated_at", "next_deadline_at"}
    newest, *_, oldest = listed(functions)
    assert (newest["action_type"], newest["snapshot_data"]["runbook"]) == ("restore", "new")
    assert (oldest["restored_by"], oldest["restored_at"] is not None) == ("Ada", True)
    again = functions.api("POST", f"/v2/snapshots/{first}/restore")
    assert (again.status, "restored already" in again.json["message"]) == (409, True)
    undone = functions.api("POST", f"/v2/snapshots/{newest['snapshot_id']}/restore").json["results"]
    assert (undone["runbook"], undone["status"], undone["muted_until"] is not None) == ("new", "paused", True)
    assert functions.api("POST", "/v2/snapshots/999/restore").status == 404


def test_putting_back_what_is_not_the_schedule_leaves_the_deadline(functions: Functions, database: Database) -> None:
    a_service(database)
    hears(database)
    functions.api("PATCH", "/v2/services/1", {"runbook": "new"})
    before = functions.api("GET", "/v2/services/1").json["results"]["next_deadline_at"]
    after = functions.api("POST", "/v2/snapshots/1/restore").json["results"]
    assert (after["runbook"], after["next_deadline_at"]) == ("", before)


@pytest.mark.parametrize("paused", [False, True])
def test_a_deleted_service_comes_back_with_its_id_and_its_ping_url(
    functions: Functions, database: Database, *, paused: bool
) -> None:
    a_service(database, runbook="old", team="infra")
    url = str(ping_id(database, 1))
    if paused:
        functions.api("POST", "/v2/services/1/pause")
    functions.api("DELETE", "/v2/services/1")
    assert functions.ping(url).status == 404
    restored = functions.api("POST", f"/v2/snapshots/{listed(functions)[0]['snapshot_id']}/restore")
    service = restored.json["results"]
    assert (restored.status, service["service_id"], service["runbook"], service["team"]) == (200, 1, "old", "infra")
    assert (service["status"], service["next_deadline_at"] is None) == (("paused", True) if paused else ("new", False))
    assert functions.ping(url).status == 200
    assert rows(database, "SELECT count(*) FROM medic.services") == [(1,)]


def test_a_deleted_service_whose_name_is_taken_stays_deleted(functions: Functions, database: Database) -> None:
    a_service(database)
    functions.api("DELETE", "/v2/services/1")
    a_service(database)
    reply = functions.api("POST", "/v2/snapshots/1/restore")
    assert (reply.status, "another service has its name" in reply.json["message"]) == (409, True)
    assert listed(functions)[0]["restored_at"] is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [4, 3, 2, 1]),
        ("service_id=2", [3]),
        ("service_id=9", []),
        ("action_type=mute", [2]),
        ("limit=3", [4, 3, 2]),
        ("limit=3&cursor=2", [1]),
        ("start_date=2020-01-01T00:00:00Z&end_date=2999-01-01T00:00:00Z", [4, 3, 2, 1]),
        ("start_date=2999-01-01T00:00:00Z", []),
        ("end_date=2020-01-01T00:00:00%2B02:00", []),
    ],
)
def test_snapshots_are_found(functions: Functions, database: Database, query: str, expected: list[int]) -> None:
    a_service(database, "one")
    a_service(database, "two")
    functions.api("PATCH", "/v2/services/1", {"runbook": "x"})
    functions.api("POST", "/v2/services/1/mute")
    functions.api("PATCH", "/v2/services/2", {"runbook": "x"})
    functions.api("DELETE", "/v2/services/1")
    assert [one["snapshot_id"] for one in listed(functions, query)] == expected


@pytest.mark.parametrize(
    "query",
    ["service_id=x", "action_type=explode", "start_date=yesterday", "start_date=0.5", "start_date=2026-01-01",
     "start_date=2026-01-02T00:00:00Z&end_date=2026-01-01T00:00:00Z", "end_date=0001-01-01T00:00:00Z", "limit=1000",
     "offset=5", "cursor=abc"],
)  # fmt: skip
def test_hostile_queries_are_refused(functions: Functions, query: str) -> None:
    assert functions.api("GET", f"/v2/snapshots?{query}").status == 400


@pytest.mark.parametrize("deleted", [False, True])
def test_working_hours_that_are_gone_are_not_missed(functions: Functions, database: Database, *, deleted: bool) -> None:
    a_service(database)
    functions.api("POST", "/v2/schedules", {"name": "office", "hours": {}})
    functions.api("PATCH", "/v2/services/1", {"working_hours_id": 1})
    functions.api("PATCH", "/v2/services/1", {"notification_mode": "notify_until_success", "working_hours_id": None})
    if deleted:
        functions.api("DELETE", "/v2/services/1")
    functions.api("DELETE", "/v2/schedules/1")
    restored = functions.api("POST", f"/v2/snapshots/{3 if deleted else 2}/restore")
    assert restored.status == 200, restored.body
    service = restored.json["results"]
    mode = "notify_until_success" if deleted else "notify_all"
    assert (service["working_hours_id"], service["notification_mode"]) == (None, mode)
