"""What there is to tell, as a webhook carries it. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from medic_core.api.answers import rfc3339
from medic_core.domain.observing import traces
from medic_core.domain.observing.traces import Trace
from medic_core.domain.routing.messages import Notice, Notification, Question, headline
from medic_core.domain.routing.webhook_signatures import signature


def envelope(message: Notification | Notice) -> dict[str, Any]:
    """`type`, `timestamp` and `data`, as Standard Webhooks wants them."""
    if isinstance(message, Notice):
        about = {"approval": _approval(message.question)} if message.question is not None else {}
        data = {"summary": headline(message), "because": message.because, **about}
        return {"type": f"notice.{message.kind}", "timestamp": rfc3339(message.at), "data": data}
    return {
        "type": f"alert.{message.event}",
        "timestamp": rfc3339(message.at),
        "data": {
            "alert_id": message.alert_id,
            "kind": message.kind,
            "service_id": message.service_id,
            "heartbeat_name": message.heartbeat_name,
            "service_name": message.service_name,
            "team": message.team,
            "priority": message.priority,
            "summary": headline(message),
            "because": message.because,
            "actor": message.actor,
            "runbook": message.runbook,
            "consecutive_failures": message.consecutive_failures,
            "opened_at": rfc3339(message.opened_at),
            "overdue_since": rfc3339(message.overdue_since),
        },
    }


def _approval(question: Question) -> dict[str, Any]:
    """`url` and `code` are there while there is something to decide; whoever has both can, unless it matters who."""
    link = {"url": question.url, "code": question.code} if question.url else {}
    return {
        "request_id": question.request_id,
        "execution_id": question.execution_id,
        "playbook_name": question.playbook_name,
        "version": question.version,
        "heartbeat_name": question.heartbeat_name,
        "asked_by": question.asked_by,
        "steps": list(question.steps),
        "approvers": list(question.approvers),
        "approvers_required": question.approvers_required,
        "expires_at": rfc3339(question.expires_at),
        "approved": question.approved,
        **link,
    }


def body(message: Notification | Notice) -> bytes:
    """The bytes that are sent, and signed."""
    return json.dumps(envelope(message)).encode()


def trace_of(message: Notification | Notice) -> Trace:
    """All that is sent about one alert is one trace; a notice is one of its own."""
    if isinstance(message, Notice):
        return traces.of("notice", message.notice_id, message.at)
    return traces.of_alert(message.alert_id, message.opened_at)


def headers(message: Notification | Notice, sent: bytes, secrets: Sequence[str], sent_at: datetime) -> dict[str, str]:
    """`webhook-id` stays the same over all tries, so that a receiver can drop repeats; the signature covers it."""
    timestamp = int(sent_at.timestamp())
    found = {"webhook-id": message.notification_id, "webhook-timestamp": str(timestamp)}
    if secrets:
        found["webhook-signature"] = signature(secrets, message.notification_id, timestamp, sent)
    return found
