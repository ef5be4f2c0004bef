"""What there is to tell, before any channel dresses it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

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
    service_id: int | None = None
    actor: str | None = None

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


class NoticeKind(StrEnum):
    """What else than an alert there is to tell."""

    MAINTENANCE_STARTED = "maintenance_started"
    MAINTENANCE_ENDED = "maintenance_ended"
    TARGET_FAILING = "target_failing"
    WEBHOOK_DISABLED = "webhook_disabled"
    TEST = "test"
    EXECUTION_STARTED = "execution_started"
    EXECUTION_FAILED = "execution_failed"
    EXECUTION_ESCALATED = "execution_escalated"
    EXECUTION_BLOCKED = "execution_blocked"
    EXECUTION_HELD = "execution_held"
    APPROVAL_REQUESTED = "approval_requested"
    APPROVAL_REMINDER = "approval_reminder"
    APPROVAL_DECIDED = "approval_decided"  #: or over otherwise
    APPROVALS_WAITING = "approvals_waiting"  #: all of them, in one message
    PLAYBOOK_MESSAGE = "playbook_message"  #: a notify step


#: Somebody must act, and no alert says so.
INCIDENTS = frozenset({NoticeKind.EXECUTION_ESCALATED})


@dataclass(frozen=True, slots=True)
class Question:
    """The approval that a notice is about. `approved` is what was decided; None where nobody has, or nobody will.

    `url` opens it for whom the message goes to, and `code` must be typed in there; empty where there is no link. Where
    it `wants_identity`, the page asks for an API key instead: holding a link does not say who somebody is.
    """

    request_id: int
    execution_id: int
    playbook_name: str
    version: int
    heartbeat_name: str | None
    asked_by: str
    steps: tuple[str, ...]
    approvers: tuple[str, ...]
    approvers_required: int
    expires_at: datetime
    is_open: bool
    approved: bool | None = None
    wants_identity: bool = False
    url: str = field(default="", repr=False)
    code: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell that is no alert. `question` is the approval that it asks for, or tells the end of."""

    notice_id: int
    kind: NoticeKind
    heading: str
    because: str
    at: datetime
    question: Question | None = None

    @property
    def notification_id(self) -> str:
        """The same for every try of this notice."""
        return f"ntc_{self.notice_id}"


@dataclass(frozen=True, slots=True)
class Group:
    """Several notifications of one sweep in one message; each alert stays its own."""

    notifications: tuple[Notification, ...]

    @property
    def notification_id(self) -> str:
        """The same for every try with the same alerts."""
        return f"grp_{self.notifications[0].alert_event_id}_{len(self.notifications)}"


Message = Notification | Notice | Group


def headline(message: Message) -> str:
    """One line that says what is wrong, or that it is over and after how long."""
    match message:
        case Notice(heading=heading):
            return heading
        case Group(notifications=notifications):
            return f"{len(notifications)} services need attention"
        case Notification():
            return _headline(message)


def _headline(notification: Notification) -> str:
    if notification.is_recovery:
        over = RECOVERED.get(notification.kind, "{name} has recovered").format(name=notification.heartbeat_name)
        return f"{over} after {spoken(notification.at - notification.opened_at)}"
    if notification.event is AlertEvent.FLAPPING:
        return f"{notification.heartbeat_name} is flapping"
    if notification.event is AlertEvent.ESCALATED:
        return f"Repair of {notification.heartbeat_name} did not help: {notification.because}"
    line = HEADLINES[notification.kind].format(name=notification.heartbeat_name)
    if notification.event is AlertEvent.REMINDED:
        return f"Still: {line} for {spoken(notification.at - notification.overdue_since)}"
    return line
