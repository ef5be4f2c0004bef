"""What was made on the dashboard is edited there: by the rules of the API, and not over somebody else's change."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from medic_core.domain.access.api_keys import Scope
from medic_core.store.connection import Database
from tests.builders import a_service, rows
from tests.fixtures.dashboard import Dashboard, signed_in
from tests.fixtures.functions import ADMIN_KEY, Functions
from tests.stand_ins.receivers import Receiver

WINDOW = {"name": "Upgrade", "start_time": "2096-12-01T22:00", "end_time": "2096-12-02T04:30"}
HOURS = {"name": "Office", "timezone": "Europe/Berlin", "monday_start": "09:00", "monday_end": "12:00"}
APPRISE = {"type": "apprise", "address": "mailto://user:S3cret@example.com"}
EDITS = {
    "/ui/calendar/windows/1/edit": {"name": "Repair", "start_time": "2096-12-01T23:00", "end_time": "2096-12-02T01:00"},
    "/ui/calendar/schedules/1/edit": {**HOURS, "name": "Night"},
    "/ui/targets/1/edit": {"address": "C2"},
    "/ui/webhooks/1/edit": {"no_headers": "on"},
    "/ui/api-keys/2/edit": {"name": "ci", "scopes": ["read"]},
}


@pytest.fixture
def dashboard(others: list[Receiver], functions: Functions, database: Database) -> Dashboard:
    """Signed in as an admin, where there is one of each that can be edited."""
    found = Dashboard(functions)
    assert found.sign_in(ADMIN_KEY).status == 303
    a_service(database, "nightly")
    found.post("/ui/calendar/windows", **WINDOW, services="nightly", recurrence="0 2 * * 0", reason="disks")
    found.post("/ui/calendar/schedules", **HOURS, holidays="DE")
    found.post("/ui/targets", type="slack", address="C1", service="nightly")
    found.post("/ui/targets/webhooks", url=f"{others[0].url}/hook", headers="X-Key: hidden")
    found.post("/ui/api-keys", name="ci", scopes=["write"], expires_at="2096-12-01T00:00")
    return found


def fields(body: str) -> dict[str, Any]:
    """What a browser would send of the page's form if nobody touched it."""
    form = body.partition('class="stack panel">')[2].partition("</form>")[0]
    found: dict[str, list[str]] = {}
    for tag in re.findall(r"<input [^>]+>", form):
        given = dict(re.findall(r'([a-z]+)="([^"]*)"', tag))
        if given.get("type") not in {"checkbox", "radio"} or " checked" in tag:
            found.setdefault(given["name"], []).append(html.unescape(given.get("value", "on")))
    for name, text in re.findall(r'<textarea name="(\w+)"[^>]*>([^<]*)', form):
        found[name] = [html.unescape(text)]
    for name, options in re.findall(r'<select name="(\w+)">(.*?)</select>', form, re.DOTALL):
        found[name] = re.findall(r'value="([^"]*)" selected', options) or [""]
    return found


def kept(database: Database) -> list[Any]:
    tables = ("maintenance_windows", "schedules", "notification_targets", "webhooks", "api_keys")
    but = "- 'version' - 'updated_at' - 'last_used_at'"
    return [rows(database, f"SELECT to_jsonb(t) {but} FROM medic.{table} t ORDER BY 1") for table in tables]


@pytest.mark.parametrize("path", EDITS)
def test_a_form_that_nobody_touched_changes_nothing(dashboard: Dashboard, database: Database, path: str) -> None:
    with database.transaction() as tx:
        # Whatever the API made has seconds.
        later = "start_time = start_time + interval '7.000123 s', end_time = end_time + interval '7.000123 s'"
        tx.execute(f"UPDATE medic.maintenance_windows SET {later}")
        tx.execute("UPDATE medic.api_keys SET expires_at = expires_at + interval '7.5 seconds' WHERE name = 'ci'")
        tx.execute("UPDATE medic.schedules SET hours = %s", ['{"monday": [{"start": "20:00", "end": "24:00"}]}'])
    before = kept(database)
    reply = dashboard.post(path, **fields(dashboard.get(path).body))
    assert reply.status == 303
    assert kept(database) == before


