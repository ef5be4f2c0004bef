"""What targets hear and do: buttons, incidents, signatures, chains, groups, and those that are ill."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from slack_sdk.signature import SignatureVerifier
from standardwebhooks.webhooks import Webhook

from medic_core.domain.watching.signals import SignalKind
from medic_core.flows.relay import relay_forgotten
from medic_core.flows.sweep import sweep
from medic_core.store.connection import Database
from tests.builders import a_service, hears, rows, time_passes
from tests.fixtures.functions import Functions
from tests.fixtures.receivers import Receivers
from tests.stand_ins import receivers
from tests.stand_ins.receivers import Answer, Receiver

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


@pytest.fixture
def told(standing_in: Receivers, environment: Any, monkeypatch: pytest.MonkeyPatch) -> Receivers:
    """The stand-ins are the default channel, and Slack's buttons are signed."""
    for name, value in {**standing_in.environment, "SLACK_SIGNING_SECRET": SIGNING_SECRET}.items():
        monkeypatch.setenv(name, value)
    return standing_in


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch, told: Receivers) -> Iterator[list[Receiver]]:
    """Three more receivers of webhooks."""
    found = [receivers.webhook() for _ in range(3)]
    hosts = [receiver.url.removeprefix("http://") for receiver in (told.webhook, *found)]
    monkeypatch.setenv("MEDIC_ALLOWED_WEBHOOK_HOSTS", ",".join(hosts))
    yield found
    for receiver in found:
        receiver.close()
        assert receiver.wrong == []


def relayed(functions: Functions) -> None:
    tick = functions.module("tick")
    tick.relay(tick.DATABASE, tick.NOTIFICATIONS)
    while functions.route_notifications():
        pass


def later(functions: Functions, database: Database, by: timedelta) -> None:
    """What is due by then is queued again and made."""
    time_passes(database, by)
    tick = functions.module("tick")
    functions.notifications.drain()
    functions.slow.drain()
    relay_forgotten(tick.DATABASE, tick.NOTIFICATIONS)
    relayed(functions)


def falls_silent(functions: Functions, database: Database, *names: str, **wanted: Any) -> None:
    for name in names or ("nightly-backup",):
        a_service(database, name, **wanted)
        hears(database, name)
    a_service(database, "lively", every_seconds=86_400)
    time_passes(database, 61 * SECOND)
    hears(database, "lively")
    sweep(database, 0, timedelta(seconds=15))
    relayed(functions)


def deliveries(database: Database) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = rows(
        database, "SELECT target_key, status FROM medic.notification_deliveries ORDER BY delivery_id"
    )
    return found


def a_webhook_target(functions: Functions, receiver: Receiver, **wanted: Any) -> dict[str, Any]:
    body = {"service_id": 1, "type": "webhook", "config": {"url": f"{receiver.url}/hook"}, **wanted}
    reply = functions.api("POST", "/v2/targets", body)
    assert reply.status == 201, reply.body
    found: dict[str, Any] = reply.json["results"]
    return found


def pressed(functions: Functions, action: str, value: object, **headers: str) -> int:
    """Press a button as Slack tells of it."""
    payload = {
        "type": "block_actions",
        "user": {"id": "U1", "username": "ann"},
        "actions": [{"action_id": action, "value": str(value)}],
    }
    body = f"payload={quote(json.dumps(payload))}"
    stamp = str(int(time.time()))
    signature = SignatureVerifier(SIGNING_SECRET).generate_signature(timestamp=stamp, body=body)
    signed = {"x_slack_request_timestamp": stamp, "x_slack_signature": signature or ""} | headers
    form = {"content_type": "application/x-www-form-urlencoded"}
    return functions.api("POST", "/v2/slack/interactions", body, key=None, **form, **signed).status


