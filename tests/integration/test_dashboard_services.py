"""The overview, services, one service and alerts, as people look at them and act on them."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import UUID

import pytest

from medic_core.adapters import hashing
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.watching.signals import SignalKind
from medic_core.flows import keys
from medic_core.flows.sweep import sweep
from medic_core.store import counting
from medic_core.store.connection import Database
from tests.builders import a_service, hears, rows, time_passes
from tests.fixtures.dashboard import Dashboard
from tests.fixtures.functions import Functions, Reply

HOUR = timedelta(hours=1)
STROKE = re.compile(r"M(\d+) 10h(\d+)")


def text_of(reply: Reply) -> str:
    """What a page says, a space between any two parts of it."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", reply.body)).split())


def reader(functions: Functions, database: Database) -> Dashboard:
    with database.transaction() as tx:
        key = keys.create(tx, "looker", {Scope.READ}, None, {}, hashing).text
    found = Dashboard(functions)
    assert found.sign_in(key).status == 303
    return found


def test_of_many_services_the_overview_says_how_many_the_monitor_counted(
    dashboard: Dashboard, database: Database
) -> None:
    a_service(database)
    with database.transaction() as tx:
        counting.measure(tx)
    found = text_of(dashboard.get("/ui"))
    assert "1 services" in found
    assert "counted now and then" not in found
    with database.transaction() as tx:
        tx.execute(
            "WITH made AS (INSERT INTO medic.services (heartbeat_name, name_key, service_name, slug, ping_id, priority,"
            " every_seconds) SELECT 's' || n, 's' || n, 's' || n, 's' || n, gen_random_uuid(), 'p3', 60"
            " FROM generate_series(1, 10000) AS n RETURNING service_id)"
            " INSERT INTO medic.service_state (service_id, health, recent_heartbeats, silence_allowed)"
            " SELECT service_id, 'up', '{}', interval '1 minute' FROM made"
        )
    found = text_of(dashboard.get("/ui"))
    assert "1 services" in found
    assert "counted now and then" in found
    with database.transaction() as tx:
        counting.measure(tx)
    found = text_of(dashboard.get("/ui"))
    assert "10001 services" in found


def swept(database: Database) -> None:
    sweep(database, 0, timedelta(minutes=1))


def falls_silent(database: Database, name: str = "orders") -> int:
    """A service that was heard, and then was not; returns its alert."""
    hears(database, name)
    time_passes(database, HOUR)
    swept(database)
    found = rows(database, f"SELECT max(alert_id) FROM medic.alerts WHERE heartbeat_name = '{name}'")
    return int(found[0][0])


def status_of(database: Database, alert_id: int) -> str:
    ((status,),) = rows(database, f"SELECT status FROM medic.alerts WHERE alert_id = {alert_id}")
    return str(status)


# The overview.


def test_a_newcomer_is_told_what_to_do_first_and_does_it(dashboard: Dashboard, database: Database) -> None:
    assert "Nothing is watched yet" in text_of(dashboard.get("/ui"))
    reply = dashboard.post(
        "/ui/services",
        heartbeat_name="nightly-backup",
        every="5",
        unit="minutes",
        grace="2",
        priority="p2",
        team="infra",
    )
    assert (reply.status, reply.headers["Location"]) == (303, "/ui/services/1")
    page = dashboard.get("/ui/services/1")
    assert "Registered. Now have it send its first heartbeat." in text_of(page)
    assert "Waiting for the first heartbeat." in text_of(page)
    assert "Registered." not in text_of(dashboard.get("/ui/services/1"))
    ((every, grace, priority, team, ping_id),) = rows(
        database,
        "SELECT every_seconds, grace_period_seconds, priority, t.name, ping_id"
        "  FROM medic.services JOIN medic.teams t USING (team_id)",
    )
    assert (every, grace, priority, team) == (300, 120, "p2", "infra")
    assert f"/ping/{ping_id}" in page.body


