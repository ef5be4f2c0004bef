"""The page behind an approval's link: whatever looks at it changes nothing, and its form decides once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from medic_core.adapters import hashing
from medic_core.domain.access.api_keys import Scope
from medic_core.flows import approval_links, keys
from medic_core.store.connection import Database
from tests.builders import NOWHERE, a_service, away, rows, time_passes
from tests.fixtures.approving import FORM, Browser, a_link, asking, everything_kept, status_of, text_of
from tests.fixtures.functions import ADMIN_KEY, Functions
from tests.fixtures.repairing import Hand, a_playbook, started

CALL = {
    "type": "webhook",
    "url": "https://lb.example.com/${HEARTBEAT_NAME}",
    "headers": {"Authorization": "Bearer ${secrets.TOKEN}"},
    "body": {"text": "<script>alert(1)</script> ${SERVICE_NAME}"},
}


def a_key(database: Database, name: str, *scopes: Scope) -> tuple[int, str]:
    with database.transaction() as tx:
        made = keys.create(tx, name, set(scopes) or {Scope.READ, Scope.WRITE}, None, {}, hashing)
    return made.key.api_key_id, made.text


@pytest.fixture
def browser(functions: Functions, database: Database) -> Browser:
    """At the link of a message about request 1; `code` is what the message says besides."""
    asking(database, a_service(database, "orders", runbook="https://runbooks.example.com/orders"))
    token, code = a_link(database)
    found = Browser(functions, token)
    found.code = code  # type: ignore[attr-defined]
    return found


def code_of(browser: Browser) -> str:
    return str(browser.code)  # type: ignore[attr-defined]


@contextmanager
def nothing_changes(database: Database) -> Iterator[None]:
    # Requests are counted, whoever makes them.
    before = everything_kept(database, but="counters")
    yield
    assert everything_kept(database, but="counters") == before


# Looking.


def test_it_shows_what_is_asked_and_every_step_as_it_would_run(functions: Functions, database: Database) -> None:
    service_id = a_service(database, "orders", team="platform")
    functions.api("PATCH", f"/v2/services/{service_id}", {"service_name": "Orders & more"})
    playbook_id = a_playbook(
        database,
        CALL,
        {"type": "wait", "duration": "1m", "if": "PRIORITY == 'p3'"},
        {"type": "script", "script": "tidy", "parameters": {"WHERE": "/tmp", "DEEP": {"a": [1, 2]}}},
        **{"finally": [{"name": "undrain", **CALL}]},
        approval="required",
        description="Restarts it.\nThen looks.",
    )
    Hand(database, started(database, playbook_id, service_id)).turn()
    reply = Browser(functions, a_link(database)[0]).opens()
    assert reply.status == 200
    text = text_of(reply)
    for expected in (
        "May Medic repair orders ?",
        "until 20",
        "Restarts it. Then looks.",
        "version 1",
        "Orders & more (orders) , team platform",
        "Asked by a test",
        "step-0 webhook",
        "URL https://lb.example.com/orders",
        "Authorization: Bearer ***",
        "text: <script>alert(1)</script> Orders & more",
        "Only if PRIORITY == 'p3'",
        "Script tidy",
        "At the end, whatever happens undrain webhook",
        "Code from the message",
    ):
        assert expected in text, (expected, text)
    assert "<script" not in reply.body
    assert "alert(1)" in reply.body


def test_a_step_that_asks_shows_what_is_done_and_what_follows(functions: Functions, database: Database) -> None:
    ask = {"type": "approval", "message": "And ${HEARTBEAT_NAME}?"}
    notify = {"type": "notify", "message": "said ${TEAM}"}
    playbook_id = a_playbook(database, notify, ask, {**notify, "name": "afterwards"})
    Hand(database, started(database, playbook_id, a_service(database, "orders"))).turn()
    text = text_of(Browser(functions, a_link(database)[0]).opens())
    assert "May Medic go on with orders ?" in text
    assert "And orders?" in text
    assert "Done so far: step-0." in text
    assert "3." not in text
    assert re.search(r"What would be done .* afterwards notify", text)


def test_nothing_runs_and_nothing_is_loaded_or_told(browser: Browser) -> None:
    reply = browser.opens()
    policy = reply.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert reply.headers["Referrer-Policy"] == "no-referrer"
    assert reply.headers["Cache-Control"] == "no-store"
    assert "noindex" in reply.headers["X-Robots-Tag"]
    assert re.findall(r"<(?:script|img|iframe|link)|\son\w+=", reply.body) == []
    cookie = reply.headers["Set-Cookie"]
    assert "HttpOnly; SameSite=Strict" in cookie
    assert browser.token not in reply.body


def test_the_cookie_goes_over_https_alone_where_medic_does(
    functions: Functions, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDIC_BASE_URL", "https://medic.example.com")
    asking(database)
    reply = Browser(functions, a_link(database)[0]).opens()
    assert reply.headers["Set-Cookie"].endswith("; Secure")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"])
def test_whatever_looks_changes_nothing(browser: Browser, database: Database, method: str) -> None:
    with nothing_changes(database):
        for _ in range(5):
            reply = browser.functions.api(method, f"{browser.path}?decision=approve&code={code_of(browser)}", key=None)
    assert reply.status == (200 if method in {"GET", "HEAD"} else 405)
    if method == "HEAD":
        assert (reply.body, reply.headers["Content-Type"]) == ("", "text/html; charset=utf-8")


def test_a_scanner_that_presses_every_button_decides_nothing(browser: Browser, database: Database) -> None:
    """It fetches the page, keeps cookies, and sends each form with each button; it has not read the message."""
    for decision in ("approve", "reject"):
        for code in ("", "000000", "123456"):
            if code == code_of(browser):
                continue
            reply = browser.sends(decision, code=code, name="", reason="")
            assert reply.status == 403
            assert "That is not the code of this link" in text_of(reply)
    assert status_of(database) == "pending"


# Deciding.


@pytest.mark.parametrize(
    ("decision", "status", "heading"), [("approve", "approved", "Approved"), ("reject", "rejected", "Rejected")]
)
def test_who_has_the_code_decides(
    browser: Browser, database: Database, decision: str, status: str, heading: str
) -> None:
    reply = browser.sends(decision, code=code_of(browser), name="Ann  Smith", reason="it is night")
    assert (reply.status, status_of(database)) == (200, status)
    assert text_of(reply).startswith(f"{heading} · Medic")
    assert rows(database, "SELECT decided_by, reason FROM medic.approval_requests") == [
        ("Ann Smith (link)", "it is night")
    ]
    audited = "SELECT actor, details->>'via', details->>'reason' FROM medic.remediation_audit_log WHERE action_type = "
    assert rows(database, f"{audited}'{status}'") == [("Ann Smith (link)", "link", "it is night")]
    told = rows(database, "SELECT heading FROM medic.notices WHERE kind = 'approval_decided'")
    assert told[0][0].startswith(f"{heading} by Ann Smith (link) (it is night): playbook ")
    again = browser.sends(decision, code=code_of(browser))
    assert again.status == 409
    assert f"Decided already: {status} by Ann Smith (link)." in text_of(again)
    gone = browser.opens()
    assert gone.status == 410
    assert f"{heading} already" in text_of(gone)


def test_who_gives_no_name_is_known_by_where_the_link_was_sent(browser: Browser, database: Database) -> None:
    code = code_of(browser)
    assert browser.sends(code=f"{code[:3]} {code[3:]}").status == 200
    assert rows(database, "SELECT decided_by FROM medic.approval_requests") == [
        ("somebody with the link sent to default:slack",)
    ]


def test_five_wrong_codes_end_a_link_and_no_other(browser: Browser, database: Database) -> None:
    wrong = "000000" if code_of(browser) != "000000" else "111111"
    for _ in range(5):
        assert browser.sends(code=wrong).status == 403
    assert browser.sends(code=code_of(browser)).status == 403
    assert status_of(database) == "pending"
    token, code = a_link(database)
    assert Browser(browser.functions, token).sends(code=code).status == 200


def test_right_codes_cost_nothing(browser: Browser, database: Database) -> None:
    """What else was wrong with the form can be mended as often as needed."""
    for _ in range(7):
        assert browser.sends("perhaps", code=code_of(browser)).status == 400
    assert browser.sends(code=code_of(browser)).status == 200


def test_guesses_at_the_same_instant_are_counted_each(browser: Browser, database: Database) -> None:
    with database.transaction() as tx:
        link = approval_links.opened(tx, browser.token)
    assert link is not None

    def guess(code: str) -> bool:
        own = Database(database._server)
        right = approval_links.is_code_right(own, link, browser.token, code)
        own.close()
        return right

    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(guess, ["wrong"] * 24))
    assert rows(database, "SELECT wrong_codes FROM medic.approval_links") == [(5,)]
    assert not guess(code_of(browser))


def test_a_code_belongs_to_its_link(browser: Browser, database: Database) -> None:
    _, other = a_link(database)
    if other != code_of(browser):
        assert browser.sends(code=other).status == 403


# Where it matters who it is.


def test_the_named_ones_give_a_key(functions: Functions, database: Database) -> None:
    asking(database, approvers=["ann", "U12345"])
    token, code = a_link(database)
    browser = Browser(functions, token)
    assert "It matters who decides about this: ann, U12345" in text_of(browser.opens())
    _, anns = a_key(database, "ann")
    _, bobs = a_key(database, "bob")
    _, readers = a_key(database, "reader", Scope.READ)
    for fields, expected in [
        ({"code": code}, "Give your API key: it matters who decides about this."),
        ({"api_key": "secret"}, "This is not an API key"),
        ({"api_key": "mdk_nobody_" + "x" * 43}, "This API key is not valid"),
        ({"api_key": readers}, "This needs an API key with the scope write"),
        ({"api_key": bobs}, "Only ann, U12345 may decide about this."),
    ]:
        reply = browser.sends(**fields)
        assert (reply.status, status_of(database)) == (403, "pending"), fields
        assert expected in text_of(reply)
    reply = browser.sends(api_key=anns)
    assert (reply.status, status_of(database)) == (200, "approved")
    assert anns not in everything_kept(database)


def test_keys_are_not_guessed_for_long(
    functions: Functions, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATE_LIMIT_MANAGEMENT_REQUESTS", "3")
    asking(database, approvers=["ann"])
    browser = Browser(functions, a_link(database)[0])
    guesses = [f"mdk_nobody_{letter * 43}" for letter in "abcde"]
    assert [browser.sends(api_key=guess).status for guess in guesses] == [403, 403, 403, 429, 429]


def test_the_first_of_two_is_thanked_and_the_second_decides(functions: Functions, database: Database) -> None:
    asking(database, approvers_required=2)
    browser = Browser(functions, a_link(database)[0])
    (_, anns), (_, bobs) = a_key(database, "ann"), a_key(database, "bob")
    first = browser.sends(api_key=anns, reason="looks right")
    assert (first.status, status_of(database)) == (200, "pending")
    assert "Your approval counts: 1 of 2. Medic waits for the others." in text_of(first)
    again = browser.sends(api_key=anns)
    assert again.status == 409
    assert "ann has voted already; 1 of 2 have approved so far." in text_of(again)
    page = text_of(browser.opens())
    assert "2 of whoever has a key that may write" in page
    assert re.search(r"Approved ann, 20\S+ \S+ UTC: looks right", page)
    assert browser.sends(api_key=bobs).status == 200
    assert rows(database, "SELECT decided_by FROM medic.approval_requests") == [("ann, bob",)]


# The link that a key is given.


def url_of(functions: Functions, key: str = ADMIN_KEY, execution_id: int = 1) -> str | None:
    reply = functions.api("GET", f"/v2/executions/{execution_id}", key=key)
    found: str | None = reply.json["results"]["approval"]["url"]
    return found


def test_a_key_is_given_a_link_that_decides_in_its_name(functions: Functions, database: Database) -> None:
    asking(database, approvers=["ann"])
    _, anns = a_key(database, "ann")
    url = url_of(functions, anns)
    assert url is not None
    assert url.startswith("http://medic.test/approvals/")
    browser = Browser(functions, url.rpartition("/")[2])
    assert "You decide as ann , whose key was given this link." in text_of(browser.opens())
    assert browser.sends().status == 200
    assert rows(database, "SELECT decided_by FROM medic.approval_requests") == [("ann",)]
    assert url_of(functions, anns) is None


def test_an_answer_that_is_kept_holds_no_link(functions: Functions, database: Database) -> None:
    asking(database, approvers_required=2)
    reply = functions.api("POST", "/v2/executions/1/approve", {}, idempotency_key="once")
    assert (reply.status, reply.json["results"]["approval"]["url"]) == (200, None)
    assert "/approvals/" not in everything_kept(database)


def test_a_key_that_may_not_decide_is_given_none(functions: Functions, database: Database) -> None:
    asking(database)
    _, readers = a_key(database, "reader", Scope.READ)
    assert url_of(functions, readers) is None
    assert rows(database, "SELECT count(*) FROM medic.approval_links") == [(0,)]


@pytest.mark.parametrize("change", ["revoke", "scopes", "expires_at"])
def test_a_link_ends_with_its_key(functions: Functions, database: Database, change: str) -> None:
    asking(database)
    number, anns = a_key(database, "ann")
    url = url_of(functions, anns)
    assert url is not None
    with database.transaction() as tx:
        if change == "revoke":
            keys.revoke(tx, number, None)
        elif change == "scopes":
            keys.change(tx, number, {"scopes": {Scope.READ}}, None)
        else:
            tx.execute("UPDATE medic.api_keys SET expires_at = now() WHERE api_key_id = %(id)s", {"id": number})
    reply = Browser(functions, url.rpartition("/")[2]).opens()
    assert reply.status == 404
    assert status_of(database) == "pending"


def test_asking_again_and_again_leaves_few_links(functions: Functions, database: Database) -> None:
    asking(database)
    urls = [url_of(functions) for _ in range(25)]
    assert rows(database, "SELECT count(*) FROM medic.approval_links") == [(20,)]
    assert [Browser(functions, str(url).rpartition("/")[2]).opens().status for url in (urls[0], urls[-1])] == [404, 200]


# What is not in order.


def bad_tokens() -> list[str]:
    letters = "A" * 43
    return [
        letters, "x", letters[:-1], letters + "A", "a" * 5000, quote("ä" * 43), "%00" * 43, quote("' OR 1=1 --"),
        quote("../../../etc/passwd", safe=""), "{token}", quote("🩺" * 43), "-" * 43, "0",
    ]  # fmt: skip


@pytest.mark.parametrize("token", bad_tokens())
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_token_that_is_none(functions: Functions, database: Database, token: str, method: str) -> None:
    asking(database)
    body = "decision=approve&code=123456" if method == "POST" else None
    reply = functions.api(method, f"/approvals/{token}", body, key=None, content_type=FORM)
    assert reply.status == 404
    assert reply.headers["Content-Type"].startswith("text/html")
    assert "Nothing is here" in text_of(reply)
    assert status_of(database) == "pending"


def test_a_token_with_one_letter_changed(browser: Browser, database: Database) -> None:
    for position in (0, 20, 42):
        letter = "A" if browser.token[position] != "A" else "B"
        token = browser.token[:position] + letter + browser.token[position + 1 :]
        assert Browser(browser.functions, token).opens().status == 404


@pytest.mark.parametrize(
    ("changes", "status", "says"),
    [
        ({"form": "0" * 64}, 403, "This form was not made for this page"),
        ({"form": ""}, 403, "This form was not made for this page"),
        ({"form": "ä"}, 403, "This form was not made for this page"),
        ({"decision": ""}, 400, "press one of the buttons"),
        ({"decision": "APPROVE"}, 400, "press one of the buttons"),
        ({"decision": "approve'--"}, 400, "press one of the buttons"),
        ({"reason": "x" * 1001}, 400, "at most 1000 characters"),
        ({"reason": "a\0b"}, 400, "at most 1000 characters"),
        ({"name": "x" * 101}, 400, "at most 100 printable"),
        ({"name": "\x1b[31m"}, 400, "at most 100 printable"),
        ({"code": "x" * 2000}, 403, "not the code"),
        ({"code": "١٢٣٤٥٦"}, 403, "not the code"),
    ],
)
def test_a_form_that_was_tampered_with(
    browser: Browser, database: Database, changes: dict[str, str], status: int, says: str
) -> None:
    browser.opens()
    fields: dict[str, Any] = {"code": code_of(browser), "decision": "approve", **changes}
    reply = browser.sends(**fields)
    assert (reply.status, status_of(database)) == (status, "pending")
    assert says in text_of(reply)


def test_a_form_from_elsewhere(browser: Browser, database: Database) -> None:
    """Another site can have a browser send the form, but not the cookie with it, nor hide where it comes from."""
    code = code_of(browser)
    browser.opens()
    kept, browser.cookie = browser.cookie, ""
    assert browser.sends(code=code).status == 403
    browser.cookie = "medic_form=" + "x" * 43
    assert browser.sends(code=code).status == 403
    browser.cookie, browser.form = kept, ""
    browser.opens()
    for site in ("cross-site", "same-site", "none"):
        browser.headers["sec_fetch_site"] = site
        assert browser.sends(code=code).status == 403, site
    other_token, _ = a_link(database)
    other = Browser(browser.functions, other_token, cookie=browser.cookie)
    other.opens()
    browser.headers["sec_fetch_site"], browser.form = "same-origin", other.form
    assert browser.sends(code=code).status == 403
    assert status_of(database) == "pending"


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", '{"decision": "approve"}', 400),
        ("text/plain", "decision=approve", 400),
        ("multipart/form-data; boundary=x", "--x--", 400),
        ("", "decision=approve", 400),
        (FORM, b"\xff\xfe\x00", 400),
        (FORM, "&".join(f"a{n}=1" for n in range(100)), 400),
        (FORM, "reason=" + "x" * 20_000, 413),
        (FORM, "", 403),
    ],
)
def test_a_body_that_is_no_form_of_ours(
    browser: Browser, database: Database, content_type: str, body: str | bytes, status: int
) -> None:
    reply = browser.functions.api("POST", browser.path, body, key=None, content_type=content_type)
    assert (reply.status, status_of(database)) == (status, "pending")
    assert reply.headers["Content-Type"].startswith("text/html")


def test_an_expired_one_says_so(browser: Browser, database: Database) -> None:
    browser.opens()
    time_passes(database, timedelta(hours=2))
    late = browser.sends(code=code_of(browser))
    assert late.status == 410
    assert "Expired" in text_of(late)
    assert browser.opens().status == 410


def test_one_that_is_not_needed_any_more_says_why(browser: Browser, database: Database) -> None:
    browser.functions.api("POST", "/v2/executions/1/cancel", {"note": "by hand"}, x_actor="ann")
    reply = browser.opens()
    assert reply.status == 410
    assert "This approval is not needed any more: cancelled by ann: by hand." in text_of(reply)


def test_a_link_decides_what_it_was_made_for_and_nothing_later(functions: Functions, database: Database) -> None:
    ask = {"type": "approval", "message": "Go on?"}
    hand = Hand(database, started(database, a_playbook(database, ask, {**ask, "name": "again"}, approval="required")))
    hand.turn()
    token, code = a_link(database, 1)
    assert Browser(functions, token).sends(code=code).status == 200
    assert hand.turn()["kind"] == "approval"
    assert Browser(functions, token).sends(code=code).status == 409
    assert status_of(database, 2) == "pending"


def test_an_edit_meanwhile_changes_nothing_of_what_is_asked(functions: Functions, database: Database) -> None:
    hand = asking(database)
    token, code = a_link(database)
    content = '{"name": "changed", "steps": [{"name": "worse", "type": "wait", "duration": "9m"}]}'
    assert functions.api("PUT", "/v2/playbooks/1", {"yaml_content": content}).status == 200
    page = text_of(Browser(functions, token).opens())
    assert ("worse" in page, "version 1" in page, "Duration 1m" in page) == (False, True, True)
    assert functions.api("DELETE", "/v2/playbooks/1").status == 200
    assert Browser(functions, token).sends(code=code).status == 200
    assert hand.turn()["kind"] == "wait"


def test_too_many_requests_are_told_on_a_page(
    functions: Functions, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATE_LIMIT_PAGE_REQUESTS", "2")
    asking(database)
    browser = Browser(functions, a_link(database)[0])
    replies = [browser.opens() for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 429]
    assert replies[-1].headers["Content-Type"].startswith("text/html")
    assert int(replies[-1].headers["Retry-After"]) > 0


def test_a_database_that_is_away_is_told_on_a_page(browser: Browser) -> None:
    browser.opens()
    with away(browser.functions.module("door").DATABASE, NOWHERE):
        for reply in (browser.opens(), browser.sends(code=code_of(browser))):
            assert reply.status == 503
            assert reply.headers["Content-Type"].startswith("text/html")
            assert "Medic cannot reach its database" in text_of(reply)


# Nobody can read it anywhere.


def test_neither_token_nor_code_is_kept_or_logged(
    browser: Browser, database: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    url = str(url_of(browser.functions))
    browser.sends(code=code_of(browser), name="Ann")
    broken = browser.functions.module("door")
    with monkeypatch.context() as patched:
        patched.setattr(broken.DATABASE, "transaction", None)
        assert browser.opens().status == 500
    said = caplog.text + repr([vars(record) for record in caplog.records])
    assert "unforeseen" in said
    for secret in (browser.token, url.rpartition("/")[2]):
        assert secret not in said
        assert secret not in everything_kept(database)
    assert not re.search(rf"\b{code_of(browser)}\b", everything_kept(database))
