"""What there is to tell, as Slack shows it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from channels.slack.blocks import CUT, MOST_BLOCKS, TEXT_LIMIT, URL_LIMIT, button, context, cut, escaped, section
from channels.slack.question import blocks as ask
from medic_core.domain.alerting.alerts import AlertEvent
from medic_core.domain.routing.messages import Group, Message, Notice, Notification, Question, headline

#: Of one alert among several.
LONGEST_LINE = 600
SIGNS = {"p1": ":rotating_light:", "p2": ":rotating_light:"}
WARNING = ":warning:"
RECOVERY = ":white_check_mark:"
NOTICE = ":information_source:"


def message(told: Message) -> dict[str, Any]:
    """`text` for notices and screen readers, `blocks` for the eye, `metadata` to recognise a repetition by."""
    return {
        "text": cut(escaped(headline(told))),
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
        case Notice(question=Question() as question):
            return ask(told, question)
        case Notice():
            return [section(f"{NOTICE} *{escaped(told.heading)}*"), section(escaped(told.because) or CUT)]


def reply(told: Notification | Notice) -> dict[str, Any]:
    """What follows an alert, as an answer in its thread; of the end of a question its one line."""
    said = message(told)
    if isinstance(told, Notice):
        return {**said, "blocks": said["blocks"][:1]}
    return {**said, "blocks": [block for block in said["blocks"] if block["type"] != "actions"]}


def _alert(notification: Notification) -> list[dict[str, Any]]:
    blocks = [section(_title(notification)), section(escaped(notification.because) or CUT), _context(notification)]
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
        buttons.append(button("acknowledge", "Acknowledge", str(notification.alert_id), "primary"))
    if notification.service_id is not None:
        buttons.append(button("mute", "Mute for 1 hour", str(notification.service_id)))
    if notification.runbook.startswith(("http://", "https://")) and len(notification.runbook) <= URL_LIMIT:
        buttons.append({**button("runbook", "Runbook", str(notification.alert_id)), "url": notification.runbook})
    return buttons


def _group(group: Group, notifications: Sequence[Notification]) -> list[dict[str, Any]]:
    """One line each, as many as fit; each has its own alert, to be acknowledged there."""
    blocks = [section(f"{SIGNS.get(min(one.priority for one in notifications), WARNING)} *{escaped(headline(group))}*")]
    told = [f"• {one.priority.upper()} {escaped(headline(one))} — {escaped(one.because)}" for one in notifications]
    text, shown = "", 0
    for line in (cut(one, LONGEST_LINE) for one in told):
        if len(text) + len(line) + 1 > TEXT_LIMIT:
            blocks.append(section(text))
            text = ""
            if len(blocks) >= MOST_BLOCKS - 2:
                break
        text, shown = f"{text}\n{line}" if text else line, shown + 1
    if text:
        blocks.append(section(text))
    more = len(notifications) - shown
    return blocks + ([section(f"and {more} more")] if more else [])


def _context(notification: Notification) -> dict[str, Any]:
    parts = [f"{notification.priority.upper()}", f"since {notification.overdue_since:%Y-%m-%d %H:%M:%S} UTC"]
    if notification.team:
        parts.append(f"team {escaped(notification.team)}")
    if notification.runbook:
        parts.append(f"runbook: {escaped(notification.runbook)}")
    return context(" · ".join(parts))
