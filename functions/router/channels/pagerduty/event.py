"""A notification as a PagerDuty event. Pure."""

from __future__ import annotations

from typing import Any

from medic_core.domain.alerting.alerts import Priority
from medic_core.domain.routing.messages import Notification, headline

SEVERITIES = {
    Priority.P1: "critical",
    Priority.P2: "error",
    Priority.P3: "warning",
    Priority.P4: "info",
    Priority.P5: "info",
}
SUMMARY_LIMIT = 1024
DEDUP_KEY_LIMIT = 255


def event(notification: Notification, routing_key: str, base_url: str) -> dict[str, Any]:
    """A trigger, or the resolve under the same dedup key."""
    identity = {
        "routing_key": routing_key,
        "event_action": "resolve" if notification.is_recovery else "trigger",
        "dedup_key": notification.dedup_key[:DEDUP_KEY_LIMIT],
    }
    if notification.is_recovery:
        return identity
    links = [{"href": notification.runbook, "text": "Runbook"}] if notification.runbook.startswith("http") else []
    client = {"client": "Medic", "client_url": base_url} if base_url else {"client": "Medic"}
    return {**identity, **client, "links": links, "payload": _payload(notification)}


def _payload(notification: Notification) -> dict[str, Any]:
    return {
        "summary": headline(notification)[:SUMMARY_LIMIT],
        "source": "medic",
        "severity": SEVERITIES[notification.priority],
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
