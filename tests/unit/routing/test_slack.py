from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.slack.blocks import TEXT_LIMIT, escaped
from channels.slack.message import message
from medic_core.domain.alerting.alerts import AlertEvent, Priority
from medic_core.domain.routing.messages import Notification
from tests.unit.routing.notifications import a_notification, a_recovery

WORDS = ("heartbeat_name", "service_name", "because", "team", "runbook")
HOSTILE = ["<!here>", "<!channel>", "<@U123>", "<https://evil.example|click>", "a & b", "&lt;", "<", ">"]


def texts(shown: dict[str, Any]) -> list[str]:
    """All that Slack would read as its own markup."""
    found = [shown["text"]]
    for block in shown["blocks"]:
        if block["type"] == "actions":
            continue
        found += [element["text"] for element in block.get("elements", [block.get("text")])]
    return [text if isinstance(text, str) else text["text"] for text in found]


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("field", WORDS)
@pytest.mark.parametrize("event", [AlertEvent.OPENED, AlertEvent.REMINDED, AlertEvent.RESOLVED])
def test_no_word_of_a_service_can_mention_anyone_or_make_a_link(event: AlertEvent, field: str, hostile: str) -> None:
    for text in texts(message(a_notification(event, **{field: hostile}))):
        assert "<" not in text
        assert ">" not in text
        assert hostile not in text


@pytest.mark.parametrize(
    ("text", "safe"),
    [("<!here> & co", "&lt;!here&gt; &amp; co"), ("&amp;", "&amp;amp;"), ("a<b>c", "a&lt;b&gt;c"), ("*x*", "*x*")],
)
def test_the_three_control_characters_are_written_as_slack_wants_them(text: str, safe: str) -> None:
    assert escaped(text) == safe


@given(st.text())
def test_what_was_escaped_reads_as_it_was(text: str) -> None:
    assert escaped(text).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == text


@pytest.mark.parametrize("character", ["x", "&", "<", "日"])
@pytest.mark.parametrize("event", list(AlertEvent))
def test_the_longest_words_fit(event: AlertEvent, character: str) -> None:
    limits = {"heartbeat_name": 200, "service_name": 200, "because": 9000, "team": 200, "runbook": 2000}
    shown = message(a_notification(event, **{field: character * limit for field, limit in limits.items()}))
    assert TEXT_LIMIT == 3000
    assert all(0 < len(text) <= 3000 for text in texts(shown))
    assert len(shown["blocks"]) <= 50


@pytest.mark.parametrize(
    ("notification", "sign"),
    [
        (a_notification(priority=Priority.P1), ":rotating_light:"),
        (a_notification(priority=Priority.P2), ":rotating_light:"),
        (a_notification(priority=Priority.P3), ":warning:"),
        (a_notification(priority=Priority.P5), ":warning:"),
        (a_recovery(priority=Priority.P1), ":white_check_mark:"),
    ],
)
def test_a_sign_tells_the_urgent_from_the_rest_and_from_what_is_over(notification: Notification, sign: str) -> None:
    assert message(notification)["blocks"][0]["text"]["text"].startswith(f"{sign} *")


def test_it_says_what_since_when_how_urgent_whose_and_what_to_do() -> None:
    title, because, context = texts(message(a_notification()))[1:]
    assert title == ":rotating_light: *backup has missed its heartbeat*"
    assert because == "last heard at noon"
    assert context == ("P1 · since 2026-03-01 12:00:00 UTC · team infra · runbook: https://runbooks.example/backup")


def test_what_is_not_known_is_not_said() -> None:
    assert texts(message(a_notification(team="", runbook="")))[-1] == "P1 · since 2026-03-01 12:00:00 UTC"


def test_a_repetition_can_be_recognised() -> None:
    metadata = message(a_notification())["metadata"]
    assert metadata == {"event_type": "medic_notification", "event_payload": {"notification_id": "evt_5"}}
