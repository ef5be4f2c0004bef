from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from channels.pagerduty.event import event
from channels.slack.message import TEXT_LIMIT, message
from channels.webhook.envelope import envelope, headers
from medic_core.domain.alerting.alerts import INGEST_SILENT, AlertEvent, Priority
from medic_core.domain.routing import queue_messages
from medic_core.domain.routing.messages import HEADLINES, Notification, headline, spoken
from medic_core.domain.routing.plan import plan
from medic_core.domain.routing.retries import Answer, Delivered, GaveUp, Outcome, TryAgain, outcome
from medic_core.domain.routing.targets import Channel, Defaults
from medic_core.domain.watching.states import Trouble

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TOLD = Notification(
    alert_event_id=5,
    alert_id=3,
    event=AlertEvent.OPENED,
    at=NOW,
    because="last heard at noon",
    kind=Trouble.MISSED_HEARTBEAT,
    heartbeat_name="backup",
    service_name="Backup",
    team="infra",
    priority=Priority.P1,
    runbook="https://runbooks.example/backup",
    opened_at=NOW,
    overdue_since=NOW,
    consecutive_failures=1,
)
OVER = replace(TOLD, event=AlertEvent.RESOLVED, at=NOW + 90 * SECOND)


@pytest.mark.parametrize(
    ("answer", "attempt", "expected"),
    [
        (Answer(200), 1, Delivered()),
        (Answer(202), 4, Delivered()),
        (Answer(302), 1, TryAgain(SECOND, "answered 302")),
        (Answer(400), 1, GaveUp("answered 400")),
        (Answer(404), 1, GaveUp("answered 404")),
        (Answer(410), 2, GaveUp("answered 410")),
        (Answer(408), 1, TryAgain(SECOND, "answered 408")),
        (Answer(425), 2, TryAgain(5 * SECOND, "answered 425")),
        (Answer(429, retry_after=17 * SECOND), 1, TryAgain(17 * SECOND, "answered 429")),
        (Answer(429, retry_after=10_000 * SECOND), 1, TryAgain(timedelta(hours=1), "answered 429")),
        (Answer(429, retry_after=2 * SECOND), 3, TryAgain(30 * SECOND, "answered 429")),
        (Answer(500), 1, TryAgain(SECOND, "answered 500")),
        (Answer(503), 2, TryAgain(5 * SECOND, "answered 503")),
        (Answer(503), 3, TryAgain(30 * SECOND, "answered 503")),
        (Answer(503), 4, GaveUp("answered 503")),
        (Answer(None, error="refused"), 1, TryAgain(SECOND, "refused")),
        (Answer(None, error="refused"), 4, GaveUp("refused")),
        (Answer(None, error="Invalid webhook URL", permanent=True), 1, GaveUp("Invalid webhook URL")),
        (Answer(200, error="Slack said internal_error"), 1, TryAgain(SECOND, "Slack said internal_error")),
    ],
)
def test_an_answer_becomes_one_of_three_things(answer: Answer, attempt: int, expected: Outcome) -> None:
    assert outcome(answer, attempt) == expected


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (8, "8 s"), (60, "1 min"), (310, "5 min 10 s"), (7200, "2 h"), (90061, "1 d 1 h"), (-5, "0 s")],
)
def test_lengths_are_spoken(seconds: int, said: str) -> None:
    assert spoken(seconds * SECOND) == said


@pytest.mark.parametrize("kind", [*Trouble, INGEST_SILENT])
@pytest.mark.parametrize("event_kind", list(AlertEvent))
def test_everything_that_can_happen_has_a_headline(kind: str, event_kind: AlertEvent) -> None:
    assert headline(replace(TOLD, kind=kind, event=event_kind))
    assert set(HEADLINES) == {*Trouble, INGEST_SILENT}


def test_headlines_say_what_and_for_how_long() -> None:
    assert headline(TOLD) == "backup has missed its heartbeat"
    assert headline(OVER) == "backup has recovered after 1 min 30 s"
    assert headline(replace(OVER, event=AlertEvent.REMINDED)).startswith("Still: backup")


def test_the_plan_is_what_is_configured_and_may_be_nothing() -> None:
    assert plan(Defaults()) == ()
    planned = plan(Defaults("C1", "R1", "https://hooks.example"))
    assert [one.target.channel for one in planned] == list(Channel)


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{}", '{"notification": 0}', '{"delivery": true}', '{"delivery": "5"}']
)
def test_what_is_no_message_of_ours_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        queue_messages.parse(text)


def test_messages_come_out_as_they_went_in() -> None:
    assert queue_messages.parse(queue_messages.notification(5)) == queue_messages.PlanNotification(5)
    assert queue_messages.parse(queue_messages.delivery(6)) == queue_messages.MakeDelivery(6)


def test_slack_gets_text_that_cannot_mention_anyone_and_fits() -> None:
    shown = message(replace(TOLD, heartbeat_name="<!here> & co", because="x" * 9000))
    texts = [block["text"]["text"] for block in shown["blocks"] if block["type"] == "section"]
    assert "&lt;!here&gt; &amp; co" in shown["text"]
    assert all(len(text) <= TEXT_LIMIT for text in texts)


def test_pagerduty_gets_a_trigger_and_its_resolve_under_one_key() -> None:
    trigger, resolve = (event(one, "R", "https://medic.example") for one in (TOLD, OVER))
    assert trigger["dedup_key"] == resolve["dedup_key"] == "medic-backup"
    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert (trigger["payload"]["severity"], trigger["links"][0]["text"]) == ("critical", "Runbook")
    long = event(replace(TOLD, heartbeat_name="x" * 200), "R", "")
    assert len(long["dedup_key"]) <= 255


def test_a_webhook_keeps_its_id_over_all_tries() -> None:
    first, second = headers(TOLD, NOW), headers(TOLD, NOW + 35 * SECOND)
    assert first["webhook-id"] == second["webhook-id"] == "evt_5"
    assert first["webhook-timestamp"] != second["webhook-timestamp"]
    assert envelope(TOLD)["type"] == "alert.opened"
    assert envelope(TOLD)["timestamp"] == "2026-03-01T12:00:00Z"
