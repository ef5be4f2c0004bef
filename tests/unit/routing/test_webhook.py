from __future__ import annotations

import json
from datetime import timedelta

import pytest

from channels.webhook.envelope import envelope, headers
from medic_core.domain.alerting.alerts import INGEST_SILENT, AlertEvent
from medic_core.domain.watching.states import Trouble
from tests.unit.routing.notifications import NOW, a_notification

SECOND = timedelta(seconds=1)


def test_the_id_stays_the_same_over_all_tries_and_the_timestamp_is_of_the_try() -> None:
    first, second = (headers(a_notification(), b"{}", (), NOW + wait * SECOND) for wait in (0, 35.9))
    assert first == {"webhook-id": "evt_5", "webhook-timestamp": "1772366400"}
    assert second == {"webhook-id": "evt_5", "webhook-timestamp": "1772366435"}


def test_two_notifications_of_an_alert_have_two_ids() -> None:
    opened, reminded = a_notification(), a_notification(AlertEvent.REMINDED, alert_event_id=6)
    assert headers(opened, b"", (), NOW)["webhook-id"] != headers(reminded, b"", (), NOW)["webhook-id"]


@pytest.mark.parametrize("kind", [*Trouble, INGEST_SILENT])
@pytest.mark.parametrize("event", list(AlertEvent))
def test_the_envelope_is_of_the_specification(event: AlertEvent, kind: str) -> None:
    sent = json.loads(json.dumps(envelope(a_notification(event, kind=kind))))
    assert set(sent) == {"type", "timestamp", "data"}
    assert (sent["type"], sent["timestamp"]) == (f"alert.{event}", "2026-03-01T12:00:00Z")
    assert (sent["data"]["kind"], sent["data"]["alert_id"]) == (kind, 3)
    assert sent["data"]["summary"]


def test_the_same_notification_is_the_same_body_at_every_try() -> None:
    assert json.dumps(envelope(a_notification())) == json.dumps(envelope(a_notification()))


def test_it_carries_all_that_is_known() -> None:
    assert envelope(a_notification())["data"] == {
        "alert_id": 3,
        "kind": "missed_heartbeat",
        "service_id": None,
        "heartbeat_name": "backup",
        "service_name": "Backup",
        "team": "infra",
        "priority": "p1",
        "summary": "backup has missed its heartbeat",
        "because": "last heard at noon",
        "actor": None,
        "runbook": "https://runbooks.example/backup",
        "consecutive_failures": 1,
        "opened_at": "2026-03-01T12:00:00Z",
        "overdue_since": "2026-03-01T12:00:00Z",
    }
