"""A notification as Slack shows it. Pure."""

from __future__ import annotations

from typing import Any

from medic_core.domain.routing.messages import Notification, headline

TEXT_LIMIT = 3000
SIGNS = {"p1": ":rotating_light:", "p2": ":rotating_light:"}
WARNING = ":warning:"
RECOVERY = ":white_check_mark:"


def message(notification: Notification) -> dict[str, Any]:
    """`text` for notices and screen readers, `blocks` for the eye, `metadata` to recognise a repetition by."""
    sign = RECOVERY if notification.is_recovery else SIGNS.get(notification.priority, WARNING)
    title = f"{sign} *{escaped(headline(notification))}*"
    return {
        "text": escaped(headline(notification)),
        "blocks": [_section(title), _section(escaped(notification.because)), _context(notification)],
        "metadata": {
            "event_type": "medic_notification",
            "event_payload": {"notification_id": notification.notification_id},
        },
    }


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:TEXT_LIMIT]}}


def _context(notification: Notification) -> dict[str, Any]:
    parts = [f"{notification.priority.upper()}", f"since {notification.overdue_since:%Y-%m-%d %H:%M:%S} UTC"]
    if notification.team:
        parts.append(f"team {escaped(notification.team)}")
    if notification.runbook:
        parts.append(f"runbook: {escaped(notification.runbook)}")
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": " · ".join(parts)[:TEXT_LIMIT]}]}


def escaped(text: str) -> str:
    """Slack's three control characters as text: a service's name can neither mention anyone nor make a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
