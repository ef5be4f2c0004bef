"""What there is to tell, as Slack shows it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from medic_core.domain.alerting.alerts import AlertEvent
from medic_core.domain.routing.messages import Group, Message, Notice, Notification, headline

#: Block Kit's limits (api.slack.com/reference/block-kit/blocks).
TEXT_LIMIT = 3000
MOST_BLOCKS = 50
URL_LIMIT = 3000
SIGNS = {"p1": ":rotating_light:", "p2": ":rotating_light:"}
WARNING = ":warning:"
RECOVERY = ":white_check_mark:"
NOTICE = ":information_source:"
#: Ends what is cut off.
CUT = "…"
MENTIONS = ("@here", "@channel", "@everyone")


def message(told: Message) -> dict[str, Any]:
    """`text` for notices and screen readers, `blocks` for the eye, `metadata` to recognise a repetition by."""
    return {
        "text": _cut(escaped(headline(told))),
        "blocks": _blocks(told)[:MOST_BLOCKS],
        "metadata": {
            "event_type": "medic_notification",
            "event_payload": {"notification_id": told.notification_id},
        },
    }


def _blocks(told: Message) -> list[dict[str, Any]]:
    match told:
        case Notification():
            return _alert(told)
        case Group(notifications=notifications):
            return _group(told, notifications)
        case Notice():
            return [_section(f"{NOTICE} *{escaped(told.heading)}*"), _section(escaped(told.because) or CUT)]


def reply(told: Notification) -> dict[str, Any]:
    """What follows an alert, as an answer in its thread."""
    said = message(told)
    return {**said, "blocks": [block for block in said["blocks"] if block["type"] != "actions"]}


def _alert(notification: Notification) -> list[dict[str, Any]]:
    blocks = [_section(_title(notification)), _section(escaped(notification.because) or CUT), _context(notification)]
    buttons = _buttons(notification)
    return blocks + ([{"type": "actions", "elements": buttons}] if buttons else [])


def _title(notification: Notification) -> str:
    line = f"*{escaped(headline(notification))}*"
    match notification.event:
        case AlertEvent.RESOLVED:
            return f"{RECOVERY} {line}"
        case AlertEvent.ACKNOWLEDGED:
            return f":eyes: {line}\n{escaped(notification.actor or 'somebody')} looks after it"
        case AlertEvent.SNOOZED:
            return f":zzz: {line}\n{escaped(notification.actor or 'somebody')} has put it off"
        case _:
            return f"{SIGNS.get(notification.priority, WARNING)} {line}"


def _buttons(notification: Notification) -> list[dict[str, Any]]:
    """What can be done from here; nothing once it is over."""
    if notification.is_recovery:
        return []
    buttons = []
    if notification.event is not AlertEvent.ACKNOWLEDGED:
        buttons.append(_button("acknowledge", "Acknowledge", str(notification.alert_id), primary=True))
    if notification.service_id is not None:
        buttons.append(_button("mute", "Mute for 1 hour", str(notification.service_id)))
    if notification.runbook.startswith(("http://", "https://")) and len(notification.runbook) <= URL_LIMIT:
        buttons.append({**_button("runbook", "Runbook", str(notification.alert_id)), "url": notification.runbook})
    return buttons


def _button(action: str, label: str, value: str, *, primary: bool = False) -> dict[str, Any]:
    text = {"type": "plain_text", "text": label}
    style = {"style": "primary"} if primary else {}
    return {"type": "button", "action_id": action, "text": text, "value": value, **style}


def _group(group: Group, notifications: Sequence[Notification]) -> list[dict[str, Any]]:
    """One line each, as many as fit; each has its own alert, to be acknowledged there."""
    blocks = [
        _section(f"{SIGNS.get(min(one.priority for one in notifications), WARNING)} *{escaped(headline(group))}*")
    ]
    lines = [f"• {one.priority.upper()} {escaped(headline(one))} — {escaped(one.because)}" for one in notifications]
    text, shown = "", 0
    for line in lines:
        cut = _cut(line, 600)
        if len(text) + len(cut) + 1 > TEXT_LIMIT:
            blocks.append(_section(text))
            text = ""
            if len(blocks) >= MOST_BLOCKS - 2:
                break
        text, shown = f"{text}\n{cut}" if text else cut, shown + 1
    if text:
        blocks.append(_section(text))
    more = len(notifications) - shown
    return blocks + ([_section(f"and {more} more")] if more else [])


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text)}}


def _context(notification: Notification) -> dict[str, Any]:
    parts = [f"{notification.priority.upper()}", f"since {notification.overdue_since:%Y-%m-%d %H:%M:%S} UTC"]
    if notification.team:
        parts.append(f"team {escaped(notification.team)}")
    if notification.runbook:
        parts.append(f"runbook: {escaped(notification.runbook)}")
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": _cut(" · ".join(parts))}]}


def escaped(text: str) -> str:
    """Slack's control characters as text: a service's name can neither mention anyone nor make a link."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for mention in MENTIONS:
        text = text.replace(mention, f"@\u200b{mention[1:]}")
    return text


def _cut(text: str, limit: int = TEXT_LIMIT) -> str:
    return text if len(text) <= limit else text[: limit - 1] + CUT
