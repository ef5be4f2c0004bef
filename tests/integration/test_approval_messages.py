"""Who may decide is asked, in every channel; and hears how it ended, in the place of the question."""

from __future__ import annotations

import json
import re
import time
from datetime import timedelta
from typing import Any

import pytest

from medic_core.domain.routing.messages import NoticeKind
from medic_core.flows import approve
from medic_core.store import notices
from medic_core.store.connection import Database
from tests.builders import a_service, rows, time_passes
from tests.fixtures.approving import Browser, asking, everything_kept, person, status_of
from tests.fixtures.functions import Functions
from tests.fixtures.receivers import Receivers
from tests.fixtures.repairing import Hand
from tests.fixtures.routing import later, relayed
from tests.fixtures.slack import Slack
from tests.stand_ins.receivers import Answer, Received

LINK = re.compile(r"http://medic\.test/approvals/([A-Za-z0-9_-]{43})")


def blocks(received: Received) -> list[dict[str, Any]]:
    found = received.content.get("blocks", [])
    return [json.loads(block) if isinstance(block, str) else block for block in found]


def said(received: Received) -> str:
    return json.dumps(blocks(received), ensure_ascii=False)


def link_in(text: str) -> tuple[str, str]:
    """The token and the code of a message."""
    token, code = LINK.search(text), re.search(r"\*([0-9]{6})\*|\"code\": \"([0-9]{6})\"", text)
    assert token is not None
    assert code is not None
    return token[1], code[1] or code[2]


def asked_slack(told: Receivers) -> list[Received]:
    """What Slack was sent about approvals."""
    return [one for one in told.slack.received if "approv" in said(one).lower()]


def decides(database: Database, name: str = "ann", *, approved: bool = True) -> None:
    with database.transaction() as tx:
        approve.decide(tx, 1, person(name), "", approved=approved)


def statuses(database: Database, kind: str) -> list[tuple[str, str, str | None]]:
    query = "SELECT d.target_key, d.status, d.error FROM medic.notification_deliveries d JOIN medic.notices n"
    found: list[tuple[str, str, str | None]] = rows(
        database, f"{query} USING (notice_id) WHERE n.kind = '{kind}' ORDER BY d.target_key"
    )
    return found


# The question.


def test_the_question_brings_a_link_and_a_code_that_decide(
    told: Receivers, functions: Functions, database: Database
) -> None:
    asking(database, a_service(database, "orders"), description="Restarts it.")
    relayed(functions)
    (slack,) = asked_slack(told)
    assert "May Medic repair orders?" in said(slack)
    assert "Restarts it." in said(slack)
    assert "1. step-0 (wait)" in said(slack)
    webhook = next(one.content for one in told.webhook.received if one.content["type"] == "notice.approval_requested")
    by_slack, by_webhook = link_in(said(slack)), link_in(json.dumps(webhook))
    assert by_slack[0] != by_webhook[0]
    assert told.pagerduty.received == []
    assert Browser(functions, by_webhook[0]).opens().status == 200
    assert Browser(functions, by_slack[0]).sends(code=by_slack[1]).status == 200
    assert status_of(database) == "approved"


@pytest.mark.parametrize("more", [{"four_eyes": True}, {"approvers_required": 2}, {"approvers": ["U0123ABCD"]}])
def test_where_it_matters_who_decides_people_are_told_what_the_page_asks_for(
    told: Receivers, functions: Functions, database: Database, more: dict[str, Any]
) -> None:
    asking(database, **more)
    relayed(functions)
    (slack,) = asked_slack(told)
    assert "type in your API key" in said(slack)
    assert ("<@U0123ABCD>" in said(slack)) == ("approvers" in more)


@pytest.mark.parametrize(("status", "error"), [(200, {}), (500, {"ok": False, "error": "internal_error"})])
def test_what_opens_it_is_neither_kept_nor_logged(
    told: Receivers,
    functions: Functions,
    database: Database,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    status: int,
    error: dict[str, Any],
) -> None:
    """Also not by way of a receiver who answers with what it was sent, whatever else it says."""
    caplog.set_level("DEBUG")
    told.webhook.usual = lambda received: Answer(status, {"echo": received.content})
    echo = {"ok": True, "ts": "1.1", "channel": "C1", **error}
    told.slack.usual = lambda received: Answer(200, {**echo, "message": said(received), **received.content})
    asking(database)
    relayed(functions)
    decides(database)
    relayed(functions)
    kept = without_moments(everything_kept(database) + caplog.text + "".join(capfd.readouterr()) + fields_of(caplog))
    links = [link_in(said(one)) for one in asked_slack(told) if LINK.search(said(one))]
    links += [link_in(text) for one in told.webhook.received if LINK.search(text := json.dumps(one.content))]
    assert len(links) >= 2
    for secret in {secret for link in links for secret in link}:
        assert not re.search(rf"(?<![0-9A-Za-z]){secret}(?![0-9A-Za-z])", kept)
        assert secret.encode().hex() not in kept


