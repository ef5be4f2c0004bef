"""Who may see the dashboard: a key is given once, a signed cookie stands for it, and the key is asked for each time."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta

import pytest

from medic_core.adapters import hashing
from medic_core.domain.access.api_keys import Scope
from medic_core.flows import keys
from medic_core.store.connection import Database
from tests.builders import a_service, rows
from tests.fixtures.dashboard import Dashboard
from tests.fixtures.functions import ADMIN_KEY, Functions

SESSION = "medic_session"


def a_key(database: Database, name: str, *scopes: Scope) -> tuple[int, str]:
    with database.transaction() as tx:
        made = keys.create(tx, name, set(scopes), None, {}, hashing)
    return made.key.api_key_id, made.text


def somebody(functions: Functions, key: str) -> Dashboard:
    found = Dashboard(functions)
    assert found.sign_in(key).status == 303
    return found


def test_the_front_door_leads_to_the_overview_and_that_to_signing_in(functions: Functions) -> None:
    stranger = Dashboard(functions)
    assert stranger.get("/").headers["Location"] == "/ui"
    for path, asked in (
        ("/ui", "/ui/sign-in"),
        ("/ui/alerts?active=1", "/ui/sign-in?next=%2Fui%2Falerts%3Factive%3D1"),
    ):
        reply = stranger.get(path)
        assert (reply.status, reply.headers["Location"]) == (303, asked)


def test_signing_in_leads_to_where_one_wanted_to_go(functions: Functions) -> None:
    reply = Dashboard(functions).sign_in(onward="/ui/alerts?active=1")
    assert (reply.status, reply.headers["Location"]) == (303, "/ui/alerts?active=1")
    attributes = set(reply.headers["Set-Cookie"].split("; ")[1:])
    assert attributes == {"Path=/", "Max-Age=43200", "HttpOnly", "SameSite=Strict"}


@pytest.mark.parametrize(
    "onward", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "/a\u00e9b"]
)
def test_nobody_is_sent_elsewhere(functions: Functions, onward: str) -> None:
    assert Dashboard(functions).sign_in(onward=onward).headers["Location"] == "/ui"


def test_over_https_the_cookie_is_one_that_only_this_host_can_set(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDIC_BASE_URL", "https://medic.example.com")
    reply = Dashboard(functions).sign_in()
    assert reply.headers["Set-Cookie"].startswith("__Host-medic_session=")
    assert "Secure" in reply.headers["Set-Cookie"].split("; ")


def test_over_https_so_is_what_a_form_came_to(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIC_BASE_URL", "https://medic.example.com")
    visitor = Dashboard(functions)
    visitor.sign_in()
    reply = visitor.post("/ui/services", heartbeat_name="x", every="5", unit="minutes")
    assert reply.headers["Set-Cookie"].startswith("medic_said=")
    assert reply.headers["Set-Cookie"].split("; ")[1:].count("Secure") == 1


@pytest.mark.parametrize(
    ("key", "status", "said"),
    [
        ("hunter2", 401, "This is not an API key"),
        ("mdk_testadmin_" + "x" * 43, 401, "This API key is not valid."),
        ("x" * 301, 400, "at most 300 characters"),
    ],
)
def test_what_is_no_key_is_said_on_the_form(functions: Functions, key: str, status: int, said: str) -> None:
    visitor = Dashboard(functions)
    reply = visitor.sign_in(key)
    assert reply.status == status
    assert said in reply.body
    assert SESSION not in visitor.cookies
    assert not key or key not in reply.body


def test_keys_that_may_not_read_do_not_sign_in(functions: Functions, database: Database) -> None:
    _, key = a_key(database, "cron", Scope.HEARTBEAT)
    reply = Dashboard(functions).sign_in(key)
    assert (reply.status, "needs an API key with the scope read" in reply.body) == (403, True)


def test_guessing_is_limited_as_it_is_elsewhere(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE_LIMIT_MANAGEMENT_REQUESTS", "3")
    guessed = [Dashboard(functions).sign_in("mdk_testadmin_" + letter * 43).status for letter in "abcde"]
    assert guessed == [401, 401, 401, 429, 429]


def test_so_is_knocking_without_a_session(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE_LIMIT_MANAGEMENT_REQUESTS", "3")
    assert [Dashboard(functions).get("/ui").status for _ in range(5)] == [303, 303, 303, 429, 429]


def test_a_form_without_a_session_says_so(dashboard: Dashboard) -> None:
    dashboard.cookies.clear()
    reply = dashboard.post("/ui/services", heartbeat_name="x")
    assert (reply.status, "sign in again" in reply.body) == (401, True)


def test_a_form_is_never_kept_to_be_answered_again(
    dashboard: Dashboard, functions: Functions, database: Database
) -> None:
    """What it is answered with may hold a key that is shown once."""
    cookie = f"{SESSION}={dashboard.cookies[SESSION]}"
    headers = {"content-type": "application/x-www-form-urlencoded", "cookie": cookie, "idempotency-key": "k"}
    sent = f"form={dashboard.form}&heartbeat_name=x&every=5&unit=minutes"
    assert functions.http("management_api", "POST", "/ui/services", sent, **headers).status == 303
    assert rows(database, "SELECT count(*) FROM medic.idempotency_keys") == [(0,)]


def test_a_form_of_another_browser_signs_nobody_in(functions: Functions) -> None:
    other, victim = Dashboard(functions), Dashboard(functions)
    other.get("/ui/sign-in")
    victim.get("/ui/sign-in")
    victim.form = other.form
    reply = victim.post("/ui/sign-in", api_key=ADMIN_KEY, next="/ui")
    assert (reply.status, SESSION in victim.cookies) == (403, False)
    assert "not made for this browser" in reply.body


def test_signing_out_takes_the_cookie_away(dashboard: Dashboard) -> None:
    reply = dashboard.post("/ui/sign-out")
    assert (reply.status, reply.headers["Location"]) == (303, "/ui/sign-in")
    assert "Max-Age=0" in reply.headers["Set-Cookie"]
    assert dashboard.get("/ui").status == 303


def test_a_revoked_key_ends_its_sessions_at_once(functions: Functions, database: Database) -> None:
    key_id, key = a_key(database, "ann", Scope.READ)
    ann = somebody(functions, key)
    assert ann.get("/ui").status == 200
    assert functions.api("POST", f"/v2/api-keys/{key_id}/revoke").status == 200
    assert ann.get("/ui").status == 303


def test_so_does_a_rotation_without_overlap(functions: Functions, database: Database) -> None:
    key_id, key = a_key(database, "ann", Scope.READ)
    ann = somebody(functions, key)
    assert functions.api("POST", f"/v2/api-keys/{key_id}/rotate", {"overlap_seconds": 0}).status == 200
    assert ann.get("/ui").status == 303


def test_a_key_that_is_used_in_a_browser_alone_is_seen_to_be_in_use(functions: Functions, database: Database) -> None:
    key_id, key = a_key(database, "ann", Scope.READ)
    used = f"SELECT last_used_at IS NOT NULL FROM medic.api_keys WHERE api_key_id = {key_id}"
    assert rows(database, used) == [(False,)]
    somebody(functions, key)
    assert rows(database, used) == [(True,)]


def test_a_scope_that_a_key_loses_is_lost_on_the_next_page(functions: Functions, database: Database) -> None:
    key_id, key = a_key(database, "ann", Scope.READ, Scope.WRITE)
    ann = somebody(functions, key)
    assert "Register a service" in ann.get("/ui/services").body
    functions.api("PATCH", f"/v2/api-keys/{key_id}", {"scopes": ["read"]})
    assert "Register a service" not in ann.get("/ui/services").body
    assert ann.get("/ui/services/new").status == 403


def test_a_session_is_over_after_its_time(dashboard: Dashboard, functions: Functions) -> None:
    sessions = functions.module("dashboard.sessions")
    content, _, _ = dashboard.cookies[SESSION].rpartition(".")
    key_id, api_key_id, until = content.split(".")
    earlier = f"{key_id}.{api_key_id}.{int(until) - int(sessions.LASTS / timedelta(seconds=1)) - 1}"
    dashboard.cookies[SESSION] = f"{earlier}.{sessions._signature(earlier)}"
    assert dashboard.get("/ui").status == 303


def test_nobody_makes_a_session(dashboard: Dashboard) -> None:
    signed = dashboard.cookies[SESSION]
    content, _, signature = signed.rpartition(".")
    key_id, api_key_id, until = content.split(".")
    forged = [
        "", ".", "...", "a.b.c.d", signature, content, f"{content}.", f"{content}.{'0' * 64}", f"{content}.\u00e9",
        f"{key_id}.{api_key_id}.{int(until) + 1}.{signature}", f"other.{api_key_id}.{until}.{signature}",
        f"{content}.{hmac.new(b'', content.encode(), hashlib.sha256).hexdigest()}",
    ]  # fmt: skip
    for cookie in forged:
        dashboard.cookies[SESSION] = cookie
        assert dashboard.get("/ui").status == 303, cookie
    dashboard.cookies[SESSION] = signed
    assert dashboard.get("/ui").status == 200


def test_an_api_key_opens_no_page_and_a_session_no_api(dashboard: Dashboard, functions: Functions) -> None:
    assert functions.api("GET", "/ui").status == 303
    cookie = f"{SESSION}={dashboard.cookies[SESSION]}"
    assert functions.http("management_api", "GET", "/v2/services", cookie=cookie).status == 401


@pytest.mark.parametrize(
    ("form", "headers"),
    [("", {}), ("0" * 64, {}), (None, {"sec-fetch-site": "cross-site"}), (None, {"sec-fetch-site": "same-site"})],
)
def test_forms_from_elsewhere_do_nothing(
    dashboard: Dashboard, functions: Functions, database: Database, form: str | None, headers: dict[str, str]
) -> None:
    service_id = a_service(database, "orders")
    sent = f"form={dashboard.form if form is None else form}"
    plain = {"content-type": "application/x-www-form-urlencoded", "cookie": f"{SESSION}={dashboard.cookies[SESSION]}"}
    path = f"/ui/services/{service_id}/do/pause"
    reply = functions.http("management_api", "POST", path, sent, **plain, **headers)
    assert (reply.status, "not of your session" in reply.body) == (403, True)
    assert rows(database, "SELECT paused_at FROM medic.services") == [(None,)]


def test_who_comes_from_a_chat_with_a_session_is_let_in_by_our_own_page(functions: Functions) -> None:
    """A strict cookie does not come along from elsewhere; the page that comes first asks again from here."""
    stranger = Dashboard(functions)
    reply = stranger.get("/ui/alerts", **{"sec-fetch-site": "cross-site"})
    assert (reply.status, 'http-equiv="refresh"' in reply.body) == (200, True)
    assert stranger.get("/ui/alerts", **{"sec-fetch-site": "same-origin"}).status == 303


def test_what_goes_wrong_is_told_on_a_page(dashboard: Dashboard) -> None:
    for path, status, said in (
        ("/ui/services/999", 404, "No service has this id."),
        ("/ui/services/none", 400, "service_id"),
        ("/ui/nowhere", 404, "There is nothing at this path."),
        ("/ui/services?sort=password", 400, "sort: must be one of"),
        ("/ui/services?cursor=x", 400, "cursor"),
        ("/ui/alerts?status=odd", 400, "status: must be one of"),
        ("/ui/alerts?service_id=x", 400, "service_id: must be a whole number."),
    ):
        reply = dashboard.get(path)
        assert (reply.status, reply.headers["Content-Type"]) == (status, "text/html; charset=utf-8"), path
        assert said in reply.body, path
    reply = dashboard.post("/ui/alerts")
    assert (reply.status, reply.headers["Allow"]) == (405, "GET")


def test_v1_s_list_of_alerts_is_still_json(functions: Functions) -> None:
    assert functions.http("management_api", "GET", "/alerts").json["success"] is False


def test_assets_are_kept_for_good_and_pages_never(dashboard: Dashboard, functions: Functions) -> None:
    page = dashboard.get("/ui")
    assert page.headers["Cache-Control"] == "no-store"
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    paths = {part.split('"')[0] for part in page.body.split('"/ui/assets/')[1:]}
    assert {path.partition("/")[2] for path in paths} == {"dashboard.css", "dashboard.js", "icon.svg"}
    for path in paths:
        reply = functions.http("management_api", "GET", f"/ui/assets/{path}")
        assert (reply.status, reply.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
    assert functions.http("management_api", "GET", f"/ui/assets/{'0' * 16}/dashboard.js").status == 404
