"""/v2/services: found, changed by several people at once, muted, paused, many at once, deleted and brought back."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Any

import pytest

from medic_core.domain.watching.signals import SignalKind
from medic_core.flows.sweep import sweep
from medic_core.store.connection import Database
from tests.builders import a_service, hears, ping_id, rows, time_passes
from tests.fixtures.functions import Functions

MINUTE = timedelta(minutes=1)


def names(functions: Functions, query: str = "") -> list[str]:
    reply = functions.api("GET", f"/v2/services?{query}")
    assert reply.status == 200, reply.body
    return [item["heartbeat_name"] for item in reply.json["results"]["items"]]


def read(functions: Functions, service_id: int) -> dict[str, Any]:
    found: dict[str, Any] = functions.api("GET", f"/v2/services/{service_id}").json["results"]
    return found


def swept(database: Database, by: timedelta = timedelta(0)) -> int:
    time_passes(database, by)
    return sweep(database, 0, timedelta(seconds=15)).opened


@pytest.fixture
def fleet(functions: Functions, database: Database) -> dict[str, int]:
    found = {
        name: a_service(database, name, team=team, priority=priority, tags=tags)
        for name, team, priority, tags in (
            ("web-1", "infra", "p1", ("eu", "web")),
            ("web-2", "infra", "p2", ("us", "web")),
            ("Batch_10%", "data", "p3", ("eu",)),
            ("batch-11", None, "p3", ()),
        )
    }
    hears(database, "web-1")
    hears(database, "web-2", SignalKind.DOWN)
    return found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["web-1", "web-2", "Batch_10%", "batch-11"]),
        ("name=web-*", ["web-1", "web-2"]),
        ("name=WEB-%3F", ["web-1", "web-2"]),
        ("name=batch*", ["Batch_10%", "batch-11"]),
        ("name=*10%25", ["Batch_10%"]),
        ("name=batch_*", ["Batch_10%"]),
        ("name=*", ["web-1", "web-2", "Batch_10%", "batch-11"]),
        ("name=nothing", []),
        ("status=up", ["web-1"]),
        ("status=down&status=up", ["web-1", "web-2"]),
        ("status=new", ["Batch_10%", "batch-11"]),
        ("team=INFRA", ["web-1", "web-2"]),
        ("team=nobody", []),
        ("tag=eu", ["web-1", "Batch_10%"]),
        ("tag=eu&tag=web", ["web-1"]),
        ("priority=p1&priority=p3", ["web-1", "Batch_10%", "batch-11"]),
        ("active=true", ["web-1", "web-2", "Batch_10%", "batch-11"]),
        ("active=false", []),
        ("muted=false", ["web-1", "web-2", "Batch_10%", "batch-11"]),
        ("sort=-service_id", ["batch-11", "Batch_10%", "web-2", "web-1"]),
        ("sort=heartbeat_name", ["batch-11", "Batch_10%", "web-1", "web-2"]),
        ("sort=-priority", ["batch-11", "Batch_10%", "web-2", "web-1"]),
        ("sort=status&name=web*", ["web-2", "web-1"]),
        ("sort=-last_heartbeat_at&limit=1", ["web-1"]),
        ("sort=next_deadline_at&status=up", ["web-1"]),
    ],
)
def test_services_are_found(functions: Functions, fleet: dict[str, int], query: str, expected: list[str]) -> None:
    assert names(functions, query) == expected


@pytest.mark.parametrize(
    "sort",
    ["service_id", "heartbeat_name", "priority", "status", "created_at", "last_heartbeat_at", "next_deadline_at"],
)
@pytest.mark.parametrize("way", ["", "-"])
def test_pages_join_to_the_whole_list(functions: Functions, fleet: dict[str, int], sort: str, way: str) -> None:
    whole, seen, query = names(functions, f"sort={way}{sort}"), [], f"sort={way}{sort}&limit=1"
    cursor: str | None = ""
    while cursor is not None:
        page = functions.api("GET", f"/v2/services?{query}{cursor}").json["results"]
        seen += [item["heartbeat_name"] for item in page["items"]]
        assert (page["cursor"] is not None) == page["has_more"]
        cursor = f"&cursor={page['cursor']}" if page["has_more"] else None
    assert (seen, len(seen)) == (whole, 4)


def forged(*parts: Any) -> str:
    return urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=251",
        "limit=many",
        "limit=1&limit=2",
        "sort=secret",
        "sort=--service_id",
        "sort=heartbeat_name;drop",
        "status=broken",
        "priority=p6",
        "active=perhaps",
        "team_id=0",
        "team_id=99999999999999999999999",
        "team_id=1&team=infra",
        "active=true&status=paused",
        "active=false&status=up",
        "tag=",
        "name=%00",
        "unknown=1",
        "Limit=1",
        "cursor=x",
        "cursor=" + "A" * 1001,
        "cursor=" + "A" * 900,
        "cursor=%00%FF",
        "cursor=" + forged("service_id", "1", -1),
        "cursor=" + forged("service_id", "1", 2**80),
        "cursor=" + forged("service_id", "1", True),
        "cursor=" + forged("service_id", "one", 1),
        "cursor=" + forged("service_id", None, 1),
        "cursor=" + forged("service_id", "\ud800", 1),
        "cursor=" + forged("heartbeat_name", "a", 1),
        "cursor=" + forged("service_id"),
        "cursor=" + urlsafe_b64encode(b"[" * 700).decode(),
        "sort=created_at&cursor=" + forged("created_at", "yesterday or so", 1),
        "sort=created_at&cursor=" + forged("created_at", "2026-99-99", 1),
        "sort=heartbeat_name&cursor=" + forged("heartbeat_name", "a\0b", 1),
    ],
)
def test_hostile_queries_are_refused(functions: Functions, fleet: dict[str, int], query: str) -> None:
    reply = functions.api("GET", f"/v2/services?{query}")
    assert (reply.status, reply.json["success"]) == (400, False), reply.body


@pytest.mark.parametrize(
    "service_id", ["0", "-1", "x", "1.5", str(2**53), str(2**63), str(2**64), "9" * 5000, "%31%00"]
)
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_what_is_no_id_is_refused(functions: Functions, method: str, service_id: str) -> None:
    body = {} if method == "PATCH" else None
    assert functions.api(method, f"/v2/services/{service_id}", body).status in {400, 404}


def test_an_etag_makes_sure_that_nobody_else_changed_it(functions: Functions, fleet: dict[str, int]) -> None:
    path = f"/v2/services/{fleet['web-1']}"
    etag = functions.api("GET", path).headers["ETag"]
    changed = functions.api("PATCH", path, {"runbook": "one"}, if_match=etag)
    assert (changed.status, changed.headers["ETag"] != etag) == (200, True)
    stale = functions.api("PATCH", path, {"runbook": "two"}, if_match=etag)
    assert (stale.status, stale.json["message"]) == (412, "It has been changed since you read it: read it again.")
    assert functions.api("DELETE", path, if_match=etag).status == 412
    assert functions.api("POST", f"{path}/mute", {}, if_match=etag).status == 412
    assert read(functions, fleet["web-1"])["runbook"] == "one"
    # A heartbeat is no change of the configuration.
    hears(functions.module("door").DATABASE, "web-1")
    assert functions.api("PATCH", path, {"runbook": "three"}, if_match=changed.headers["ETag"]).status == 200
    assert functions.api("PATCH", path, {"runbook": "four"}, if_match="*").status == 200
    for none in ("v1", '"1"', 'W/"v1"', '"v1", "v2"', '""', '"v99999999999999999999"'):
        assert functions.api("PATCH", path, {"runbook": "five"}, if_match=none).status == 400
    assert functions.api("DELETE", path, if_match=functions.api("GET", path).headers["ETag"]).status == 200


@pytest.mark.parametrize(
    "change",
    [
        {"service_id": 5},
        {"heartbeat_name": "other"},
        {"ping_url": "x"},
        {"status": "up"},
        {"version": 3},
        {"created_at": "2020-01-01T00:00:00Z"},
        {"last_heartbeat_at": None},
        {"unknown": 1},
        {"service_name": None},
        {"priority": None},
        {"schedule": None},
        {"tags": ["two words"]},
        {"tags": ["a,b"]},
        {"tags": ["x"] * 21},
        {"team_id": 999},
        {"team_id": 1, "team": "infra"},
        {"runbook": "x" * 2001},
        {"grace_period_seconds": 1.5},
        {"grace_period_seconds": "5"},
        {"grace_period_seconds": True},
    ],
)
def test_a_change_of_what_cannot_be_changed_is_refused(
    functions: Functions, fleet: dict[str, int], change: dict[str, Any]
) -> None:
    path = f"/v2/services/{fleet['web-1']}"
    before = functions.api("GET", path)
    reply = functions.api("PATCH", path, change)
    assert (reply.status, next(iter(change)) in reply.json["message"]) == (400, True), reply.body
    assert functions.api("GET", path).headers["ETag"] == before.headers["ETag"]


def test_a_change_changes_what_was_sent_and_nothing_else(functions: Functions, fleet: dict[str, int]) -> None:
    before = read(functions, fleet["web-1"])
    change = {
        "service_name": "The web",
        "schedule": {"kind": "interval", "every_seconds": 30.0, "threshold": 2},
        "max_duration_ms": 5000,
        "team": "new team",
        "tags": ["b", "a", "b"],
        "ping_filter": {"post_only": True},
    }
    after = functions.api("PATCH", f"/v2/services/{fleet['web-1']}", change).json["results"]
    different = {name for name in after if after[name] != before[name]}
    assert different - {"updated_at", "next_deadline_at"} == {*change, "team_id"}
    assert (after["tags"], after["schedule"]["every_seconds"]) == (["a", "b"], 30)
    cleared = functions.api("PATCH", f"/v2/services/{fleet['web-1']}", {"max_duration_ms": None, "team_id": None})
    assert (cleared.json["results"]["max_duration_ms"], cleared.json["results"]["team"]) == (None, None)


def test_a_mute_ends_when_it_was_said_to(functions: Functions, database: Database) -> None:
    service_id = a_service(database)
    path = f"/v2/services/{service_id}"
    hears(database)
    until = rows(database, "SELECT to_char(now() + interval '10 minutes', 'YYYY-MM-DD\"T\"HH24:MI:SSOF:00')")[0][0]
    muted = functions.api("POST", f"{path}/mute", {"until": until, "reason": "moving house"}).json["results"]
    assert (muted["muted_until"] is not None, muted["mute_reason"]) == (True, "moving house")
    assert names(functions, "muted=true") == ["nightly-backup"]
    assert swept(database, 2 * MINUTE) == 1
    assert functions.route_notifications() == 0
    unmuted = functions.api("POST", f"{path}/unmute").json["results"]
    assert (unmuted["muted_until"], unmuted["mute_reason"]) == (None, None)
    assert functions.api("POST", f"{path}/mute").json["results"]["muted_until"] is not None
    for wrong in ({"until": "2020-01-01T00:00:00Z"}, {"until": "2999-01-01T00:00:00Z"}, {"until": 5}, {"for": 5}):
        assert functions.api("POST", f"{path}/mute", wrong).status == 400


def test_a_paused_service_is_heard_and_not_watched(functions: Functions, database: Database) -> None:
    service_id = a_service(database)
    path = f"/v2/services/{service_id}"
    hears(database)
    assert swept(database, 2 * MINUTE) == 1
    paused = functions.api("POST", f"{path}/pause").json["results"]
    assert (paused["status"], paused["next_deadline_at"]) == ("paused", None)
    assert functions.api("GET", "/v2/alerts?active=true").json["results"]["items"] == []
    for kind in (
        SignalKind.UP,
        SignalKind.DOWN,
        SignalKind.FAILED,
        SignalKind.STARTED,
        SignalKind.STARTED,
        SignalKind.LOG,
    ):
        hears(database, kind=kind)
    assert swept(database, 10 * MINUTE) == 0
    assert read(functions, service_id)["status"] == "paused"
    assert read(functions, service_id)["last_heartbeat_at"] is not None
    assert rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(7,)]
    resumed = functions.api("POST", f"{path}/resume").json["results"]
    assert (resumed["status"], resumed["next_deadline_at"] is not None) == ("up", True)
    assert swept(database, MINUTE / 2) == 0
    assert swept(database, MINUTE) == 1


@pytest.mark.parametrize(
    ("kind", "status"), [(SignalKind.UP, "up"), (SignalKind.DOWN, "down"), (SignalKind.STARTED, "up")]
)
def test_a_paused_service_can_resume_when_it_is_heard(
    functions: Functions, database: Database, kind: SignalKind, status: str
) -> None:
    service_id = a_service(database)
    hears(database)
    functions.api("POST", f"/v2/services/{service_id}/pause", {"resume_on_heartbeat": True})
    hears(database, kind=SignalKind.LOG)
    assert read(functions, service_id)["status"] == "paused"
    assert swept(database, 10 * MINUTE) == 0
    hears(database, kind=kind)
    after = read(functions, service_id)
    assert (after["status"], after["paused_at"], after["resume_on_heartbeat"]) == (status, None, False)
    assert swept(database, 2 * MINUTE) == (0 if kind is SignalKind.DOWN else 1)


def test_v1_activates_what_v2_paused(functions: Functions, database: Database) -> None:
    service_id = a_service(database)
    functions.api("POST", f"/v2/services/{service_id}/pause")
    functions.api("POST", "/service/nightly-backup", {"active": 1})
    assert read(functions, service_id)["status"] == "new"
    functions.api("POST", "/service/nightly-backup", {"active": 0})
    assert (read(functions, service_id)["status"], read(functions, service_id)["active"]) == ("paused", False)
    functions.api("POST", f"/v2/services/{service_id}/resume")
    assert (read(functions, service_id)["status"], read(functions, service_id)["active"]) == ("new", True)


def test_a_new_ping_url_ends_the_old_one(functions: Functions, database: Database) -> None:
    service_id = a_service(database)
    old = str(ping_id(database, service_id))
    assert functions.ping(old).status == 200
    changed = functions.api("POST", f"/v2/services/{service_id}/rotate-ping-key").json["results"]
    new = changed["ping_url"].rpartition("/")[2]
    assert [functions.ping(one).status for one in (old, new)] == [404, 200]


def test_who_may_only_read_is_not_shown_ping_urls(functions: Functions, database: Database) -> None:
    a_service(database)
    functions.api("POST", "/v2/services/1/mute")
    secret = str(ping_id(database, 1))
    for scope, sees in (("read", False), ("admin", True)):
        made = functions.api("POST", "/v2/api-keys", {"name": scope, "scopes": [scope]}).json["results"]["api_key"]
        for target in ("/v2/services", "/v2/services/1", "/service", "/service/nightly-backup"):
            assert (secret in functions.api("GET", target, key=made).body) == sees
        assert secret not in functions.api("GET", "/v2/snapshots", key=made).body


def test_many_are_changed_at_once_and_each_says_how_it_went(functions: Functions, fleet: dict[str, int]) -> None:
    ids = [fleet["web-1"], 999, fleet["web-2"], fleet["web-1"]]
    reply = functions.api(
        "POST", "/v2/services/bulk", {"action": "edit", "service_ids": ids, "changes": {"priority": "p5"}}
    )
    results = reply.json["results"]
    assert (reply.status, results["succeeded"], results["failed"]) == (200, 2, 1)
    assert [(item["service_id"], item["success"]) for item in results["items"]] == [
        (fleet["web-1"], True),
        (999, False),
        (fleet["web-2"], True),
    ]
    assert results["items"][1]["message"] == "No service has this id."
    assert names(functions, "priority=p5") == ["web-1", "web-2"]
    snapshots = functions.api("GET", "/v2/snapshots").json["results"]["items"]
    assert [one["action_type"] for one in snapshots] == ["bulk_edit", "bulk_edit"]
    for action, query in (("mute", "muted=true"), ("pause", "status=paused")):
        functions.api("POST", "/v2/services/bulk", {"action": action, "service_ids": list(fleet.values())})
        assert len(names(functions, query)) == 4
    functions.api("POST", "/v2/services/bulk", {"action": "resume", "service_ids": list(fleet.values())})
    functions.api("POST", "/v2/services/bulk", {"action": "unmute", "service_ids": list(fleet.values())})
    assert len(names(functions, "active=true&muted=false")) == 4
    functions.api("POST", "/v2/services/bulk", {"action": "delete", "service_ids": list(fleet.values())})
    assert names(functions) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": "edit", "service_ids": [1]},
        {"action": "edit", "service_ids": [], "changes": {}},
        {"action": "edit", "service_ids": [1], "changes": {"priority": "p9"}},
        {"action": "explode", "service_ids": [1]},
        {"action": "delete", "service_ids": [0]},
        {"action": "delete", "service_ids": ["1"]},
        {"action": "delete", "service_ids": [2**60]},
        {"action": "delete", "service_ids": list(range(1, 252))},
        {"action": "delete", "service_ids": [1], "changes": {}},
        {"action": "pause", "service_ids": [1], "resume_on_heartbeat": "yes"},
    ],
)
def test_what_cannot_be_done_to_many_is_done_to_none(
    functions: Functions, fleet: dict[str, int], body: dict[str, Any]
) -> None:
    assert functions.api("POST", "/v2/services/bulk", body).status == 400
    assert len(names(functions)) == 4


def test_a_deleted_service_is_gone_and_its_alert_ends_and_is_told(functions: Functions, database: Database) -> None:
    service_id = a_service(database)
    url = str(ping_id(database, service_id))
    hears(database)
    assert swept(database, 2 * MINUTE) == 1
    assert functions.api("DELETE", f"/v2/services/{service_id}").status == 200
    assert functions.api("GET", f"/v2/services/{service_id}").status == 404
    assert functions.api("DELETE", f"/v2/services/{service_id}").status == 404
    assert functions.ping(url).status == 404
    (alert,) = functions.api("GET", "/v2/alerts").json["results"]["items"]
    assert (alert["status"], alert["service_id"], alert["heartbeat_name"]) == ("resolved", None, "nightly-backup")
    for table in ("service_state", "heartbeat_events", "job_runs"):
        assert rows(database, f"SELECT count(*) FROM medic.{table}") == [(0,)]
    # That it was silent, and that it is over.
    assert functions.route_notifications() == 2


def test_history_is_read_newest_first(functions: Functions, database: Database) -> None:
    service_id = a_service(database)
    for number in range(6):
        hears(database, kind=SignalKind.STARTED, run_id=f"run-{number}")
        time_passes(database, MINUTE * (number + 1) / 60)
        hears(database, kind=SignalKind.COMPLETED, run_id=f"run-{number}")
    hears(database, kind=SignalKind.FAILED, run_id="run-6")
    path = f"/v2/services/{service_id}"
    kinds = [item["status"] for item in functions.api("GET", f"{path}/heartbeats?limit=3").json["results"]["items"]]
    assert kinds == ["FAILED", "COMPLETED", "STARTED"]
    seen, cursor = [], ""
    while cursor is not None:
        page = functions.api("GET", f"{path}/heartbeats?limit=5&status=COMPLETED&status=FAILED{cursor}").json["results"]
        seen += [item["run_id"] for item in page["items"]]
        cursor = f"&cursor={page['cursor']}" if page["has_more"] else None
    assert seen == [f"run-{number}" for number in (6, 5, 4, 3, 2, 1, 0)]
    runs = functions.api("GET", f"{path}/runs?limit=2").json["results"]
    assert [run["run_id"] for run in runs["items"]] == ["run-6", "run-5"]
    more = functions.api("GET", f"{path}/runs?limit=2&cursor={runs['cursor']}").json["results"]["items"]
    assert [run["run_id"] for run in more] == ["run-4", "run-3"]
    stats = functions.api("GET", f"{path}/stats").json["results"]
    assert (stats["run_count"], stats["min_duration_ms"] // 1000, stats["max_duration_ms"] // 1000) == (6, 1, 6)
    assert 3400 <= stats["p50_duration_ms"] <= 3700
    for wrong in (
        "heartbeats?cursor=x",
        "runs?cursor=x",
        "runs?status=DONE",
        "heartbeats?cursor=" + forged("-received_at", "x", 1),
    ):
        assert functions.api("GET", f"{path}/{wrong}").status == 400
    assert [functions.api("GET", f"/v2/services/999/{what}").status for what in ("heartbeats", "runs", "stats")] == [
        404
    ] * 3


def test_few_runs_make_no_statistics(functions: Functions, database: Database) -> None:
    service_id = a_service(database)
    for _ in range(4):
        hears(database, kind=SignalKind.COMPLETED)
    stats = functions.api("GET", f"/v2/services/{service_id}/stats").json["results"]
    assert stats.pop("run_count") == 4
    assert stats.pop("service_id") == service_id
    assert set(stats.values()) == {None}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_json_is_read_in_every_encoding_that_json_may_have(functions: Functions, encoding: str) -> None:
    body = json.dumps({"heartbeat_name": "Überwachung", "schedule": {"every_seconds": 60}}, ensure_ascii=False)
    created = functions.api("POST", "/v2/services", body.encode(encoding), content_type="application/octet-stream")
    assert (created.status, created.json["results"]["heartbeat_name"]) == (201, "Überwachung")


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b'{"runbook": "\xff"}',
        '{"runbook": "\\ud800"}',
        '{"runbook": "\\u0000"}',
        '{"runbook": NaN}',
        '{"grace_period_seconds": Infinity}',
        '{"grace_period_seconds": 1e400}',
        '{"grace_period_seconds": ' + "9" * 5000 + "}",
        '{"tags": ' + "[" * 5000 + "]" * 5000 + "}",
        '{"a": ' * 5000 + "1" + "}" * 5000,
        "[]",
        "null",
        '"text"',
        "runbook=x",
        "",
    ],
)
@pytest.mark.parametrize(
    "kind", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_hostile_bodies_are_refused(functions: Functions, database: Database, body: str | bytes, kind: str) -> None:
    a_service(database)
    for method, path in (("PATCH", "/v2/services/1"), ("POST", "/v2/services"), ("POST", "/v2/api-keys")):
        assert functions.api(method, path, body, content_type=kind).status == 400, (method, path)


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "=cmd|'/C calc'!A0", "{{7*7}}", "a\u202eb", "'; DROP TABLE x; --"]
)
def test_hostile_texts_are_data(functions: Functions, text: str) -> None:
    body = {"heartbeat_name": text, "service_name": text, "runbook": text, "schedule": {"every_seconds": 60}}
    created = functions.api("POST", "/v2/services", body)
    assert created.status == 201
    assert created.headers["Content-Type"] == "application/json"
    assert created.headers["X-Content-Type-Options"] == "nosniff"
    found = read(functions, created.json["results"]["service_id"])
    assert (found["heartbeat_name"], found["service_name"], found["runbook"]) == (text, text, text)