def test_it_says_what_is_wrong_since_when_and_who_was_told(dashboard: Dashboard, database: Database) -> None:
    a_service(database, "orders", priority="p1")
    a_service(database, "quiet")
    assert "All is well" in text_of(dashboard.get("/ui"))
    alert_id = falls_silent(database)
    text = text_of(dashboard.get("/ui"))
    assert "P1 orders Missed heartbeat Open" in text
    assert "being told" in text or "told nobody (yet)" in text
    rows(
        database,
        "INSERT INTO medic.notification_deliveries (alert_event_id, alert_id, target_key, channel, because, status,"
        " attempts) SELECT alert_event_id, alert_id, 'x:' || n, CASE n WHEN 1 THEN 'slack' ELSE 'pagerduty' END, '',"
        " CASE n WHEN 1 THEN 'success' ELSE 'failed' END, 1"
        " FROM medic.alert_events, generate_series(1, 2) AS n WHERE alert_id = 1 RETURNING 1",
    )
    text = text_of(dashboard.get("/ui"))
    assert "told: Slack" in text
    assert "not reached (yet): PagerDuty" in text
    assert dashboard.post(f"/ui/alerts/{alert_id}/acknowledge", onward="/ui").headers["Location"] == "/ui"
    assert "looked after by" in text_of(dashboard.get("/ui"))


def test_it_says_when_nobody_is_watching(dashboard: Dashboard, database: Database) -> None:
    a_service(database)
    assert "Nobody is watching: the monitor has never swept" in text_of(dashboard.get("/ui"))
    swept(database)
    assert "Nobody is watching" not in text_of(dashboard.get("/ui"))
    rows(database, "UPDATE medic.monitor_state SET last_sweep_at = now() - interval '4 minutes' RETURNING 1")
    assert "the monitor has not swept since" in text_of(dashboard.get("/ui"))


@pytest.mark.parametrize("path", ["/ui", "/ui/services", "/ui/services/1", "/ui/alerts"])
def test_what_is_live_is_sent_again_only_when_it_has_changed(
    dashboard: Dashboard, database: Database, path: str
) -> None:
    a_service(database, "orders")
    falls_silent(database)
    hears(database, "orders")
    part = dashboard.live(path)
    assert (part.status, "<html" in part.body, "medic_said" in part.headers.get("Set-Cookie", "")) == (
        200,
        False,
        False,
    )
    again = dashboard.live(path, part.headers["ETag"])
    assert (again.status, again.body, again.headers["ETag"]) == (304, "", part.headers["ETag"])
    falls_silent(database, "orders")
    changed = dashboard.live(path, part.headers["ETag"])
    assert (changed.status, changed.headers["ETag"] != part.headers["ETag"]) == (200, True)


# Services.


def names_on(reply: Reply) -> list[str]:
    return re.findall(r'<a href="/ui/services/\d+">([^<]+)</a>', reply.body)


def test_services_are_found_filtered_and_sorted(dashboard: Dashboard, database: Database) -> None:
    a_service(database, "billing-eu", team="money", tags=("batch", "eu"), priority="p1")
    a_service(database, "billing-us", team="money", tags=("batch",))
    a_service(database, "search", every_seconds=3600)
    hears(database, "search")
    rows(database, "UPDATE medic.services SET muted_until = now() + interval '1 hour' WHERE service_id = 2 RETURNING 1")
    for query, expected in {
        "": ["billing-eu", "billing-us", "search"],
        "?name=BILL": ["billing-eu", "billing-us"],
        "?name=*-us": ["billing-us"],
        "?team=money&priority=p1": ["billing-eu"],
        "?tag=batch+eu": ["billing-eu"],
        "?muted=muted": ["billing-us"],
        "?status=up": ["search"],
        "?sort=-last_heartbeat_at": ["search", "billing-us", "billing-eu"],
        "?sort=priority&status=": ["billing-eu", "billing-us", "search"],
        "?name=nothing": [],
    }.items():
        assert names_on(dashboard.get(f"/ui/services{query}")) == expected, query
    assert "No service is like that." in dashboard.get("/ui/services?name=nothing").body


def test_they_come_a_page_at_a_time(dashboard: Dashboard, database: Database) -> None:
    for number in range(120):
        a_service(database, f"s-{number:03}")
    seen, path, pages = [], "/ui/services?name=s-", 0
    while path:
        page = dashboard.get(path)
        seen += names_on(page)
        pages += 1
        following = re.search(r'href="([^"]+)" rel="next"', page.body)
        path = unescape(following[1]) if following else ""
    assert (pages, seen) == (3, [f"s-{number:03}" for number in range(120)])


