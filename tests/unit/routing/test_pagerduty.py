from __future__ import annotations

import json
from datetime import datetime

import pytest

from channels.pagerduty.event import event
from medic_core.domain.alerting.alerts import INGEST_SILENT, AlertEvent, Priority
from medic_core.domain.watching.states import Trouble
from tests.unit.routing.notifications import a_notification, a_recovery

TOLD = [AlertEvent.OPENED, AlertEvent.REMINDED, AlertEvent.UNMUTED]
BASE_URL = "https://medic.example"


@pytest.mark.parametrize("kind", [*Trouble, INGEST_SILENT])
@pytest.mark.parametrize("told", TOLD)
def test_a_trigger_has_all_that_pagerduty_requires(told: AlertEvent, kind: str) -> None:
    sent = event(a_notification(told, kind=kind), "R1", BASE_URL)
    assert (sent["routing_key"], sent["event_action"], sent["dedup_key"]) == ("R1", "trigger", "medic-backup")
    payload = sent["payload"]
    assert payload["summary"]
    assert payload["source"]
    assert payload["severity"] in {"critical", "error", "warning", "info"}
    assert datetime.fromisoformat(payload["timestamp"]).tzinfo is not None
    assert json.loads(json.dumps(sent)) == sent


def test_a_resolve_carries_the_key_of_its_trigger_and_no_more() -> None:
    resolve = event(a_recovery(alert_event_id=99), "R1", BASE_URL)
    assert resolve == {"routing_key": "R1", "event_action": "resolve", "dedup_key": "medic-backup"}


@pytest.mark.parametrize("name", ["x" * 200, "日" * 200, "a b/c"])
def test_the_key_is_the_same_for_both_whatever_the_name_and_fits(name: str) -> None:
    keys = {event(one(heartbeat_name=name), "R1", "")["dedup_key"] for one in (a_notification, a_recovery)}
    assert keys == {f"medic-{name}"}
    assert all(len(key) <= 255 for key in keys)


@pytest.mark.parametrize(
    ("priority", "severity"),
    [
        (Priority.P1, "critical"),
        (Priority.P2, "error"),
        (Priority.P3, "warning"),
        (Priority.P4, "info"),
        (Priority.P5, "info"),
    ],
)
def test_the_severity_is_the_priority(priority: Priority, severity: str) -> None:
    assert event(a_notification(priority=priority), "R1", "")["payload"]["severity"] == severity


def test_the_longest_summary_fits() -> None:
    sent = event(a_notification(AlertEvent.REMINDED, heartbeat_name="x" * 5000), "R1", "")
    assert 0 < len(sent["payload"]["summary"]) <= 1024


@pytest.mark.parametrize(
    ("runbook", "links"),
    [
        ("https://runbooks.example/backup", [{"href": "https://runbooks.example/backup", "text": "Runbook"}]),
        ("call Ann", []),
        ("", []),
        ("javascript:alert(1)", []),
    ],
)
def test_a_runbook_is_a_link_where_it_is_one(runbook: str, links: list[dict[str, str]]) -> None:
    sent = event(a_notification(runbook=runbook), "R1", "")
    assert sent["links"] == links
    assert sent["payload"]["custom_details"]["runbook"] == runbook


def test_medic_says_who_it_is_and_where_if_it_knows() -> None:
    assert event(a_notification(), "R1", BASE_URL)["client_url"] == BASE_URL
    assert "client_url" not in event(a_notification(), "R1", "")
    assert event(a_notification(), "R1", "")["client"] == "Medic"