@pytest.mark.parametrize("path", EDITS)
def test_what_somebody_else_has_changed_meanwhile_is_not_written_over(
    dashboard: Dashboard, database: Database, path: str
) -> None:
    shown = fields(dashboard.get(path).body)
    assert dashboard.post(path, **{**shown, **EDITS[path]}).status == 303
    after = kept(database)
    again = dashboard.post(path, **shown)
    assert (again.status, kept(database)) == (412, after)
    assert "It has been changed since you read it" in again.body
    without = dashboard.post(path, **{**shown, "version": ""})
    assert (without.status, kept(database)) == (400, after)


def test_a_window_is_edited(dashboard: Dashboard, database: Database) -> None:
    a_service(database, "hourly")
    shown = fields(dashboard.get("/ui/calendar/windows/1/edit").body)
    assert shown["services"] == ["nightly"]
    sent = {**shown, "name": "Repair", "services": "hourly", "recurrence": "", "notify": "on"}
    reply = dashboard.post("/ui/calendar/windows/1/edit", **sent)
    assert (reply.headers["Location"], dashboard.said) == ("/ui/calendar?week=2096-W48", "Repair was changed.")
    columns = "name, service_ids, recurrence, notify, reason, created_by"
    (found,) = rows(database, f"SELECT {columns} FROM medic.maintenance_windows")
    assert found == ("Repair", [2], None, True, "disks", "admin testadmin")


def test_a_window_whose_services_are_gone_does_not_become_one_for_all(dashboard: Dashboard, database: Database) -> None:
    with database.transaction() as tx:
        tx.execute("DELETE FROM medic.services")
    shown = fields(dashboard.get("/ui/calendar/windows/1/edit").body)
    assert "all" not in shown
    assert dashboard.post("/ui/calendar/windows/1/edit", **shown).status == 400
    assert rows(database, "SELECT service_ids FROM medic.maintenance_windows") == [([1],)]


def test_a_day_gets_one_more_stretch_of_work(dashboard: Dashboard, database: Database) -> None:
    shown = fields(dashboard.get("/ui/calendar/schedules/1/edit").body)
    assert shown["monday_start"] == ["09:00", ""]
    sent = {**shown, "monday_start": ["09:00", "13:00"], "monday_end": ["12:00", "00:00"]}
    dashboard.post("/ui/calendar/schedules/1/edit", **sent)
    hours = {"monday": [{"start": "09:00", "end": "12:00"}, {"start": "13:00", "end": "24:00"}]}
    assert rows(database, "SELECT hours, holidays FROM medic.schedules") == [(hours, ["DE"])]


def test_a_target_keeps_what_is_secret_unless_it_is_written_anew(dashboard: Dashboard, database: Database) -> None:
    dashboard.post("/ui/targets", **APPRISE, service="nightly")
    page = dashboard.get("/ui/targets/2/edit").body
    assert "S3cret" not in page
    dashboard.post("/ui/targets/2/edit", **{**fields(page), "priority": "4", "period": "after_hours"})
    query = "SELECT config ->> 'url', priority, period FROM medic.notification_targets WHERE target_id = 2"
    assert rows(database, query) == [(APPRISE["address"], 4, "after_hours")]
    shown = fields(dashboard.get("/ui/targets/2/edit").body)
    dashboard.post("/ui/targets/2/edit", **{**shown, "address": "mailto://other@example.com"})
    assert rows(database, query) == [("mailto://other@example.com", 4, "after_hours")]


def test_headers_stay_are_replaced_or_go(dashboard: Dashboard, database: Database) -> None:
    path, query = "/ui/webhooks/1/edit", "SELECT headers FROM medic.webhooks"
    page = dashboard.get(path).body
    assert "X-Key" in page
    assert "hidden<" not in page
    dashboard.post(path, **{**fields(page), "headers": "X-New: other"})
    assert rows(database, query) == [({"X-New": "other"},)]
    dashboard.post(path, **{**fields(dashboard.get(path).body), "no_headers": "on"})
    assert rows(database, query) == [({},)]