def test_each_has_a_mark_for_each_of_its_last_periods(dashboard: Dashboard, database: Database) -> None:
    a_service(database, "orders")
    falls_silent(database)
    time_passes(database, HOUR)
    page = dashboard.get("/ui/services").body
    lines = dict(re.findall(r'<path class="(\w+)" d="([^"]+)"', page))
    strokes = [(int(at), int(length), state) for state in lines for at, length in STROKE.findall(lines[state])]
    assert sum(length for _, length, _ in strokes) == 90 * 4
    assert max(strokes)[2] == "down"
    assert re.search(r'aria-label="Trouble in \d+ of the last \d+ periods"', page)


@pytest.mark.parametrize(
    ("action", "column", "expected"),
    [
        ("mute", "muted_until IS NOT NULL", True),
        ("pause", "paused_at IS NOT NULL", True),
        ("p1", "priority = 'p1'", True),
    ],
)
def test_the_same_is_done_to_all_that_were_ticked(
    dashboard: Dashboard, database: Database, action: str, column: str, expected: bool
) -> None:
    ids, sorted_list = [a_service(database, name) for name in ("a", "b", "c")], "/ui/services?sort=status"
    reply = dashboard.post("/ui/services/many", service_id=[ids[0], ids[2], 999], action=action, onward=sorted_list)
    assert (reply.status, reply.headers["Location"]) == (303, sorted_list)
    assert dashboard.said == "2 of 3 services done. No service has this id."
    found = rows(database, f"SELECT {column} FROM medic.services ORDER BY service_id")
    assert found == [(expected,), (not expected,), (expected,)]
    undone = {"mute": "unmute", "pause": "resume"}.get(action)
    if undone is not None:
        dashboard.post("/ui/services/many", service_id=ids, action=undone)
        assert {value for (value,) in rows(database, f"SELECT {column} FROM medic.services")} == {not expected}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"action": "mute"}, "Tick the services first"),
        ({"service_id": "1"}, "action"),
        ({"service_id": "1", "action": "explode"}, "action"),
        ({"service_id": "x", "action": "mute"}, "service_id: must be a whole number"),
        ({"service_id": "1", "action": "mute", "hours": "99999999"}, "most"),
    ],
)
def test_what_cannot_be_done_to_many_is_said(
    dashboard: Dashboard, database: Database, fields: dict[str, Any], said: str
) -> None:
    a_service(database)
    reply = dashboard.post("/ui/services/many", **fields)
    assert said in text_of(reply) + dashboard.said
    assert rows(database, "SELECT muted_until FROM medic.services") == [(None,)]


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"heartbeat_name": ""}, 400, "heartbeat_name"),
        ({"every": "often"}, 400, "every: must be a whole number."),
        ({"every": ""}, 400, "Say how often it must be heard"),
        ({"every": "1", "unit": "seconds"}, 400, "every_seconds"),
        ({"expression": "0 2 * *"}, 400, "five fields"),
        ({"expression": "0 2 * * *", "timezone": "Mars/Base"}, 400, "timezone"),
        ({"heartbeat_name": "TAKEN"}, 409, "is registered already"),
        ({"priority": "p9"}, 400, "priority"),
    ],
)
def test_a_form_that_is_not_right_is_shown_again_with_all_that_was_written(
    dashboard: Dashboard, database: Database, fields: dict[str, str], status: int, said: str
) -> None:
    a_service(database, "taken")
    written = {
        "heartbeat_name": "new <one>",
        "every": "7",
        "unit": "hours",
        "grace": "3",
        "priority": "p2",
        "team": "x",
    }
    reply = dashboard.post("/ui/services", **written | fields)
    assert reply.status == status
    assert said in text_of(reply)
    assert 'value="3"' in reply.body
    assert "heartbeat_name" in fields or 'value="new &lt;one&gt;"' in reply.body
    assert rows(database, "SELECT count(*) FROM medic.services") == [(1,)]


def test_a_cron_schedule_is_registered_in_its_zone(dashboard: Dashboard, database: Database) -> None:
    reply = dashboard.post("/ui/services", heartbeat_name="nightly", expression="0 2 * * *", timezone="Europe/Berlin")
    assert reply.status == 303
    found = rows(database, "SELECT cron_expression, timezone, every_seconds FROM medic.services")
    assert found == [("0 2 * * *", "Europe/Berlin", None)]


# One service.


