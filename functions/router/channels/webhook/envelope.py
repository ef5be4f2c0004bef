"""A notification as a webhook carries it. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from medic_core.api.answers import rfc3339
from medic_core.domain.routing.messages import Notification, headline


def envelope(notification: Notification) -> dict[str, Any]:
    """`type`, `timestamp` and `data`, as Standard Webhooks wants them."""
    return {
        "type": f"alert.{notification.event}",
        "timestamp": rfc3339(notification.at),
        "data": {
            "alert_id": notification.alert_id,
            "kind": notification.kind,
            "heartbeat_name": notification.heartbeat_name,
            "service_name": notification.service_name,
            "team": notification.team,
            "priority": notification.priority,
            "summary": headline(notification),
            "because": notification.because,
            "runbook": notification.runbook,
            "consecutive_failures": notification.consecutive_failures,
            "opened_at": rfc3339(notification.opened_at),
            "overdue_since": rfc3339(notification.overdue_since),
        },
    }


def headers(notification: Notification, sent_at: datetime) -> dict[str, str]:
    """`webhook-id` stays the same over all tries, so that a receiver can drop repeats."""
    return {"webhook-id": notification.notification_id, "webhook-timestamp": str(int(sent_at.timestamp()))}
