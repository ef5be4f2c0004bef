"""The audit log, API keys and settings on the dashboard."""

from __future__ import annotations

import csv
import html
import io
import re

import pytest

from medic_core.domain.access.api_keys import Scope
from medic_core.domain.repair.audit import AuditAction
from medic_core.store import audit_log
from medic_core.store.audit_log import Entry
from medic_core.store.connection import Database
from tests.builders import a_service, rows
from tests.fixtures.dashboard import Dashboard
from tests.fixtures.functions import Functions, Reply
from tests.integration.test_dashboard_sessions import a_key, somebody

KEY = re.compile(r"mdk_[a-z0-9]+_[A-Za-z0-9_-]{43}")


def noted(database: Database, *entries: Entry) -> None:
    with database.transaction() as tx:
        audit_log.add(tx, entries)


def key_on(page: Reply) -> str:
    found = KEY.findall(page.body)
    assert len(found) == 1
    return str(found[0])


# API keys


def test_a_key_that_was_made_is_shown_once_and_lets_its_owner_in(dashboard: Dashboard, functions: Functions) -> None:
    page = dashboard.post("/ui/api-keys", name="ci", scopes=["read", "heartbeat"], expires_at="2099-01-31T12:00")
    assert (page.status, page.headers["Cache-Control"]) == (200, "no-store")
    assert functions.api("GET", "/v2/services", key=key_on(page)).status == 200
    listed = dashboard.get("/ui/api-keys").body
    assert "heartbeat, read" in listed
    assert 'datetime="2099-01-31T12:00:00' in listed
    assert KEY.search(listed) is None


@pytest.mark.parametrize(
    ("wrong", "status", "message"),
    [
        ({"name": "", "scopes": "read"}, 400, "name:"),
        ({"name": "ci"}, 400, "scopes:"),
        ({"name": "ci", "scopes": "king"}, 400, "scopes.0: must be one of"),
        ({"name": "ci", "scopes": "read", "expires_at": "2001-01-01T00:00"}, 400, "must lie in the future"),
        ({"name": "ci", "scopes": "read", "expires_at": "soon"}, 400, "expires_at: must be a time"),
        ({"name": "taken", "scopes": "read"}, 409, "already"),
    ],
)
def test_a_key_that_cannot_be_made_is_asked_for_again(
    dashboard: Dashboard, database: Database, wrong: dict[str, str], status: int, message: str
) -> None:
    a_key(database, "taken", Scope.READ)
    page = dashboard.post("/ui/api-keys", **wrong)
    assert page.status == status
    assert message in html.unescape(page.body)
    assert f'value="{wrong["name"]}"' in page.body


def test_a_rotated_key_has_a_new_text_and_the_old_one_works_for_as_long_as_was_said(
    dashboard: Dashboard, database: Database, functions: Functions
) -> None:
    number, old = a_key(database, "ci", Scope.READ)
    page = dashboard.post(f"/ui/api-keys/{number}/rotate", hours="2")
    assert "works for 2 h more" in page.body
    new = key_on(page)
    for text in (old, new):
        assert functions.api("GET", "/v2/services", key=text).status == 200
    newest = key_on(dashboard.post(f"/ui/api-keys/{number}/rotate", hours="0"))
    assert functions.api("GET", "/v2/services", key=newest).status == 200
    assert functions.api("GET", "/v2/services", key=old).status == 401
    assert dashboard.post(f"/ui/api-keys/{number}/rotate", hours="1000").status == 400


def test_a_revoked_key_ends_its_session_and_stays_listed(dashboard: Dashboard, database: Database) -> None:
    number, text = a_key(database, "ci", Scope.READ)
    reader = somebody(dashboard.functions, text)
    assert dashboard.post(f"/ui/api-keys/{number}/revoke").status == 303
    assert dashboard.said.startswith("ci is revoked")
    assert reader.get("/ui").status == 303
    page = dashboard.get("/ui/api-keys").body
    assert "revoked</span>" in page
    assert f"/ui/api-keys/{number}/" not in page
    assert dashboard.post(f"/ui/api-keys/{number}/rotate").status == 409


def test_the_last_admin_key_cannot_be_revoked(dashboard: Dashboard, database: Database) -> None:
    ((number,),) = rows(database, "SELECT api_key_id FROM medic.api_keys WHERE 'admin' = ANY(scopes)")
    assert dashboard.post(f"/ui/api-keys/{number}/revoke").status == 409


def test_keys_are_for_admins(database: Database, functions: Functions) -> None:
    number, text = a_key(database, "writer", Scope.READ, Scope.WRITE)
    writer = somebody(functions, text)
    assert "/ui/api-keys" not in writer.get("/ui/settings").body
    assert writer.get("/ui/api-keys").status == 403
    assert writer.post("/ui/api-keys", name="mine", scopes="admin").status == 403
    for action in ("rotate", "revoke"):
        assert writer.post(f"/ui/api-keys/{number}/{action}").status == 403


