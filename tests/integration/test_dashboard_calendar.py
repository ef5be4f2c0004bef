"""Maintenance windows and working hours, on the dashboard."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from medic_core.domain.access.api_keys import Scope
from medic_core.store.connection import Database
from tests.builders import a_service, rows
from tests.fixtures.dashboard import Dashboard
from tests.fixtures.functions import Functions
from tests.integration.test_dashboard_sessions import a_key, somebody

#: A Saturday night, into Sunday; far enough away to be none of the past.
WINDOW = {"name": "Upgrade", "start_time": "2096-12-01T22:00", "end_time": "2096-12-02T04:30"}
HOURS = {"name": "Office", "timezone": "Europe/Berlin", "monday_start": "09:00", "monday_end": "17:30"}


def windows(database: Database) -> list[tuple[Any, ...]]:
    columns = "name, start_time, end_time, recurrence, timezone, service_ids, tags, notify, reason"
    return rows(database, f"SELECT {columns} FROM medic.maintenance_windows ORDER BY window_id")


def day_of(page: str, date: str) -> str:
    """What is written under a day."""
    after = page.partition(f'id="day-{date}"')[2]
    assert after
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", after.partition("</ul>")[0])))


def test_a_window_for_named_services_is_made_and_stands_in_its_week(dashboard: Dashboard, database: Database) -> None:
    ids = sorted(a_service(database, name) for name in ("nightly", "hourly"))
    sent = {**WINDOW, "services": "Nightly\r\n\r\nhourly\r\n", "reason": "<b>new</b> disks", "notify": "on"}
    reply = dashboard.post("/ui/calendar/windows", **sent)
    assert (reply.status, reply.headers["Location"]) == (303, "/ui/calendar?week=2096-W48")
    start, end = datetime(2096, 12, 1, 22, tzinfo=UTC), datetime(2096, 12, 2, 4, 30, tzinfo=UTC)
    assert windows(database) == [("Upgrade", start, end, None, "UTC", ids, [], True, "<b>new</b> disks")]
    page = dashboard.get("/ui/calendar?week=2096-W48").body
    assert "22:00–24:00 Upgrade" in day_of(page, "2096-12-01")
    assert "00:00–04:30 Upgrade" in day_of(page, "2096-12-02")
    assert "nothing" in day_of(page, "2096-11-30")
    assert page.count('class="held"') == 2
    for text in (f'<a href="/ui/services/{ids[0]}">', "&lt;b&gt;new&lt;/b&gt; disks", "people are told"):
        assert text in page
    assert 'class="held"' not in dashboard.get("/ui/calendar?week=2096-W49").body


def test_a_window_is_for_tags_or_for_every_service(dashboard: Dashboard, database: Database) -> None:
    dashboard.post("/ui/calendar/windows", **WINDOW, tags="eu, batch")
    dashboard.post("/ui/calendar/windows", **{**WINDOW, "name": "All"}, all="on")
    assert [(one[5], one[6]) for one in windows(database)] == [([], ["batch", "eu"]), ([], [])]
    page = dashboard.get("/ui/calendar").body
    assert "#batch" in page
    assert "every service" in page


def test_a_recurring_window_stands_in_each_week_by_its_own_clock(dashboard: Dashboard) -> None:
    sent = {"name": "Backups", "start_time": "2026-06-01T00:00", "end_time": "2026-06-01T02:00", "all": "on"}
    made = dashboard.post("/ui/calendar/windows", **sent, recurrence="30 23 * * 2", timezone="Europe/Berlin")
    assert made.status == 303
    summer, winter = (dashboard.get(f"/ui/calendar?week={week}").body for week in ("2096-W28", "2096-W48"))
    assert "21:30–23:30 Backups" in day_of(summer, "2096-07-10")
    assert summer.count('class="held"') == 1
    assert "22:30–24:00 Backups" in day_of(winter, "2096-11-27")
    assert "00:00–00:30 Backups" in day_of(winter, "2096-11-28")


@pytest.mark.parametrize(
    ("wrong", "status", "message"),
    [
        ({}, 400, "Say which services it is for"),
        ({"all": "on", "tags": "eu"}, 400, "Say which services it is for"),
        ({"services": "nobody"}, 400, "no service has the heartbeat name 'nobody'"),
        ({"all": "on", "name": ""}, 400, "name:"),
        ({"all": "on", "end_time": ""}, 400, "Say from when until when"),
        ({"all": "on", "end_time": "later"}, 400, "end_time: must be a time"),
        ({"all": "on", "end_time": "2096-12-01T21:00"}, 400, "end_time must lie after start_time"),
        ({"all": "on", "start_time": "2001-01-01T00:00", "end_time": "2001-01-01T01:00"}, 400, "over already"),
        ({"all": "on", "recurrence": "daily"}, 400, "recurrence"),
        ({"all": "on", "recurrence": "0 2 * * *", "timezone": "Mars"}, 400, "timezone"),
        ({"all": "on", "name": "taken"}, 409, "another window has this name"),
    ],
)
def test_a_window_that_cannot_be_is_asked_for_again(
    dashboard: Dashboard, database: Database, wrong: dict[str, str], status: int, message: str
) -> None:
    dashboard.post("/ui/calendar/windows", **{**WINDOW, "name": "taken"}, all="on")
    page = dashboard.post("/ui/calendar/windows", **{**WINDOW, "reason": "disks", **wrong})
    assert page.status == status
    assert message in html.unescape(page.body)
    assert 'name="reason" value="disks"' in page.body
    assert len(windows(database)) == 1


def test_a_window_is_deleted(dashboard: Dashboard, database: Database) -> None:
    dashboard.post("/ui/calendar/windows", **WINDOW, all="on")
    assert dashboard.post("/ui/calendar/windows/1/delete").status == 303
    assert windows(database) == []
    assert dashboard.post("/ui/calendar/windows/1/delete").status == 404


def test_many_windows_are_paged(dashboard: Dashboard, database: Database) -> None:
    with database.transaction() as tx:
        tx.execute(
            "INSERT INTO medic.maintenance_windows (name, name_key, start_time, end_time, timezone, created_by)"
            " SELECT 'w' || n, 'w' || n, '2096-12-01', '2096-12-02', 'UTC', 'ann' FROM generate_series(1, 120) AS n"
        )
    first = dashboard.get("/ui/calendar?week=2096-W48").body
    assert first.count('class="held"') == 100
    assert "Not all windows of this week are shown" in first
    assert first.count("/delete") == 50
    (onward,) = re.findall(r'href="([^"]+cursor=[^"]+)" rel="next"', first)
    assert dashboard.get(html.unescape(onward)).body.count("/delete") == 50


def test_working_hours_are_made_by_day_and_shaded_in_the_week(dashboard: Dashboard, database: Database) -> None:
    sent = {**HOURS, "friday_start": "20:00", "friday_end": "00:00", "sunday_start": "00:00", "sunday_end": "00:00"}
    reply = dashboard.post("/ui/calendar/schedules", **sent, holidays="DE, 2096-12-31")
    assert (reply.status, reply.headers["Location"]) == (303, "/ui/calendar?schedule_id=1")
    assert rows(database, "SELECT timezone, hours, holidays FROM medic.schedules") == [
        (
            "Europe/Berlin",
            {
                "monday": [{"start": "09:00", "end": "17:30"}],
                "friday": [{"start": "20:00", "end": "24:00"}],
                "sunday": [{"start": "00:00", "end": "24:00"}],
            },
            ["2096-12-31", "DE"],
        )
    ]
    page = dashboard.get("/ui/calendar?schedule_id=1&week=2096-W48").body
    assert "08:00–16:30 at work" in day_of(page, "2096-11-26")
    assert "19:00–23:00 at work" in day_of(page, "2096-11-30")
    assert "23:00–24:00 at work" in day_of(page, "2096-12-01")
    assert page.count('class="work"') == 4
    assert "07:00–15:30 at work" in day_of(dashboard.get("/ui/calendar?schedule_id=1&week=2096-W28").body, "2096-07-09")
    assert 'class="work"' not in dashboard.get("/ui/calendar?week=2096-W48").body


@pytest.mark.parametrize(
    ("wrong", "status", "message"),
    [
        ({"monday_start": "", "monday_end": ""}, 400, "Say the hours of one day at least"),
        ({"tuesday_end": "17:00"}, 400, "tuesday: say both"),
        ({"monday_end": "25:00"}, 400, "hours.monday"),
        ({"monday_end": "09:00"}, 400, "must not end where it starts"),
        ({"timezone": "Mars"}, 400, "timezone"),
        ({"holidays": "Atlantis"}, 400, "holidays"),
        ({"name": "taken"}, 409, "name: it is taken already"),
    ],
)
def test_working_hours_that_cannot_be_are_asked_for_again(
    dashboard: Dashboard, database: Database, wrong: dict[str, str], status: int, message: str
) -> None:
    dashboard.post("/ui/calendar/schedules", **{**HOURS, "name": "taken"})
    page = dashboard.post("/ui/calendar/schedules", **{**HOURS, **wrong})
    assert page.status == status
    assert message in html.unescape(page.body)
    assert f'name="monday_start" value="{wrong.get("monday_start", "09:00")}"' in page.body
    assert len(rows(database, "SELECT 1 FROM medic.schedules")) == 1


def test_working_hours_are_deleted(dashboard: Dashboard, database: Database) -> None:
    dashboard.post("/ui/calendar/schedules", **HOURS)
    assert dashboard.post("/ui/calendar/schedules/1/delete").status == 303
    assert rows(database, "SELECT 1 FROM medic.schedules") == []
    assert dashboard.get("/ui/calendar?schedule_id=1").status == 404


def test_one_week_leads_to_the_next_and_keeps_what_was_chosen(dashboard: Dashboard) -> None:
    dashboard.post("/ui/calendar/schedules", **HOURS)
    page = dashboard.get("/ui/calendar?week=2096-W53&schedule_id=1")
    assert page.status == 400
    page = dashboard.get("/ui/calendar?week=2026-W53&schedule_id=1")
    assert 'href="/ui/calendar?schedule_id=1&amp;week=2026-W52" rel="prev"' in page.body
    assert 'href="/ui/calendar?schedule_id=1&amp;week=2027-W01" rel="next"' in page.body


@pytest.mark.parametrize("query", ["week=48", "week=2026-W54", "week=0001-W01", "schedule_id=x", "cursor=x"])
def test_what_cannot_be_asked_is_said(dashboard: Dashboard, query: str) -> None:
    assert dashboard.get(f"/ui/calendar?{query}").status == 400


def test_those_who_only_read_see_no_buttons(dashboard: Dashboard, functions: Functions, database: Database) -> None:
    dashboard.post("/ui/calendar/windows", **WINDOW, all="on")
    dashboard.post("/ui/calendar/schedules", **HOURS)
    reader = somebody(functions, a_key(database, "reader", Scope.READ)[1])
    page = reader.get("/ui/calendar").body
    assert "Upgrade" in page
    assert page.count('method="post"') == 1
    for path in ("windows", "windows/1/delete", "schedules", "schedules/1/delete"):
        assert reader.post(f"/ui/calendar/{path}").status == 403
