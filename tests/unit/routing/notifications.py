"""A notification to test with: valid by default, so that a test names only what matters to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from medic_core.domain.alerting.alerts import AlertEvent, Priority
from medic_core.domain.routing.messages import Notification
from medic_core.domain.watching.states import Trouble

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OPENED = Notification(
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


def a_notification(event: AlertEvent = AlertEvent.OPENED, **wanted: Any) -> Notification:
    return replace(OPENED, event=event, **wanted)


def a_recovery(**wanted: Any) -> Notification:
    return a_notification(AlertEvent.RESOLVED, **wanted)
