"""What was made public is seen by everybody, as a page and as badges, and nothing else is."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest

from medic_core.domain.watching.signals import SignalKind
from medic_core.flows import maintain
from medic_core.flows.sweep import sweep
from medic_core.store import connection
from medic_core.store.connection import Database
from tests.builders import a_service, hears, ping_id, rows, time_passes
from tests.fixtures.dashboard import Dashboard
from tests.fixtures.functions import Functions, Reply

SVG = "{http://www.w3.org/2000/svg}"
PARTS = {"svg", "title", "clipPath", "rect", "g", "text"}
HOSTILE = "<script>alert(1)</script>\"'&]]>{{7*7}}"


def seen(functions: Functions, path: str, **headers: str) -> Reply:
    """What somebody without a key and without a session gets."""
    return functions.api("GET", path, key=None, **headers)


def a_public(database: Database, name: str, page: str = "acme", **wanted: Any) -> int:
    return a_service(database, name, status_page=page, **wanted)


def falls_silent(database: Database, name: str) -> None:
    hears(database, name)
    time_passes(database, timedelta(minutes=2))
    sweep(database, 0, timedelta(seconds=15))


def said(functions: Functions, path: str) -> tuple[str, str]:
    found = seen(functions, f"{path}/badge.json").json
    return found["state"], found["message"]


def test_nobody_sees_what_was_not_made_public(functions: Functions, database: Database) -> None:
    a_service(database, "nightly-backup")
    a_public(database, "worker")
    page = seen(functions, "/status/acme")
    assert page.status == 200
    assert "worker" in page.body
    assert "nightly-backup" not in page.body
    for path in ("/status/nightly-backup", "/status/None", "/status/null", "/status/acme/nightly-backup/badge.svg"):
        assert seen(functions, path).status == 404


def test_a_page_tells_how_its_services_do(functions: Functions, database: Database) -> None:
    a_public(database, "worker")
    a_public(database, "mailer", service_name="Mails")
    hears(database, "worker")
    hears(database, "mailer")
    page = seen(functions, "/status/acme")
    assert "All is well" in page.body
    assert "2 operational" in page.body
    assert page.headers["Cache-Control"] == "public, max-age=15"
    assert "no-store" not in str(page.headers)
    assert "noindex" in page.headers["X-Robots-Tag"]
    falls_silent(database, "worker")
    page = seen(functions, "/status/acme").body
    assert "Something is wrong" in page
    assert re.search(r"Down</span> <span class=\"quiet\">since <time", page)
    hears(database, "worker")
    hears(database, "mailer")
    page = seen(functions, "/status/acme").body
    assert "All is well" in page
    assert re.search(r"Operational</span> <span class=\"quiet\">since <time", page)
    assert re.search(r"<b>\d\d?\.\d\d %</b>", page)


def test_nothing_is_told_but_names_states_and_times(functions: Functions, database: Database) -> None:
    service_id = a_public(
        database,
        "db-7.internal",
        service_name="Database",
        team="infra",
        runbook="https://runbooks.example/secret",
        tags=("eu-tag",),
        priority="p1",
    )
    falls_silent(database, "db-7.internal")
    functions.api("POST", f"/v2/services/{service_id}/mute", {"reason": "mute-reason"})
    secrets = ["db-7", "infra", "runbooks", "eu-tag", str(ping_id(database, service_id)), "mute-reason", "missed"]
    answers = [
        seen(functions, f"/status/acme{rest}").body
        for rest in ("", "/badge.svg", "/badge.json", "/shields.json", "/database/badge.svg", "/database/badge.json")
    ]
    answers.append(seen(functions, "/status/acme", x_fragment="live").body)
    for answer in answers:
        assert [secret for secret in secrets if secret in answer] == []
    assert json.loads(answers[2]).keys() == {"label", "state", "message", "services"}


def test_each_state_is_told(functions: Functions, database: Database) -> None:
    for name in ("new", "up", "late", "down", "paused", "slow", "ill", "busy"):
        a_public(database, name, max_duration_ms=1000 if name == "slow" else None, grace_period_seconds=3600)
    hears(database, "late")
    time_passes(database, timedelta(minutes=2))
    hears(database, "slow", SignalKind.STARTED, run_id="a")
    time_passes(database, timedelta(seconds=10))
    hears(database, "slow", SignalKind.COMPLETED, run_id="a")
    for name, kind in (("up", SignalKind.UP), ("down", SignalKind.DOWN), ("ill", SignalKind.DEGRADED)):
        hears(database, name, kind)
    functions.api("POST", "/v2/services/5/pause")
    with database.transaction() as tx:
        now = connection.now(tx)
        window = {"start_time": now, "end_time": now + timedelta(hours=1), "recurrence": None, "timezone": "UTC"}
        maintain.create(tx, {"name": "move-the-racks", "service_ids": [8], **window}, "a person")
    told = {name: said(functions, f"/status/acme/{name}") for name in ("new", "up", "late", "down", "paused")}
    assert told == {
        "new": ("new", "not heard yet"),
        "up": ("up", "operational"),
        "late": ("late", "late"),
        "down": ("down", "down"),
        "paused": ("paused", "paused"),
    }
    assert said(functions, "/status/acme/slow") == ("degraded", "degraded")
    assert said(functions, "/status/acme/ill") == ("degraded", "degraded")
    assert said(functions, "/status/acme/busy") == ("maintenance", "under maintenance")
    assert said(functions, "/status/acme") == ("down", "1 of 8 down")
    page = seen(functions, "/status/acme").body
    assert "1 down, 1 late, 2 degraded, 1 not heard yet, 1 under maintenance, 1 paused, 1 operational" in page
    assert re.search(r"Under maintenance</span> <span class=\"quiet\">until <time", page)
    assert "move-the-racks" not in page


def test_a_page_is_renewed_without_a_session(functions: Functions, database: Database) -> None:
    a_public(database, "worker")
    hears(database, "worker")
    whole = seen(functions, "/status/acme")
    assert "X-Fragment" in whole.headers["Vary"]
    part = seen(functions, "/status/acme", x_fragment="live")
    assert part.status == 200
    assert "<html" not in part.body
    assert part.body.strip() in whole.body
    assert part.headers["Cache-Control"] == "no-store"
    again = seen(functions, "/status/acme", x_fragment="live", if_none_match=part.headers["ETag"])
    assert (again.status, again.body) == (304, "")
    falls_silent(database, "worker")
    changed = seen(functions, "/status/acme", x_fragment="live", if_none_match=part.headers["ETag"])
    assert (changed.status, "Something is wrong" in changed.body) == (200, True)


def test_a_large_page_is_shown_in_parts_and_judged_as_a_whole(functions: Functions, database: Database) -> None:
    for number in range(103):
        a_public(database, f"worker-{number:03}")
    hears(database, "worker-102", SignalKind.DOWN)
    first = seen(functions, "/status/acme")
    assert "Something is wrong" in first.body
    assert first.body.count("<h2>") == 100
    assert len(first.body) < 80_000
    second = seen(functions, "/status/acme?from=100").body
    assert re.findall(r"<h2>(.*)</h2>", second) == ["worker-100", "worker-101", "worker-102"]
    for wrong in ("-1", "x", "9" * 30, "%00", ""):
        assert seen(functions, f"/status/acme?from={wrong}").body.count("<h2>") == 100
    assert seen(functions, "/status/acme?from=9999").status == 404


@pytest.mark.parametrize("path", ["/status/acme", "/status/acme/worker"])
def test_badges_are_for_pages_of_others(functions: Functions, database: Database, path: str) -> None:
    a_public(database, "worker")
    hears(database, "worker")
    label = path.rpartition("/")[2]
    drawn = seen(functions, f"{path}/badge.svg")
    assert drawn.headers["Content-Type"] == "image/svg+xml"
    picture = ElementTree.fromstring(drawn.body)
    assert picture.get("role") == "img"
    assert picture.findtext(f"{SVG}title") == f"{label}: operational"
    shields = seen(functions, f"{path}/shields.json").json
    assert shields == {"schemaVersion": 1, "label": label, "message": "operational", "color": "#0b6b3a"}
    for name in ("badge.svg", "badge.json", "shields.json"):
        reply = seen(functions, f"{path}/{name}")
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        assert reply.headers["Cache-Control"] == "public, max-age=30"
    before = drawn.headers["ETag"]
    same = seen(functions, f"{path}/badge.svg", if_none_match=before)
    assert (same.status, same.body) == (304, "")
    hears(database, "worker", SignalKind.DOWN)
    assert seen(functions, f"{path}/badge.svg", if_none_match=before).status == 200


def test_services_of_one_name_share_a_badge_that_hides_no_trouble(functions: Functions, database: Database) -> None:
    for name in ("one", "two"):
        a_public(database, name, service_name="API (EU)")
        hears(database, name)
    assert said(functions, "/status/acme/api-eu") == ("up", "operational")
    hears(database, "two", SignalKind.DOWN)
    assert said(functions, "/status/acme/api-eu") == ("down", "1 of 2 down")


@pytest.mark.parametrize("name", [HOSTILE, "夜间 备份", "Größe & Co", "a\u202eb\u200d", "\ufffe\x85", "x" * 200])
def test_no_name_breaks_out_of_what_shows_it(functions: Functions, database: Database, name: str) -> None:
    a_public(database, "worker", service_name=name)
    page = seen(functions, "/status/acme").body
    assert "<script>alert" not in page
    address = re.search(r"[\w-]+", functions.module("dashboard.rendering").address_of(name))
    assert address is not None
    for path in ("/status/acme", f"/status/acme/{quote(address[0])}"):
        drawn = seen(functions, f"{path}/badge.svg")
        assert drawn.status == 200
        picture = ElementTree.fromstring(drawn.body)
        assert {one.tag.removeprefix(SVG) for one in picture.iter()} == PARTS
        assert drawn.headers["Content-Security-Policy"] == "default-src 'none'"
        assert seen(functions, f"{path}/shields.json").json["message"] == "not heard yet"
    assert seen(functions, f"/status/acme/{quote(address[0])}/badge.json").json["label"] == name


@pytest.mark.parametrize("page", ["nope", "ACME", "a.b", "a%00b", "a" * 300, "%F0%9F%92%A9", "..", "'; DROP--"])
def test_what_is_not_there_is_not_found(functions: Functions, database: Database, page: str) -> None:
    a_public(database, "worker")
    reply = seen(functions, f"/status/{page}")
    assert (reply.status, reply.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    for name in ("badge.svg", "badge.json", "shields.json", "worker/badge.json"):
        reply = seen(functions, f"/status/{page}/{name}")
        assert (reply.status, reply.json["success"]) == (404, False)


def test_a_service_goes_onto_a_page_and_off_it_over_the_api(functions: Functions, database: Database) -> None:
    body = {"heartbeat_name": "worker", "schedule": {"every_seconds": 60}, "status_page": "acme"}
    made = functions.api("POST", "/v2/services", body)
    assert (made.status, made.json["results"]["status_page"]) == (201, "acme")
    assert functions.api("PATCH", "/v2/services/1", {"runbook": "x"}).json["results"]["status_page"] == "acme"
    assert functions.api("PATCH", "/v2/services/1", {"status_page": "other"}).status == 200
    assert (seen(functions, "/status/acme").status, seen(functions, "/status/other").status) == (404, 200)
    assert functions.api("PATCH", "/v2/services/1", {"status_page": None}).json["results"]["status_page"] is None
    assert seen(functions, "/status/other").status == 404
    for wrong in ("", "A", "a b", "-a", "a" * 64, "a\n", 5, ["a"]):
        refused = functions.api("PATCH", "/v2/services/1", {"status_page": wrong})
        assert (refused.status, refused.json["message"].startswith("status_page")) == (400, True), wrong


def test_many_go_onto_a_page_at_once(functions: Functions, database: Database) -> None:
    for name in ("one", "two"):
        a_service(database, name)
    changes = {"action": "edit", "service_ids": [1, 2], "changes": {"status_page": "acme"}}
    assert functions.api("POST", "/v2/services/bulk", changes).status == 200
    assert seen(functions, "/status/acme/badge.json").json["services"] == 2


def test_a_service_that_is_made_again_is_as_public_as_it_was(functions: Functions, database: Database) -> None:
    a_public(database, "worker")
    functions.api("PATCH", "/v2/services/1", {"status_page": None})
    functions.api("POST", "/v2/snapshots/1/restore")
    assert seen(functions, "/status/acme").status == 200
    functions.api("DELETE", "/v2/services/1")
    assert seen(functions, "/status/acme").status == 404
    (newest,) = rows(database, "SELECT max(snapshot_id) FROM medic.service_snapshots")
    assert functions.api("POST", f"/v2/snapshots/{newest[0]}/restore").json["results"]["status_page"] == "acme"


def test_the_dashboard_makes_it_public_and_hands_out_badges(dashboard: Dashboard, database: Database) -> None:
    a_service(database, "worker", service_name="My [worker]")
    page = dashboard.get("/ui/services/1").body
    assert "Show it to everybody on the status page" in page
    assert "Seen by everybody" not in page
    assert dashboard.post("/ui/services/1/do/status-page", status_page=" acme ").status == 303
    assert dashboard.said == "Its status page was changed."
    page = dashboard.get("/ui/services/1").body
    assert 'href="/status/acme"' in page
    assert r"[![My \[worker\]](" in page
    assert "/status/acme/my-worker/badge.svg)](" in page
    assert "shields.json" in page
    assert seen(dashboard.functions, "/status/acme").status == 200
    refused = dashboard.post("/ui/services/1/do/status-page", status_page="Not A Word")
    assert (refused.status, "status_page" in refused.body) == (400, True)
    assert dashboard.post("/ui/services/1/do/status-page", status_page="").status == 303
    assert seen(dashboard.functions, "/status/acme").status == 404


def test_who_may_only_read_makes_nothing_public(functions: Functions, database: Database) -> None:
    a_public(database, "worker")
    key = functions.api("POST", "/v2/api-keys", {"name": "reader", "scopes": ["read"]}).json["results"]["api_key"]
    reader = Dashboard(functions)
    reader.sign_in(key)
    page = reader.get("/ui/services/1").body
    assert "Seen by everybody" in page
    assert "Show it to everybody" not in page
    assert reader.post("/ui/services/1/do/status-page", status_page="").status == 403
    assert seen(functions, "/status/acme").status == 200


def test_a_page_costs_two_statements_and_a_badge_one(
    functions: Functions, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        a_public(database, f"worker-{number}")
    sent: list[Any] = []
    execute = connection.psycopg.Cursor.execute

    def counted(cursor: Any, query: Any, *rest: Any, **more: Any) -> Any:
        sent.append(query)
        return execute(cursor, query, *rest, **more)

    seen(functions, "/status/acme")
    monkeypatch.setattr(connection.psycopg.Cursor, "execute", counted)
    seen(functions, "/status/acme")
    assert len(sent) == 2
    sent.clear()
    seen(functions, "/status/acme/worker-1/badge.svg")
    assert len(sent) == 1


def test_strangers_are_counted_by_where_they_come_from(functions: Functions, database: Database) -> None:
    a_public(database, "worker")
    reply = seen(functions, "/status/acme/badge.json")
    assert int(reply.headers["X-RateLimit-Remaining"]) < int(reply.headers["X-RateLimit-Limit"])