def test_a_key_is_edited_and_the_last_admin_stays_one(dashboard: Dashboard, database: Database) -> None:
    sent = {"name": "robot", "scopes": ["read", "heartbeat"], "expires_at": ""}
    dashboard.post("/ui/api-keys/2/edit", **{**fields(dashboard.get("/ui/api-keys/2/edit").body), **sent})
    query = "SELECT name, scopes, expires_at FROM medic.api_keys ORDER BY api_key_id"
    assert rows(database, query)[1] == ("robot", ["heartbeat", "read"], None)
    shown = fields(dashboard.get("/ui/api-keys/1/edit").body)
    refused = dashboard.post("/ui/api-keys/1/edit", **{**shown, "scopes": ["read"]})
    assert refused.status == 409
    assert "This is the last admin key that lasts" in refused.body


@pytest.mark.parametrize(
    ("path", "wrong", "said"),
    [
        ("/ui/calendar/windows/1/edit", {"services": "nobody"}, "no service has the heartbeat name 'nobody'"),
        ("/ui/calendar/windows/1/edit", {"end_time": "2001-01-01T00:00"}, "must lie after start_time"),
        ("/ui/calendar/windows/1/edit", {"timezone": "Mars"}, "must be"),
        ("/ui/calendar/schedules/1/edit", {"holidays": "Atlantis"}, "'Atlantis' is neither"),
        ("/ui/targets/1/edit", {"address": "C 1"}, "String should match"),
        ("/ui/webhooks/1/edit", {"url": "http://169.254.169.254/"}, ""),
        ("/ui/api-keys/2/edit", {"expires_at": "2001-01-01T00:00"}, "must lie in the future"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_what_was_written_stays(
    dashboard: Dashboard, database: Database, path: str, wrong: dict[str, str], said: str
) -> None:
    before, shown = kept(database), fields(dashboard.get(path).body)
    reply = dashboard.post(path, **{**shown, **wrong})
    assert (reply.status, kept(database)) == (400, before)
    (name,) = wrong
    field = rf'name="{name}"[^>]*aria-invalid=true>[^<]*(?:</textarea>)?\s*<small class="badly">([^<]+)'
    (beside,) = re.findall(field, reply.body)
    assert said in html.unescape(beside)
    assert fields(reply.body) == {**shown, name: [wrong[name]]}


def test_two_fields_that_are_wrong_each_say_so(dashboard: Dashboard) -> None:
    shown = fields(dashboard.get("/ui/calendar/schedules/1/edit").body)
    sent = {**shown, "timezone": "Mars", "holidays": "Atlantis", "tuesday_start": "09:00", "tuesday_end": "25:00"}
    assert dashboard.post("/ui/calendar/schedules/1/edit", **sent).body.count('<small class="badly">') == 3


@pytest.mark.parametrize("path", EDITS)
def test_those_who_only_read_are_neither_shown_the_way_nor_let_in(
    functions: Functions, dashboard: Dashboard, database: Database, path: str
) -> None:
    reader = signed_in(functions, database, "reader", Scope.READ)
    assert "/edit" not in reader.get("/ui/targets").body + reader.get("/ui/calendar").body
    assert reader.get(path).status == 403
    assert reader.post(path, **EDITS[path]).status == 403
    dashboard.form = "of nobody"
    assert dashboard.post(path, **EDITS[path]).status == 403


def test_a_writer_does_not_edit_what_is_for_admins(
    functions: Functions, dashboard: Dashboard, database: Database
) -> None:
    dashboard.post("/ui/targets", **APPRISE, service="nightly")
    writer = signed_in(functions, database, "writer", Scope.READ, Scope.WRITE)
    shown = fields(writer.get("/ui/targets/2/edit").body)
    assert writer.post("/ui/targets/2/edit", **{**shown, "address": "json://example.com"}).status == 403
    assert writer.get("/ui/api-keys/2/edit").status == 403


@pytest.mark.parametrize("path", EDITS)
def test_what_is_not_there_cannot_be_edited(dashboard: Dashboard, path: str) -> None:
    nowhere = re.sub(r"/[0-9]+/", "/999/", path)
    assert (dashboard.get(nowhere).status, dashboard.post(nowhere, **EDITS[path]).status) == (404, 404)