def without_moments(text: str) -> str:
    """Their fractions have six digits, as codes have."""
    return re.sub(r"\d\d:\d\d:\d\d[.,]\d+", "", text)


def fields_of(caplog: pytest.LogCaptureFixture) -> str:
    """What records carry besides their text; numbers are times and places in the code."""
    found = [value for one in caplog.records for value in vars(one).values() if not isinstance(value, int | float)]
    return repr(found)


def test_a_further_try_brings_a_link_of_its_own_and_both_open(
    told: Receivers, functions: Functions, database: Database
) -> None:
    told.webhook.answers = [Answer(200), Answer(503)]
    asking(database)
    relayed(functions)
    later(functions, database, timedelta(seconds=30))
    tries = [one for one in told.webhook.received if one.content["type"] == "notice.approval_requested"]
    assert len(tries) == 2
    assert len({one.headers["webhook-id"] for one in tries}) == 1
    tokens = {link_in(json.dumps(one.content))[0] for one in tries}
    assert [Browser(functions, token).opens().status for token in tokens] == [200, 200]


def test_who_would_be_asked_too_late_is_not(told: Receivers, functions: Functions, database: Database) -> None:
    asking(database)
    decides(database)
    relayed(functions)
    assert asked_slack(told) == []
    assert {status for _, status, _ in statuses(database, "approval_requested")} == {"skipped"}
    assert rows(database, "SELECT count(*) FROM medic.approval_links") == [(0,)]
    assert {status for _, status, _ in statuses(database, "approval_decided")} <= {"skipped"}


