"""What a notification says, before any channel dresses it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from medic_core.domain.alerting.alerts import INGEST_SILENT, AlertEvent, Priority
from medic_core.domain.watching.lengths import spoken
from medic_core.domain.watching.states import Trouble

HEADLINES = {
    Trouble.MISSED_HEARTBEAT: "{name} has missed its heartbeat",
    Trouble.NEVER_REPORTED: "{name} has never reported",
    Trouble.REPORTED_DOWN: "{name} reports that it is down",
    Trouble.JOB_FAILED: "{name} has failed",
    Trouble.DURATION_EXCEEDED: "{name} took too long",
    Trouble.STALE_RUN: "{name} is running for too long",
    INGEST_SILENT: "Medic hears nothing from anyone",
}
RECOVERED = {
    Trouble.DURATION_EXCEEDED: "{name} stays within its limit again",
    Trouble.STALE_RUN: "{name} is not running too long any more",
    INGEST_SILENT: "Medic hears heartbeats again",
}


@dataclass(frozen=True, slots=True)
class Notification:
    """Something to tell people about an alert, as it was when it happened."""

    alert_event_id: int
    alert_id: int
    event: AlertEvent
    at: datetime
    because: str
    kind: str
    heartbeat_name: str
    service_name: str
    team: str
    priority: Priority
    runbook: str
    opened_at: datetime
    overdue_since: datetime
    consecutive_failures: int

    @property
    def notification_id(self) -> str:
        """The same for every try of this notification, so that a receiver can drop repeats."""
        return f"evt_{self.alert_event_id}"

    @property
    def dedup_key(self) -> str:
        """What joins the alerts of one service into one incident elsewhere."""
        return f"medic-{self.heartbeat_name}"

    @property
    def is_recovery(self) -> bool:
        return self.event is AlertEvent.RESOLVED


def headline(notification: Notification) -> str:
    """One line that says what is wrong, or that it is over and after how long."""
    if notification.is_recovery:
        over = RECOVERED.get(notification.kind, "{name} has recovered").format(name=notification.heartbeat_name)
        return f"{over} after {spoken(notification.at - notification.opened_at)}"
    if notification.event is AlertEvent.FLAPPING:
        return f"{notification.heartbeat_name} is flapping"
    line = HEADLINES[notification.kind].format(name=notification.heartbeat_name)
    if notification.event is AlertEvent.REMINDED:
        return f"Still: {line} for {spoken(notification.at - notification.overdue_since)}"
    return line
