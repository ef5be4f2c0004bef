"""An approval as each channel asks for it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from channels.apprise.text import text, title
from channels.slack.message import message, reply
from channels.webhook.envelope import envelope
from medic_core.domain.routing.messages import Notice, NoticeKind, Question

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
QUESTION = Question(
    request_id=7,
    execution_id=42,
    playbook_name="restart <everything>",
    version=3,
    heartbeat_name="orders",
    asked_by="trigger 5",
    steps=("drain (webhook)", "restart (script)"),
    approvers=("ann", "U0123ABCD"),
    approvers_required=2,
    expires_at=NOON + timedelta(hours=1),
    is_open=True,
    url="https://medic.example.com/approvals/t0ken",
    code="123456",
)
ASKED = Notice(9, NoticeKind.APPROVAL_REQUESTED, "May Medic repair orders?", "It waits for 1 h.", NOON, QUESTION)
DECIDED = Notice(
    11, NoticeKind.APPROVAL_DECIDED, "Approved by ann & bob", "Execution 42.", NOON,
    replace(QUESTION, is_open=False, approved=True, url="", code=""),
)  # fmt: skip


def test_slack_shows_what_would_follow_and_asks_twice() -> None:
    blocks = message(ASKED)["blocks"]
    written = json.dumps(blocks, ensure_ascii=False)
    assert "1. drain (webhook)\\n2. restart (script)" in written
    assert "restart &lt;everything&gt;, version 3" in written
    assert "must agree: 2 of: ann, <@U0123ABCD>" in written
    assert "service orders · asked for by trigger 5" in written
    assert "until 2026" in written
    approve, reject, link = next(block for block in blocks if block["type"] == "actions")["elements"]
    assert [(one["action_id"], one["value"], one["style"]) for one in (approve, reject)] == [
        ("approve", "7", "primary"),
        ("reject", "7", "danger"),
    ]
    assert all("cannot be taken back" in one["confirm"]["text"]["text"] for one in (approve, reject))
    assert (link["action_id"], link["url"]) == ("open_approval", QUESTION.url)
    assert "type in *123456*" in blocks[-1]["elements"][0]["text"]


def test_what_others_read_over_a_shoulder_opens_nothing() -> None:
    """The line for notifications and screen readers, and the metadata."""
    said = message(ASKED)
    shown = json.dumps([said["text"], said["metadata"]])
    assert ("t0ken" in shown, "123456" in shown) == (False, False)
    assert "t0ken" not in repr(ASKED)
    assert "123456" not in repr(ASKED)


def test_where_it_matters_who_decides_the_page_asks_for_a_key() -> None:
    asked = replace(ASKED, question=replace(QUESTION, wants_identity=True))
    assert message(asked)["blocks"][-1]["elements"][0]["text"] == "To decide on the page, type in your API key."
    assert text(asked).endswith("The page asks for your API key")
    assert "123456" not in json.dumps(message(asked)) + text(asked)


def test_without_a_link_the_buttons_are_left() -> None:
    asked = replace(ASKED, question=replace(QUESTION, url="", code=""))
    buttons = next(block for block in message(asked)["blocks"] if block["type"] == "actions")["elements"]
    assert [one["action_id"] for one in buttons] == ["approve", "reject"]
    assert "type in" not in json.dumps(message(asked))


def test_many_long_steps_stay_within_the_limits() -> None:
    steps = tuple(f"{'<' * 200} (webhook) {number}" for number in range(50))
    blocks = message(replace(ASKED, question=replace(QUESTION, steps=steps)))["blocks"]
    assert "and 45 more" in json.dumps(blocks)
    assert all(len(block["text"]["text"]) <= 3000 for block in blocks if block["type"] == "section")


@pytest.mark.parametrize(
    ("approved", "sign"), [(True, ":white_check_mark:"), (False, ":no_entry:"), (None, ":heavy_minus_sign:")]
)
def test_what_is_over_has_no_buttons(approved: bool | None, sign: str) -> None:
    over = replace(DECIDED, question=replace(DECIDED.question or QUESTION, approved=approved))
    for said in (message(over), reply(over)):
        assert said["blocks"][0]["text"]["text"] == f"{sign} *Approved by ann &amp; bob*"
        assert [block for block in said["blocks"] if block["type"] == "actions"] == []
        assert "<@" not in json.dumps(said)
    assert message(over)["blocks"][1]["elements"][0]["text"].endswith(" · 2026-10-01 12:00:00 UTC")
    assert len(reply(over)["blocks"]) == 1


@pytest.mark.parametrize("hostile", ["<!here>", "<@U123>", "<https://evil.example|click>", "U123|x", "@channel"])
def test_no_word_of_a_question_can_mention_anyone_or_make_a_link(hostile: str) -> None:
    question = replace(
        QUESTION,
        playbook_name=hostile,
        heartbeat_name=hostile,
        asked_by=hostile,
        steps=(hostile,),
        approvers=(hostile,),
    )
    blocks = message(Notice(9, NoticeKind.APPROVAL_REMINDER, hostile, hostile, NOON, question))["blocks"]
    shown = [block for block in blocks if block["type"] != "actions"]
    assert "<" not in json.dumps(shown)
    assert "@channel" not in json.dumps(shown)


@pytest.mark.parametrize(
    ("approvers", "required", "expected"),
    [((), 1, None), ((), 3, "3 people must agree"), (("ann", "bob"), 1, "must agree: 1 of: ann, bob")],
)
def test_who_must_agree(approvers: tuple[str, ...], required: int, expected: str | None) -> None:
    asked = replace(ASKED, question=replace(QUESTION, approvers=approvers, approvers_required=required))
    for written in (json.dumps(message(asked)), text(asked)):
        assert expected is None or expected in written
        assert ("agree" in written) == (expected is not None)


def test_a_question_about_nothing_in_particular() -> None:
    """Without a service, steps or words of its own."""
    bare = replace(ASKED, because="", question=replace(QUESTION, heartbeat_name=None, steps=()))
    blocks = message(bare)["blocks"]
    assert all(block["text"]["text"] for block in blocks if block["type"] == "section")
    assert "service" not in json.dumps(blocks)


def test_a_webhook_carries_the_link_while_there_is_something_to_decide() -> None:
    asked = envelope(ASKED)
    assert (asked["type"], asked["data"]["summary"]) == ("notice.approval_requested", ASKED.heading)
    approval = asked["data"]["approval"]
    assert (approval["url"], approval["code"], approval["approved"]) == (QUESTION.url, "123456", None)
    assert (approval["execution_id"], approval["steps"]) == (42, list(QUESTION.steps))
    decided = envelope(DECIDED)["data"]["approval"]
    assert (decided["approved"], "url" in decided, "code" in decided) == (True, False, False)


def test_plain_text_says_all_of_it() -> None:
    assert title(ASKED) == "Medic: May Medic repair orders?"
    assert text(ASKED).splitlines() == [
        "It waits for 1 h.",
        "1. drain (webhook)",
        "2. restart (script)",
        f"until {NOON + timedelta(hours=1):%Y-%m-%d %H:%M:%S} UTC",
        "must agree: 2 of: ann, U0123ABCD",
        "See every step, and decide: https://medic.example.com/approvals/t0ken",
        "The page asks for this code: 123456",
    ]
    assert text(DECIDED) == "Execution 42."
