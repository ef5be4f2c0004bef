"""What is done from a message, and what becomes of an incident."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from urllib.parse import quote
from uuid import uuid4

import pytest
from slack_sdk.signature import SignatureVerifier

from medic_core.domain.watching.signals import SignalKind
from medic_core.flows.sweep import sweep
from medic_core.store.connection import Database
from tests.builders import a_service, hears, rows, time_passes
from tests.fixtures.approving import FORM
from tests.fixtures.functions import Functions
from tests.fixtures.receivers import Receivers
from tests.fixtures.repairing import Hand, a_playbook, started
from tests.fixtures.routing import (
    HOUR,
    MINUTE,
    SIGNING_SECRET,
    falls_silent,
    relayed,
)


def pressed(functions: Functions, action: str, value: object, **headers: str) -> int:
    """Press a button as Slack tells of it."""
    payload = {
        "type": "block_actions",
        "trigger_id": uuid4().hex,
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
        signed = {"x_slack_request_timestamp": stamp, "x_slack_signature": signature, "content_type": FORM}
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

    def test_a_repair_that_nobody_was_alerted_for_and_that_did_not_help_is_an_incident(
        self, told: Receivers, functions: Functions, database: Database
    ) -> None:
        unknown_script = {"type": "script", "script": "not-there", "on_failure": "escalate"}
        hand = Hand(database, started(database, a_playbook(database, unknown_script)))
        assert hand.to_the_end() == "escalated"
        relayed(functions)
        (event,) = [one.content for one in told.pagerduty.received]
        assert (event["event_action"], event["payload"]["severity"]) == ("trigger", "critical")
        assert event["payload"]["summary"] == "A playbook did not help"
        assert "not-there" in event["payload"]["custom_details"]["because"]