def test_a_link_is_made_only_where_it_is_sent(
    told: Receivers, functions: Functions, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a base URL there is none to make; Slack's buttons decide."""
    monkeypatch.setenv("MEDIC_BASE_URL", "")
    asking(database)
    relayed(functions)
    (slack,) = asked_slack(told)
    assert LINK.search(said(slack)) is None
    assert [one["action_id"] for one in blocks(slack)[-1]["elements"]] == ["approve", "reject"]
    assert rows(database, "SELECT count(*) FROM medic.approval_links") == [(0,)]


# How it ended.


@pytest.mark.parametrize(("approved", "heading"), [(True, "Approved by ann"), (False, "Rejected by ann")])
def test_the_question_is_replaced_by_the_decision(
    told: Receivers, functions: Functions, database: Database, approved: bool, heading: str
) -> None:
    asking(database, a_service(database, "orders"))
    relayed(functions)
    (asked,) = asked_slack(told)
    before = len(told.slack.received)
    decides(database, approved=approved)
    relayed(functions)
    edited, reply = told.slack.received[before:]
    stamp = f"1790000000.{told.slack.received.index(asked):06d}"
    assert (edited.path, edited.content["ts"]) == ("/api/chat.update", stamp)
    assert (reply.path, reply.content["thread_ts"]) == ("/api/chat.postMessage", stamp)
    for one in (edited, reply):
        assert heading in said(one)
        assert [block for block in blocks(one) if block["type"] == "actions"] == []
    (decided,) = [one.content for one in told.webhook.received if one.content["type"] == "notice.approval_decided"]
    assert (decided["data"]["approval"]["approved"], "url" in decided["data"]["approval"]) == (approved, False)


@pytest.mark.parametrize("how", ["expired", "cancelled"])
def test_what_nobody_decided_is_told_too(told: Receivers, functions: Functions, database: Database, how: str) -> None:
    hand = asking(database)
    relayed(functions)
    if how == "cancelled":
        functions.api("POST", "/v2/executions/1/cancel", x_actor="ann")
    else:
        time_passes(database, timedelta(hours=2))
        hand.turn(Error="States.Timeout")
    relayed(functions)
    last = [one for one in told.slack.received if one.path == "/api/chat.update"][-1]
    expected = {"expired": "Not approved in time", "cancelled": "No approval is needed any more (cancelled by ann)"}
    assert expected[how] in said(last)
    assert [block for block in blocks(last) if block["type"] == "actions"] == []


def test_who_was_never_reached_with_the_question_does_not_hear_of_its_end(
    told: Receivers, functions: Functions, database: Database
) -> None:
    told.webhook.usual = lambda _: Answer(410)
    asking(database)
    relayed(functions)
    assert [status for _, status, _ in statuses(database, "approval_requested")] == ["success", "failed"]
    decides(database)
    relayed(functions)
    assert [key for key, _, _ in statuses(database, "approval_decided")] == ["default:slack"]


def test_who_waits_for_another_try_is_neither_asked_any_more_nor_told_of_the_end(
    told: Receivers, functions: Functions, database: Database
) -> None:
    told.webhook.answers = [Answer(200), Answer(503)]
    asking(database)
    relayed(functions)
    decides(database)
    relayed(functions)
    later(functions, database, timedelta(seconds=40))
    about = [one.content["type"] for one in told.webhook.received if "approval" in one.content["type"]]
    assert about == ["notice.approval_requested"]
    assert statuses(database, "approval_requested") == [
        ("default:slack", "success", None),
        ("default:webhook", "skipped", "it is decided already, or over"),
    ]
    assert statuses(database, "approval_decided") == [
        ("default:slack", "success", None),
        ("default:webhook", "skipped", "it was never reached with the question"),
    ]


def test_a_reminder_is_an_answer_to_the_question_with_buttons_again(
    told: Receivers, functions: Functions, database: Database
) -> None:
    asking(database)
    relayed(functions)
    stamp = f"1790000000.{told.slack.received.index(asked_slack(told)[0]):06d}"
    with database.transaction() as tx:
        notices.add(tx, NoticeKind.APPROVAL_REMINDER, "Still: may Medic?", "30 min are left.", request_id=1)
    relayed(functions)
    reminder = asked_slack(told)[-1]
    assert (reminder.content["thread_ts"], reminder.content["reply_broadcast"]) == (stamp, True)
    assert any(block["type"] == "actions" for block in blocks(reminder))
    assert link_in(said(reminder))[0] != link_in(said(asked_slack(told)[0]))[0]
    assert told.webhook.received[-1].content["type"] == "notice.approval_reminder"
    assert link_in(json.dumps(told.webhook.received[-1].content))
    decides(database)
    relayed(functions)
    updates = [one for one in told.slack.received if one.path == "/api/chat.update"]
    assert [one.content["ts"] for one in updates] == [stamp]
    assert told.slack.received[-1].content["thread_ts"] == stamp


def test_nobody_is_reminded_of_what_is_decided(told: Receivers, functions: Functions, database: Database) -> None:
    asking(database)
    relayed(functions)
    decides(database)
    with database.transaction() as tx:
        notices.add(tx, NoticeKind.APPROVAL_REMINDER, "Still: may Medic?", "30 min are left.", request_id=1)
    relayed(functions)
    skipped = {(status, error) for _, status, error in statuses(database, "approval_reminder")}
    assert skipped == {("skipped", "it is decided already, or over")}


def test_where_the_question_cannot_be_edited_any_more_the_thread_still_says_it(
    told: Receivers, functions: Functions, database: Database
) -> None:
    asking(database)
    relayed(functions)
    decides(database)
    told.slack.answers = [Answer(200, {"ok": False, "error": "message_not_found"})]
    relayed(functions)
    assert "Approved by ann" in said(told.slack.received[-1])
    assert statuses(database, "approval_decided")[0] == ("default:slack", "success", None)


# Slack's buttons.


@pytest.fixture
def slack(told: Receivers, functions: Functions) -> Slack:
    return Slack(functions, f"{told.slack.url}/answers")


def private(told: Receivers) -> list[str]:
    return [one.content["text"] for one in told.slack.received if one.path == "/answers"]


@pytest.mark.parametrize(("action", "status"), [("approve", "approved"), ("reject", "rejected")])
def test_a_button_decides_and_the_slack_user_is_the_actor(
    told: Receivers, slack: Slack, database: Database, action: str, status: str
) -> None:
    hand = asking(database, approvers=["U0AAAAAAA"])
    relayed(slack.functions)
    assert slack.presses(action).status == 200
    assert (status_of(database), private(told)) == (status, [])
    audited = "SELECT actor, details->>'via', details->>'voter' FROM medic.remediation_audit_log WHERE action_type = "
    assert rows(database, f"{audited}'{status}'") == [("u0aaaaaaa (Slack)", "slack", "U0AAAAAAA")]
    relayed(slack.functions)
    edited = [one for one in told.slack.received if one.path == "/api/chat.update"]
    assert f"{status.capitalize()} by u0aaaaaaa (Slack)" in said(edited[-1])
    assert hand.turn()["kind"] == ("wait" if action == "approve" else "fail")


def test_who_may_not_is_told_so_alone(told: Receivers, slack: Slack, database: Database) -> None:
    asking(database, approvers=["U0BBBBBBB"])
    assert slack.presses("approve").status == 200
    assert private(told) == ["Only U0BBBBBBB may decide about this."]
    assert status_of(database) == "pending"


def test_a_guest_of_another_workspace_may_not(told: Receivers, slack: Slack, database: Database) -> None:
    asking(database)
    assert slack.presses("approve", team="T2").status == 200
    assert private(told) == ["Only members of the workspace that Medic belongs to may decide about this."]
    for user in ("", "<@U1>", "x" * 200):
        slack.presses("approve", user=user)
    assert status_of(database) == "pending"


def test_who_presses_too_late_is_told_what_it_was(told: Receivers, slack: Slack, database: Database) -> None:
    asking(database)
    decides(database)
    assert slack.presses("reject").status == 200
    assert private(told) == ["Decided already: approved by ann."]


def test_several_press_where_several_must_agree(told: Receivers, slack: Slack, database: Database) -> None:
    asking(database, approvers_required=2)
    assert slack.presses("approve").status == 200
    assert slack.presses("approve").status == 200
    assert private(told) == ["u0aaaaaaa (Slack) has voted already; 1 of 2 have approved so far."]
    assert status_of(database) == "pending"
    assert slack.presses("approve", user="U0BBBBBBB").status == 200
    assert status_of(database) == "approved"


def test_the_same_request_again_is_refused(told: Receivers, slack: Slack, database: Database) -> None:
    asking(database, approvers_required=2)
    body, at = slack.body("approve"), int(time.time())
    assert [slack.sends(body, at=at).status for _ in range(20)] == [200] + [409] * 19
    assert rows(database, "SELECT count(*) FROM medic.approval_votes") == [(1,)]


@pytest.mark.parametrize(
    ("ago", "changes", "status"),
    [
        (301, {}, 403),
        (-301, {}, 403),
        (0, {"x_slack_signature": "v0=" + "0" * 64}, 403),
        (0, {"x_slack_signature": ""}, 403),
        (0, {"x_slack_request_timestamp": "1"}, 403),
        (0, {"content_type": "application/json"}, 400),
        (0, {"content_type": ""}, 400),
    ],
)
def test_what_slack_did_not_send_so_decides_nothing(
    slack: Slack, database: Database, ago: int, changes: dict[str, str], status: int
) -> None:
    asking(database)
    assert slack.sends(slack.body("approve"), ago, **changes).status == status
    assert status_of(database) == "pending"


@pytest.mark.parametrize("value", ["", "x", "-1", "1 OR 1=1", "9" * 30, "1.0", "٣"])
def test_a_button_whose_value_is_no_id(slack: Slack, database: Database, value: str) -> None:
    asking(database)
    assert slack.presses("approve", value).status == 400
    assert status_of(database) == "pending"


def test_a_body_that_is_too_long(slack: Slack, database: Database) -> None:
    asking(database)
    assert slack.sends("payload=" + "x" * 300_000).status == 413
    assert slack.presses("approve", 99).status == 200
    assert status_of(database) == "pending"


ELSEWHERE = ["http://169.254.169.254/", "https://hooks.slack.com.evil.example/", "file:///etc", None, 7]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_an_answer_goes_to_slack_and_nowhere_else(
    told: Receivers, slack: Slack, database: Database, url: object
) -> None:
    asking(database, approvers=["U0BBBBBBB"])
    assert slack.presses("approve", response_url=url).status == 200
    assert private(told) == []


def test_the_step_that_follows_is_not_the_one_that_was_asked_about(
    told: Receivers, slack: Slack, database: Database
) -> None:
    hand = Hand(database, asking(database).execution_id)
    hand.state = {**hand.state, "seq": 1}
    assert slack.presses("approve").status == 200
    assert slack.presses("approve", 2).status == 200
    assert private(told)[-1] == approve.NO_REQUEST