# The audit log


def test_entries_are_listed_newest_first_with_the_names_of_what_they_are_about(
    dashboard: Dashboard, database: Database
) -> None:
    service_id = a_service(database, "nightly")
    noted(
        database,
        Entry(AuditAction.KILL_SWITCH_THROWN, "ann", service_id=service_id, details={"reason": "<b>enough</b>"}),
        Entry(AuditAction.EXECUTION_STARTED, None, execution_id=7, playbook_id=3),
    )
    page = dashboard.get("/ui/audit-log").body
    assert page.index("Execution started") < page.index(">Kill switch thrown</th>")
    assert f'<a href="/ui/services/{service_id}">nightly</a>' in page
    assert '<a href="/ui/executions/7">' in page
    assert "playbook 3" in page
    assert "<td>Medic</td>" in page
    assert "reason: &lt;b&gt;enough&lt;/b&gt;" in page


def test_entries_are_filtered_and_the_table_has_the_same_ones(dashboard: Dashboard, database: Database) -> None:
    noted(
        database,
        Entry(AuditAction.APPROVED, "ann", execution_id=1, playbook_id=2),
        Entry(AuditAction.REJECTED, "=cmd()", execution_id=2, playbook_id=2),
    )
    for query, found in (
        ("actor=ann", ["approved"]),
        ("action=rejected", ["rejected"]),
        ("execution_id=1", ["approved"]),
        ("playbook_id=2", ["rejected", "approved"]),
        ("since=2099-01-01T00:00", []),
        ("until=2099-01-01T00:00&actor=", ["rejected", "approved"]),
    ):
        table = dashboard.get(f"/ui/audit-log.csv?{query}")
        assert table.headers["Content-Type"] == "text/csv; charset=utf-8"
        entries = list(csv.DictReader(io.StringIO(table.body)))
        assert [one["action_type"] for one in entries] == found
        page = dashboard.get(f"/ui/audit-log?{query}").body
        assert page.count('<th scope="row">') == len(found)
    assert "'=cmd()" in dashboard.get("/ui/audit-log.csv").body


def test_a_long_log_is_paged(dashboard: Dashboard, database: Database) -> None:
    noted(database, *(Entry(AuditAction.STEP_COMPLETED, f"actor-{number}") for number in range(60)))
    first = dashboard.get("/ui/audit-log?action=step_completed").body
    assert first.count('<th scope="row">') == 50
    (onward,) = re.findall(r'href="([^"]+)" rel="next"', first)
    second = dashboard.get(html.unescape(onward)).body
    assert second.count('<th scope="row">') == 10
    assert "actor-9</td>" in second
    assert "actor-10</td>" not in second


@pytest.mark.parametrize(
    "query",
    ["action=king", "execution_id=x", "since=soon", "since=2026-02-01T00:00&until=2026-01-01T00:00", "cursor=-1"],
)
def test_what_cannot_be_asked_of_the_log_is_said(dashboard: Dashboard, query: str) -> None:
    assert dashboard.get(f"/ui/audit-log?{query}").status == 400
    assert dashboard.get(f"/ui/audit-log.csv?{query}").status == 400


def test_the_table_needs_a_session(functions: Functions) -> None:
    assert Dashboard(functions).get("/ui/audit-log.csv").status == 303


# Settings


def test_settings_say_how_medic_is(dashboard: Dashboard) -> None:
    page = dashboard.get("/ui/settings").body
    assert '<span class="status healthy">' in page
    for link in ("/docs", "/openapi.json", "/metrics", "/health"):
        assert f'href="{link}"' in page


def test_ping_keys_are_for_those_who_may_send_heartbeats(
    dashboard: Dashboard, database: Database, functions: Functions
) -> None:
    a_service(database, "nightly", team="Payments")
    ((ping_key,),) = rows(database, "SELECT ping_key FROM medic.teams")
    reader = somebody(functions, a_key(database, "reader", Scope.READ)[1])
    assert ping_key in dashboard.get("/ui/settings").body
    page = reader.get("/ui/settings").body
    assert "Payments" in page
    assert ping_key not in page


def test_what_is_secret_of_the_settings_is_not_shown(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGERDUTY_ROUTING_KEY", "hidden-routing-key")
    monkeypatch.setenv("SLACK_SIGNING_SECRET", "hidden-signing-secret")
    visitor = Dashboard(functions)
    visitor.sign_in()
    page = visitor.get("/ui/settings").body
    assert "hidden-" not in page
    assert re.search(r"PagerDuty as the default channel</dt><dd><span class=\"status healthy\">", page)