def test_it_tells_everything_about_a_service(dashboard: Dashboard, database: Database, functions: Functions) -> None:
    a_service(database, "orders", runbook="https://runbooks.example.com/orders", max_duration_ms=60_000)
    for number in range(3):
        hears(database, "orders", SignalKind.STARTED, run_id=f"r{number}")
        hears(database, "orders", SignalKind.COMPLETED, run_id=f"r{number}")
    falls_silent(database)
    page = dashboard.get("/ui/services/1")
    text = text_of(page)
    for expected in (
        "Down", "How its deadline comes about", "Heartbeats", "Completed", "Runs", "Durations of the last 3 runs",
        "Missed heartbeat", "Who would be told now", "Send its heartbeats", "Kubernetes", "systemd",
        "https://runbooks.example.com/orders",
    ):  # fmt: skip
        assert expected in text, expected
    assert page.body.count("<h1") == 1


def test_a_runbook_that_is_no_address_of_the_web_is_no_link(dashboard: Dashboard, database: Database) -> None:
    a_service(database, "orders", runbook="javascript:alert(1)")
    page = dashboard.get("/ui/services/1").body
    assert 'href="javascript' not in page
    assert "javascript:alert(1)" in page


def test_its_buttons_do_what_they_say(dashboard: Dashboard, database: Database) -> None:
    service_id = a_service(database, "orders")
    path = f"/ui/services/{service_id}/do"

    def service() -> tuple[Any, ...]:
        columns = "muted_until IS NOT NULL, mute_reason, paused_at IS NOT NULL, resume_on_heartbeat"
        return tuple(rows(database, f"SELECT {columns} FROM medic.services")[0])

    assert dashboard.post(f"{path}/mute", hours="2", reason="a <deploy>").status == 303
    assert service() == (True, "a <deploy>", False, False)
    assert "a &lt;deploy&gt;" in dashboard.get("/ui/services/1").body
    dashboard.post(f"{path}/unmute")
    assert service()[:2] == (False, None)
    dashboard.post(f"{path}/pause", resume_on_heartbeat="1")
    assert service()[2:] == (True, True)
    dashboard.post(f"{path}/resume")
    assert service()[2:] == (False, False)
    ping_id = rows(database, "SELECT ping_id FROM medic.services")[0][0]
    dashboard.post(f"{path}/rotate-ping-key")
    renewed = rows(database, "SELECT ping_id FROM medic.services")[0][0]
    assert isinstance(renewed, UUID)
    assert renewed != ping_id
    assert dashboard.post(f"{path}/explode").status == 400


def fields_of(page: Reply) -> dict[str, str]:
    """What a form has filled in, as a browser would send it."""
    form = page.body.partition('class="stack panel"')[2]
    inputs = re.findall(r'<input[^>]*name="(\w+)"[^>]*?value="([^"]*)"', form)
    selects = re.findall(r'<select name="(\w+)">.*?<option value="([^"]*)" selected', form, re.DOTALL)
    return {name: unescape(value) for name, value in [*inputs, *selects]}


@pytest.mark.parametrize(
    "schedule",
    [
        {"every_seconds": 90, "threshold": 3, "grace_period_seconds": 45},
        {"every_seconds": 86_400, "grace_period_seconds": 7200},
        {"every_seconds": None, "cron_expression": "0 2 * * 1-5", "timezone": "Europe/Berlin"},
        {"every_seconds": None, "cron_expression": "@daily", "timezone": "UTC", "early_tolerance_seconds": 600},
    ],
)
def test_a_form_that_is_sent_back_as_it_is_changes_nothing(
    dashboard: Dashboard, database: Database, schedule: dict[str, Any]
) -> None:
    a_service(database, "orders", team="infra", tags=("a", "b"), runbook="see <here>", priority="p2", **schedule)
    configured = "SELECT every_seconds, threshold, cron_expression, timezone, early_tolerance_seconds, tags, priority,"
    configured += " grace_period_seconds, runbook, service_name, team_id FROM medic.services"
    before = rows(database, configured)
    assert dashboard.post("/ui/services/1/edit", **fields_of(dashboard.get("/ui/services/1/edit"))).status == 303
    assert rows(database, configured) == before


