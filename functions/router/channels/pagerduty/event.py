"""What there is to tell, as a PagerDuty event. Pure."""

from __future__ import annotations

from typing import Any

from medic_core.domain.alerting.alerts import AlertEvent, Priority
from medic_core.domain.routing.messages import INCIDENTS, Group, Message, Notice, Notification, headline

SEVERITIES = {
    Priority.P1: "critical",
    Priority.P2: "error",
    Priority.P3: "warning",
    Priority.P4: "info",
    Priority.P5: "info",
}
#: PagerDuty knows no snooze by events: whoever puts an alert off has seen it.
ACTIONS = {
    AlertEvent.RESOLVED: "resolve",
    AlertEvent.ACKNOWLEDGED: "acknowledge",
    AlertEvent.SNOOZED: "acknowledge",
}
SUMMARY_LIMIT = 1024
DEDUP_KEY_LIMIT = 255


def event(message: Message, routing_key: str, base_url: str) -> dict[str, Any]:
    """A trigger, or what follows it under the same dedup key. Of notices, only incidents and tests come here."""
    assert not isinstance(message, Group)
    client = {"client": "Medic", "client_url": base_url} if base_url else {"client": "Medic"}
    if isinstance(message, Notice):
        severity = "critical" if message.kind in INCIDENTS else "info"
        details = {"because": message.because, "notification_id": message.notification_id}
        said = {
            "summary": headline(message)[:SUMMARY_LIMIT],
            "source": "medic",
            "severity": severity,
            "timestamp": message.at.isoformat(),
            "custom_details": details,
        }
        key = f"medic-{message.notification_id}"
        return {"routing_key": routing_key, "event_action": "trigger", "dedup_key": key, **client, "payload": said}
    identity = {
        "routing_key": routing_key,
        "event_action": ACTIONS.get(message.event, "trigger"),
        "dedup_key": message.dedup_key[:DEDUP_KEY_LIMIT],
    }
    if message.event in ACTIONS:
        return identity
    links = [{"href": message.runbook, "text": "Runbook"}] if message.runbook.startswith("http") else []
    if base_url:
        links.append({"href": f"{base_url}/v2/alerts/{message.alert_id}", "text": "Alert"})
    return {**identity, **client, "links": links, "payload": _payload(message)}


def _payload(notification: Notification) -> dict[str, Any]:
    return {
        "summary": headline(notification)[:SUMMARY_LIMIT],
        "source": "medic",
        "severity": "critical" if notification.event is AlertEvent.ESCALATED else SEVERITIES[notification.priority],
        "timestamp": notification.opened_at.isoformat(),
        "component": notification.heartbeat_name,
        "group": notification.team or "none",
        "class": notification.kind,
        "custom_details": {
            "service_name": notification.service_name,
            "because": notification.because,
            "consecutive_failures": notification.consecutive_failures,
            "priority": notification.priority,
            "runbook": notification.runbook,
            "notification_id": notification.notification_id,
        },
    }