class TestButtons:
    def test_an_acknowledgement_from_slack_stops_all_reminders_and_is_told(
        self, told: Receivers, functions: Functions, database: Database
    ) -> None:
        falls_silent(functions, database, reminder_interval_seconds=60)
        (opened,) = told.slack.received
        (actions,) = (
            json.loads(block) if isinstance(block, str) else block for block in [opened.content["blocks"][-1]]
        )
        assert [(one["action_id"], one["value"]) for one in actions["elements"]] == [
            ("acknowledge", "1"),
            ("mute", "1"),
        ]
        assert pressed(functions, "acknowledge", 1) == 200
        relayed(functions)
        edited, reply = (received.content for received in told.slack.received[1:])
        assert (edited["ts"], reply["thread_ts"]) == ("1790000000.000000", "1790000000.000000")
        assert "ann (Slack) looks after it" in str(edited["blocks"])
        assert [one.content["event_action"] for one in told.pagerduty.received] == ["trigger", "acknowledge"]
        assert told.webhook.received[-1].content["type"] == "alert.acknowledged"
        assert told.webhook.received[-1].content["data"]["actor"] == "ann (Slack)"
        alert = functions.api("GET", "/v2/alerts/1").json["results"]
        assert (alert["status"], alert["acknowledged_by"]) == ("acknowledged", "ann (Slack)")
        assert alert["acknowledged_at"] is not None
        for _ in range(5):
            time_passes(database, HOUR)
            sweep(database, 0, timedelta(seconds=15))
        relayed(functions)
        assert len(told.pagerduty.received) == 2

    def test_a_mute_from_slack(self, told: Receivers, functions: Functions, database: Database) -> None:
        falls_silent(functions, database)
        assert pressed(functions, "mute", 1) == 200
        service = functions.api("GET", "/v2/services/1").json["results"]
        assert (service["mute_reason"], service["muted_until"] is None) == ("muted in Slack", False)

    def test_a_runbook_button_leads_there(self, told: Receivers, functions: Functions, database: Database) -> None:
        falls_silent(functions, database, runbook="https://runbooks.example/backup")
        buttons = told.slack.received[0].content["blocks"][-1]["elements"]
        assert buttons[-1]["url"] == "https://runbooks.example/backup"
        assert pressed(functions, "runbook", 1) == 200

    @pytest.mark.parametrize(("action", "value"), [("acknowledge", 99), ("mute", 99), ("unknown", 1)])
    def test_a_button_of_what_is_gone_does_nothing(
        self, told: Receivers, functions: Functions, database: Database, action: str, value: int
    ) -> None:
        assert pressed(functions, action, value) == 200

    def test_a_button_of_an_alert_that_is_over(self, told: Receivers, functions: Functions, database: Database) -> None:
        falls_silent(functions, database)
        hears(database)
        assert pressed(functions, "acknowledge", 1) == 200
        assert functions.api("GET", "/v2/alerts/1").json["results"]["acknowledged_by"] is None

    @pytest.mark.parametrize(
        "headers",
        [
            {"x_slack_signature": "v0=" + "0" * 64},
            {"x_slack_signature": ""},
            {"x_slack_request_timestamp": "1"},
            {"x_slack_request_timestamp": "x"},
        ],
    )
    def test_who_is_not_slack_is_refused(
        self, told: Receivers, functions: Functions, database: Database, headers: dict[str, str]
    ) -> None:
        falls_silent(functions, database)
        assert pressed(functions, "acknowledge", 1, **headers) == 403
        assert functions.api("GET", "/v2/alerts/1").json["results"]["status"] == "open"

    def test_without_a_signing_secret_all_are(
        self, told: Receivers, functions: Functions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SLACK_SIGNING_SECRET", "")
        assert pressed(functions, "acknowledge", 1) == 403

    @pytest.mark.parametrize("body", ["", "payload=", "payload=%5B%5D", "payload=x", "a=b", "payload=" + "%5B" * 5000])
    def test_a_signed_body_that_says_nothing(self, told: Receivers, functions: Functions, body: str) -> None:
        stamp = str(int(time.time()))
        signature = SignatureVerifier(SIGNING_SECRET).generate_signature(timestamp=stamp, body=body) or ""
        signed = {"x_slack_request_timestamp": stamp, "x_slack_signature": signature}
        assert functions.api("POST", "/v2/slack/interactions", body, key=None, **signed).status == 400

    def test_a_body_that_came_in_base64(self, told: Receivers, functions: Functions, database: Database) -> None:
        falls_silent(functions, database)
        body = f"payload={quote(json.dumps({'actions': [{'action_id': 'acknowledge', 'value': '1'}]}))}".encode()
        stamp = str(int(time.time()))
        signature = SignatureVerifier(SIGNING_SECRET).generate_signature(timestamp=stamp, body=body) or ""
        signed = {"x_slack_request_timestamp": stamp, "x_slack_signature": signature}
        assert functions.api("POST", "/v2/slack/interactions", body, key=None, **signed).status == 200
        assert functions.api("GET", "/v2/alerts/1").json["results"]["acknowledged_by"] == "somebody (Slack)"


class TestPagerDuty:
    def test_an_incident_ends_with_the_last_alert_of_its_service(
        self, told: Receivers, functions: Functions, database: Database
    ) -> None:
        a_service(database, max_duration_ms=1000)
        hears(database, kind=SignalKind.STARTED, run_id="a")
        hears(database, kind=SignalKind.DOWN)
        time_passes(database, MINUTE)
        sweep(database, 0, timedelta(seconds=15))
        relayed(functions)
        hears(database)
        relayed(functions)
        assert [one.content["event_action"] for one in told.pagerduty.received] == ["trigger", "trigger"]
        hears(database, kind=SignalKind.COMPLETED, run_id="a")
        relayed(functions)
        open_alerts = rows(database, "SELECT kind FROM medic.alerts WHERE resolved_at IS NULL")
        actions = [one.content["event_action"] for one in told.pagerduty.received]
        if open_alerts:
            # The run was over its limit: that is an alert of the same service, and the incident goes on.
            assert (open_alerts, actions.count("resolve")) == ([("duration_exceeded",)], 0)
            functions.api("POST", "/v2/alerts/3/resolve")
            relayed(functions)
            actions = [one.content["event_action"] for one in told.pagerduty.received]
        assert actions[-1] == "resolve"
        assert actions.count("resolve") == 1

    def test_a_snooze_acknowledges_and_its_end_triggers_again(
        self, told: Receivers, functions: Functions, database: Database
    ) -> None:
        falls_silent(functions, database)
        (now,) = rows(database, "SELECT now() + interval '1 hour'")[0]
        assert functions.api("POST", "/v2/alerts/1/snooze", {"until": now.isoformat()}).status == 200
        relayed(functions)
        time_passes(database, HOUR + MINUTE)
        sweep(database, 0, timedelta(seconds=15))
        relayed(functions)
        actions = [one.content["event_action"] for one in told.pagerduty.received]
        assert actions == ["trigger", "acknowledge", "trigger"]


class TestWhoHearsOfWhatFollows:
    def test_only_who_was_told_of_the_beginning(
        self, told: Receivers, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        a_service(database)
        hears(database)
        a_webhook_target(functions, others[0])
        time_passes(database, 61 * SECOND)
        sweep(database, 0, timedelta(seconds=15))
        relayed(functions)
        a_webhook_target(functions, others[1], priority=0)
        hears(database)
        relayed(functions)
        assert [one.content["type"] for one in others[0].received] == ["alert.opened", "alert.resolved"]
        assert others[1].received == told.slack.received == []

    def test_not_who_could_not_be_reached(
        self, told: Receivers, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        a_service(database)
        hears(database)
        for receiver in others[:2]:
            a_webhook_target(functions, receiver)
        others[0].answers = [Answer(404)]
        time_passes(database, 61 * SECOND)
        sweep(database, 0, timedelta(seconds=15))
        relayed(functions)
        hears(database)
        relayed(functions)
        assert [one.content["type"] for one in others[0].received] == ["alert.opened"]
        assert [one.content["type"] for one in others[1].received] == ["alert.opened", "alert.resolved"]

    def test_in_another_period_too(
        self, told: Receivers, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        a_service(database)
        hears(database)
        a_webhook_target(functions, others[0], period="during_hours")
        time_passes(database, 61 * SECOND)
        sweep(database, 0, timedelta(seconds=15))
        relayed(functions)
        functions.api("POST", "/v2/schedules", {"name": "never", "hours": {}})
        functions.api("PATCH", "/v2/services/1", {"working_hours_id": 1})
        hears(database)
        relayed(functions)
        assert [one.content["type"] for one in others[0].received] == ["alert.opened", "alert.resolved"]


class TestUntilOneSucceeds:
    @pytest.fixture
    def chain(self, told: Receivers, others: list[Receiver], functions: Functions, database: Database) -> None:
        a_service(database)
        hears(database)
        functions.api("PATCH", "/v2/services/1", {"notification_mode": "notify_until_success"})
        for place, receiver in enumerate(others):
            a_webhook_target(functions, receiver, priority=place)
        time_passes(database, 61 * SECOND)
        sweep(database, 0, timedelta(seconds=15))

    @pytest.mark.usefixtures("chain")
    def test_the_first_that_takes_it_is_the_last_that_is_told(
        self, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        relayed(functions)
        assert [len(receiver.received) for receiver in others] == [1, 0, 0]
        assert [status for _, status in deliveries(database)] == ["success", "skipped", "skipped"]

    @pytest.mark.usefixtures("chain")
    def test_one_that_refuses_makes_way_and_the_end_goes_to_who_took_it(
        self, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        others[0].answers = [Answer(404)]
        relayed(functions)
        assert [len(receiver.received) for receiver in others] == [1, 1, 0]
        hears(database)
        relayed(functions)
        assert [len(receiver.received) for receiver in others] == [1, 2, 0]
        assert others[1].received[-1].content["type"] == "alert.resolved"

    @pytest.mark.usefixtures("chain")
    def test_one_that_is_broken_makes_way_after_its_tries(
        self, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        others[0].answers = [Answer(500)] * 4
        relayed(functions)
        for wait in (25, 30, 60):
            later(functions, database, timedelta(seconds=wait))
        assert [len(receiver.received) for receiver in others] == [4, 1, 0]

    @pytest.mark.usefixtures("chain")
    def test_all_that_fail_are_all_tried(
        self, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        for receiver in others:
            receiver.answers = [Answer(403)]
        relayed(functions)
        assert [status for _, status in deliveries(database)] == ["failed"] * 3

    @pytest.mark.usefixtures("chain")
    def test_one_that_wants_to_be_left_alone_for_long_makes_way_at_once(
        self, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        with database.transaction() as tx:
            tx.execute(
                "INSERT INTO medic.target_health (target_key, throttled_until)"
                " VALUES ('target:1', now() + interval '1 hour')"
            )
        others[1].answers = [Answer(429, {}, {"Retry-After": "600"})]
        relayed(functions)
        assert [len(receiver.received) for receiver in others] == [0, 1, 1]
        assert [status for _, status in deliveries(database)] == ["failed", "failed", "success"]

    @pytest.mark.usefixtures("chain")
    def test_one_that_was_deleted_meanwhile_makes_way_too(
        self, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        router = functions.module("notifications")
        ((event_id,),) = rows(database, "SELECT max(alert_event_id) FROM medic.alert_events")
        router.plan_notification(database, event_id, router.DEFAULTS, 5)
        functions.api("DELETE", "/v2/targets/1")
        functions.api("PATCH", "/v2/targets/2", {"enabled": False})
        later(functions, database, MINUTE)
        assert [len(receiver.received) for receiver in others] == [0, 0, 1]
        assert [status for _, status in deliveries(database)] == ["failed", "failed", "success"]


class TestWebhooks:
    def test_the_specifications_library_verifies_what_comes(
        self, told: Receivers, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        body = {"url": f"{others[0].url}/hook", "headers": {"X-Team": "infra"}}
        first = functions.api("POST", "/v2/webhooks", body).json["results"]["secret"]
        second = functions.api("POST", "/v2/webhooks/1/rotate-secret").json["results"]["secret"]
        target = a_webhook_target_of_a_service(functions, database, others[1])
        hears(database, kind=SignalKind.DOWN)
        relayed(functions)
        (received,) = others[0].received
        for secret in (first, second):
            assert Webhook(secret).verify(received.body, received.headers) == received.content
        assert received.headers["x-team"] == "infra"
        (received,) = others[1].received
        assert Webhook(target["secret"]).verify(received.body, received.headers)
        time_passes(database, timedelta(days=2))
        functions.api("POST", "/v2/deliveries/1/redeliver")
        relayed(functions)

    def test_the_default_webhook_is_signed_where_there_is_a_secret(
        self, told: Receivers, functions: Functions, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        secret = "whsec_" + "QUJD" * 8
        monkeypatch.setenv("MEDIC_WEBHOOK_SECRET", secret)
        falls_silent(functions, database)
        (received,) = told.webhook.received
        assert Webhook(secret).verify(received.body, received.headers)

    def test_the_log_says_what_came_of_it_and_sends_it_again_under_the_same_id(
        self, told: Receivers, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        a_service(database)
        functions.api("POST", "/v2/webhooks", {"url": f"{others[0].url}/hook", "service_id": 1})
        others[0].answers = [Answer(422, {"error": "what?"})]
        hears(database, kind=SignalKind.DOWN)
        relayed(functions)
        (logged,) = functions.api("GET", "/v2/webhooks/1/deliveries").json["results"]["items"]
        assert (logged["status"], logged["response_code"], logged["attempts"]) == ("failed", 422, 1)
        assert (logged["response_body"], logged["event"]) == ('{"error": "what?"}', "opened")
        path = f"/v2/webhooks/1/deliveries/{logged['delivery_id']}/redeliver"
        assert functions.api("POST", path).json["results"]["status"] == "pending"
        assert functions.api("POST", path).status == 409
        relayed(functions)
        ids = {one.headers["webhook-id"] for one in others[0].received}
        assert (len(others[0].received), len(ids)) == (2, 1)
        (logged,) = functions.api("GET", "/v2/webhooks/1/deliveries?status=success").json["results"]["items"]
        assert logged["error"] is None
        assert functions.api("POST", "/v2/webhooks/1/deliveries/999/redeliver").status == 404
        assert functions.api("GET", "/v2/webhooks/9/deliveries").status == 404
        everything = functions.api("GET", "/v2/deliveries?alert_id=1").json["results"]["items"]
        assert len(everything) == 4
        assert functions.api("POST", "/v2/deliveries/999/redeliver").status == 404

    def test_one_that_is_gone_is_disabled_at_once_and_that_is_told(
        self, told: Receivers, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        a_service(database)
        functions.api("POST", "/v2/webhooks", {"url": f"{others[0].url}/hook"})
        others[0].answers = [Answer(410)]
        hears(database, kind=SignalKind.DOWN)
        relayed(functions)
        relayed(functions)
        webhook = functions.api("GET", "/v2/webhooks/1").json["results"]
        assert (webhook["enabled"], webhook["disabled_because"]) == (False, "its receiver says that it is gone")
        assert "Webhook 1 was disabled" in [one.content["text"] for one in told.slack.received]
        hears(database)
        relayed(functions)
        assert len(others[0].received) == 1
        enabled = functions.api("PATCH", "/v2/webhooks/1", {"enabled": True}).json["results"]
        assert (enabled["enabled"], enabled["disabled_because"]) == (True, None)

    def test_one_that_fails_for_days_is_disabled_and_one_that_fails_for_an_hour_is_told_of(
        self, told: Receivers, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        a_service(database)
        functions.api("POST", "/v2/webhooks", {"url": f"{others[0].url}/hook"})
        others[0].answers = [Answer(404)] * 5
        for by in (timedelta(0), 30 * MINUTE, 2 * HOUR, 2 * HOUR, timedelta(days=5)):
            time_passes(database, by)
            hears(database, kind=SignalKind.DOWN)
            ((alert_id,),) = rows(database, "SELECT alert_id FROM medic.alerts WHERE resolved_at IS NULL")
            functions.api("POST", f"/v2/alerts/{alert_id}/resolve")
            relayed(functions)
            relayed(functions)
        kinds = [kind for (kind,) in rows(database, "SELECT kind FROM medic.notices ORDER BY notice_id")]
        assert kinds == ["target_failing", "webhook_disabled"]
        assert functions.api("GET", "/v2/webhooks/1").json["results"]["enabled"] is False


def a_webhook_target_of_a_service(functions: Functions, database: Database, receiver: Receiver) -> dict[str, Any]:
    a_service(database)
    return a_webhook_target(functions, receiver)


class TestGroups:
    def names(self, count: int) -> tuple[str, ...]:
        return tuple(f"s{number:02}" for number in range(count))

    def test_many_at_once_are_one_message_on_slack_and_one_each_elsewhere(
        self, told: Receivers, functions: Functions, database: Database
    ) -> None:
        falls_silent(functions, database, *self.names(12))
        time.sleep(1.1)
        later(functions, database, MINUTE)
        (grouped,) = told.slack.received
        assert grouped.content["text"] == "12 services need attention"
        lines = "\n".join(block["text"]["text"] for block in grouped.content["blocks"])
        assert all(f"{name} has missed its heartbeat" in lines for name in self.names(12))
        assert [len(one.received) for one in (told.pagerduty, told.webhook)] == [12, 12]
        assert set(deliveries(database)) == {
            ("default:slack", "success"), ("default:pagerduty", "success"), ("default:webhook", "success")
        }  # fmt: skip
        hears(database, "s03")
        relayed(functions)
        reply = told.slack.received[-1].content
        assert (reply["thread_ts"], reply["text"].startswith("s03 has recovered")) == ("1790000000.000000", True)

    def test_a_few_are_told_one_by_one(self, told: Receivers, functions: Functions, database: Database) -> None:
        falls_silent(functions, database, *self.names(4))
        assert len(told.slack.received) == 4

    def test_a_few_of_many_for_a_target_of_their_own_are_told_one_by_one(
        self, told: Receivers, functions: Functions, database: Database
    ) -> None:
        for number, name in enumerate(self.names(8), 1):
            a_service(database, name)
            hears(database, name)
            if number <= 2:
                slack = {"type": "slack", "config": {"channel_id": "C-own"}, "service_id": number}
                functions.api("POST", "/v2/targets", slack)
        time_passes(database, 61 * SECOND)
        sweep(database, 0, timedelta(seconds=15))
        relayed(functions)
        later(functions, database, MINUTE)
        texts = sorted((one.content["channel"], one.content["text"]) for one in told.slack.received)
        assert ("C-own", "s00 has missed its heartbeat") in texts
        assert [channel for channel, _ in texts].count("C-own") == 2
        assert ("C0123456789", "6 services need attention") in texts

    def test_hundreds_fit_into_a_message(self, told: Receivers, functions: Functions, database: Database) -> None:
        falls_silent(functions, database, *(f"service-{number:04}-{'x' * 100}" for number in range(120)))
        later(functions, database, 2 * MINUTE)
        grouped = [one for one in told.slack.received if one.content["text"].endswith("need attention")]
        alone = len(told.slack.received) - len(grouped)
        assert sum(int(one.content["text"].split()[0]) for one in grouped) + alone == 120
        assert (len(grouped) <= 3, alone < 5) == (True, True)

    def test_a_group_that_is_refused_is_tried_again_and_nobody_is_lost(
        self, told: Receivers, functions: Functions, database: Database
    ) -> None:
        told.slack.answers = [Answer(500, {"ok": False, "error": "fatal_error"})]
        falls_silent(functions, database, *self.names(6))
        later(functions, database, 2 * MINUTE)
        later(functions, database, 2 * MINUTE)
        slack = [status for key, status in deliveries(database) if key == "default:slack"]
        assert slack == ["success"] * 6


class TestTargetsThatAreIll:
    def test_one_that_hangs_goes_to_the_slow_lane_and_is_waited_for_there(
        self, told: Receivers, functions: Functions, database: Database
    ) -> None:
        told.slack.answers = [Answer(after_seconds=5, body={"ok": True, "ts": "1"})] * 2
        a_service(database)
        hears(database, kind=SignalKind.DOWN)
        tick = functions.module("tick")
        tick.relay(tick.DATABASE, tick.NOTIFICATIONS)
        assert functions._route(functions.notifications) == 1
        assert dict(deliveries(database))["default:slack"] == "retrying"
        assert rows(database, "SELECT slow_until > now() FROM medic.target_health") == [(True,)]
        time.sleep(1.1)
        assert functions._route(functions.slow) == 1
        assert dict(deliveries(database))["default:slack"] == "success"
        a_service(database, "other")
        hears(database, "other", SignalKind.DOWN)
        tick.relay(tick.DATABASE, tick.NOTIFICATIONS)
        began = len(told.slack.received)
        functions._route(functions.notifications)
        assert len(told.slack.received) == began, "it is not even tried beside the others"
        assert functions._route(functions.slow) == 1
        assert {status for _, status in deliveries(database)} == {"success"}

    def test_one_that_hangs_keeps_no_incident_waiting(
        self, told: Receivers, functions: Functions, database: Database
    ) -> None:
        """Slack hangs, and PagerDuty hears of all at once; what Slack was to hear waits in a lane of its own."""
        told.slack.answers = [Answer(after_seconds=30)] * 500
        for number in range(60):
            a_service(database, f"s{number}")
            hears(database, f"s{number}", SignalKind.DOWN)
        tick = functions.module("tick")
        tick.relay(tick.DATABASE, tick.NOTIFICATIONS)
        while functions._route(functions.notifications):
            pass
        found = rows(database, "SELECT target_key, status, count(*) FROM medic.notification_deliveries GROUP BY 1, 2")
        waiting = {status: count for key, status, count in found if key == "default:slack"}
        assert sum(waiting.values()) == 60
        assert "success" not in waiting
        assert len(told.slack.received) <= 10, "the first batch found out; the others did not even try"
        arrived = sorted(one.at for one in told.pagerduty.received)
        print(f"\n60 incidents within {arrived[-1] - arrived[0]:.2f} s while Slack hangs")
        assert (len(arrived), len({one.content["dedup_key"] for one in told.pagerduty.received})) == (60, 60)

    def test_one_that_asks_to_be_left_alone_is_and_loses_nothing(
        self, told: Receivers, functions: Functions, database: Database
    ) -> None:
        told.webhook.answers = [Answer(429, {}, {"Retry-After": "40"})] * 3
        for name in ("a", "b", "c", "d"):
            a_service(database, name)
        for name in ("a", "b", "c", "d"):
            hears(database, name, SignalKind.DOWN)
            relayed(functions)
        assert len(told.webhook.received) == 1, "the others wait without asking"
        for _ in range(6):
            later(functions, database, 61 * SECOND)
        assert {status for _, status in deliveries(database)} == {"success"}
        taken = {one.headers["webhook-id"] for one in told.webhook.received}
        assert len(taken) == 4


@contextmanager
def routing(functions: Functions) -> Iterator[None]:
    """The router works in the background, as it does."""
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            functions.route_notifications()

    functions.module("notifications")
    worker = threading.Thread(target=work)
    worker.start()
    yield
    done.set()
    worker.join()


class TestSecrets:
    def test_of_urls_and_headers_are_in_no_log_whatever_becomes_of_them(
        self,
        told: Receivers,
        others: list[Receiver],
        functions: Functions,
        database: Database,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "DEBUG")
        caplog.set_level("INFO")
        a_service(database)
        headers = {"Authorization": "Bearer S3cret"}
        host = others[0].url
        for url in (
            f"{host}/S3cretS3cretS3cret?token=S3cret",
            "http://127.0.0.9:8080/?S3cret",
            f"{others[1].url}/S3cretS3cretS3cret",
        ):
            body = {"service_id": 1, "type": "webhook", "config": {"url": url, "headers": headers}}
            functions.api("POST", "/v2/targets", body)
        wanted = {"service_id": 1, "type": "apprise", "config": {"url": "jsons://u:S3cret@127.0.0.1:1/S3cret"}}
        assert functions.api("POST", "/v2/targets", wanted).status == 201
        with database.transaction() as tx:
            config = '{"url": "http://127.0.0.9:8080/?S3cret", "headers": {}}'
            tx.execute(
                "INSERT INTO medic.notification_targets (service_id, type, config, secret)"
                f" VALUES (1, 'webhook', '{config}', 'whsec_S3cret')"
            )
        others[1].answers = [Answer(500), Answer(after_seconds=4)]
        hears(database, kind=SignalKind.DOWN)
        relayed(functions)
        assert {status for _, status in deliveries(database)} == {"success", "failed", "retrying"}
        written = capfd.readouterr()
        logged = written.out + written.err + caplog.text
        answers = functions.api("GET", "/v2/deliveries").body + functions.api("GET", "/v2/targets").body
        assert "S3cret" not in logged + answers


class TestTrying:
    def test_a_test_really_goes_there_and_says_what_happened(
        self, told: Receivers, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        a_service(database)
        a_webhook_target(functions, others[0])
        a_webhook_target(functions, others[1])
        pagerduty = {"service_id": 1, "type": "pagerduty", "config": {"service_key": "R" * 32}}
        functions.api("POST", "/v2/targets", pagerduty)
        functions.api("POST", "/v2/targets", {"service_id": 1, "type": "slack", "config": {"channel_id": "C9"}})
        functions.api("POST", "/v2/webhooks", {"url": f"{others[2].url}/hook"})
        others[1].answers = [Answer(403, {"error": "no"})]
        with routing(functions):
            arrived = functions.api("POST", "/v2/targets/1/test", x_actor="ann")
            refused = functions.api("POST", "/v2/targets/2/test")
            assert functions.api("POST", "/v2/targets/3/test").json["results"]["status"] == "success"
            assert functions.api("POST", "/v2/targets/4/test").json["results"]["status"] == "success"
            assert functions.api("POST", "/v2/webhooks/1/test").json["results"]["status"] == "success"
        assert (arrived.status, arrived.json["message"]) == (200, "The test arrived.")
        assert "Asked for by ann" in others[0].received[0].content["data"]["because"]
        assert (refused.json["results"]["status"], refused.json["results"]["response_code"]) == ("failed", 403)
        assert refused.json["message"] == "The test did not arrive: answered 403."
        assert told.slack.received[-1].content["channel"] == "C9"
        assert told.pagerduty.received[-1].content["payload"]["severity"] == "info"
        functions.api("PATCH", "/v2/targets/1", {"enabled": False})
        assert functions.api("POST", "/v2/targets/1/test").status == 409
        assert functions.api("POST", "/v2/targets/9/test").status == 404

    def test_apprise_reaches_whatever_it_knows_but_nothing_inside(
        self, told: Receivers, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        a_service(database)
        host = others[0].url.removeprefix("http://")
        others[0].check = lambda _: ""
        for url in (
            f"json://{host}/x",
            "json://127.0.0.1:1/x",
            "json://localhost:1/",
            "nonsense://x",
            "json://0x7f.1:1/",
        ):
            body = {"service_id": 1, "type": "apprise", "config": {"url": url}}
            assert functions.api("POST", "/v2/targets", body).status == 201
        with routing(functions):
            found = [functions.api("POST", f"/v2/targets/{n}/test").json["results"] for n in range(1, 5)]
        assert [one["status"] for one in found] == ["success", "retrying", "retrying", "failed"]
        assert others[1].received == []
        assert others[0].received[0].content["title"] == "Medic: This is a test"
        assert all(host not in json.dumps(one) for one in found)