def test_what_is_edited_is_changed_and_what_is_wrong_is_said(dashboard: Dashboard, database: Database) -> None:
    a_service(database, "orders", team="infra")
    fields = fields_of(dashboard.get("/ui/services/1/edit"))
    wrong = dashboard.post("/ui/services/1/edit", **fields | {"every": "x", "runbook": "look <there>"})
    assert (wrong.status, "every: must be a whole number" in text_of(wrong)) == (400, True)
    assert fields_of(wrong)["runbook"] == "look <there>"
    changed = fields | {"service_name": "Orders", "every": "2", "unit": "hours", "team": "", "tags": "eu batch"}
    assert dashboard.post("/ui/services/1/edit", **changed).status == 303
    found = rows(database, "SELECT service_name, every_seconds, team_id, tags FROM medic.services")
    assert found == [("Orders", 7200, None, ["batch", "eu"])]
    stale = dashboard.post("/ui/services/1/edit", **fields | {"service_name": "Older"})
    assert (stale.status, "has been changed since" in text_of(stale)) == (412, True)
    assert fields_of(stale)["service_name"] == "Older"


def test_it_is_deleted_only_by_its_name(dashboard: Dashboard, database: Database) -> None:
    a_service(database, "orders")
    reply = dashboard.post("/ui/services/1/delete", name="order")
    assert (reply.status, "write its name: orders" in text_of(reply)) == (400, True)
    assert dashboard.post("/ui/services/1/delete", name="orders").headers["Location"] == "/ui/services"
    assert rows(database, "SELECT count(*) FROM medic.services") == [(0,)]


def test_a_key_that_reads_sees_no_buttons_and_no_ping_url_and_can_do_nothing(
    functions: Functions, database: Database
) -> None:
    a_service(database, "orders")
    alert_id = falls_silent(database)
    looker = reader(functions, database)
    for path in ("/ui", "/ui/services", "/ui/services/1", "/ui/alerts", f"/ui/alerts/{alert_id}"):
        page = looker.get(path)
        assert page.status == 200
        assert "/ping/" not in page.body
        forms = re.findall(r'<form[^>]*method="post"[^>]*action="([^"]*)"', page.body)
        assert set(forms) <= {"/ui/sign-out", "/ui/services/many"}
        assert "<button" not in page.body.partition("</header>")[2].replace("<button>Show</button>", "")
    for path in ("/ui/services", "/ui/services/many", "/ui/services/1/do/pause", f"/ui/alerts/{alert_id}/resolve"):
        reply = looker.post(path, service_id="1", action="pause", heartbeat_name="x", every="5", unit="minutes")
        assert (reply.status, "the scope write" in text_of(reply)) == (403, True)
    assert status_of(database, alert_id) == "open"


# Alerts.


def test_alerts_are_listed_and_told_with_all_that_happened(dashboard: Dashboard, database: Database) -> None:
    a_service(database, "orders")
    alert_id = falls_silent(database)
    hears(database, "orders")
    for query, count in {"": 1, "?active=1": 0, "?active=0": 1, "?status=resolved": 1, "?service_id=2": 0}.items():
        assert dashboard.get(f"/ui/alerts{query}").body.count('<th scope="row">') == count, query
    text = text_of(dashboard.get(f"/ui/alerts/{alert_id}"))
    for expected in ("Missed heartbeat: orders", "Resolved", "What happened", "Opened", "Who was told"):
        assert expected in text


@pytest.mark.parametrize(
    ("action", "fields", "status"),
    [
        ("acknowledge", {"note": "on it"}, "acknowledged"),
        ("snooze", {"hours": "4", "note": "after lunch"}, "snoozed"),
        ("resolve", {"note": "it is fine"}, "resolved"),
    ],
)
def test_an_alert_is_looked_after(
    dashboard: Dashboard, database: Database, action: str, fields: dict[str, str], status: str
) -> None:
    a_service(database, "orders")
    alert_id = falls_silent(database)
    reply = dashboard.post(f"/ui/alerts/{alert_id}/{action}", **fields)
    assert (reply.status, reply.headers["Location"]) == (303, f"/ui/alerts/{alert_id}")
    assert status_of(database, alert_id) == status
    assert fields["note"] in dashboard.get(f"/ui/alerts/{alert_id}").body


def test_what_cannot_be_done_to_an_alert_is_said(dashboard: Dashboard, database: Database) -> None:
    a_service(database, "orders")
    alert_id = falls_silent(database)
    assert dashboard.post(f"/ui/alerts/{alert_id}/snooze", hours="5").status == 400
    assert dashboard.post(f"/ui/alerts/{alert_id}/resolve").status == 303
    reply = dashboard.post(f"/ui/alerts/{alert_id}/acknowledge")
    assert (reply.status, "This alert is over already." in text_of(reply)) == (409, True)
    assert dashboard.post("/ui/alerts/999/acknowledge").status == 404
