"""An approval, as Slack asks for it, and as it stands there once it is over. Pure."""

from __future__ import annotations

import re
from typing import Any

from channels.slack.blocks import CUT, TEXT_LIMIT, URL_LIMIT, button, context, cut, escaped, section
from medic_core.domain.routing.messages import Notice, NoticeKind, Question

ASKS = ":raised_hand:"
REMINDS = ":hourglass_flowing_sand:"
APPROVED, REJECTED, OVER = ":white_check_mark:", ":no_entry:", ":heavy_minus_sign:"
USER_ID = re.compile(r"[UW][A-Z0-9]{5,20}", re.ASCII)
#: More of them are on the page.
MOST_STEPS = 20
LONGEST_STEP = 140
ROOM_FOR_MORE = 20


def blocks(notice: Notice, question: Question) -> list[dict[str, Any]]:
    """What is asked and what would follow, with buttons to decide; of what is over, what became of it, and when."""
    if notice.kind is NoticeKind.APPROVAL_DECIDED:
        sign = {True: APPROVED, False: REJECTED, None: OVER}[question.approved]
        return [_title(sign, notice), context(" · ".join([*_about(question), f"{notice.at:%Y-%m-%d %H:%M:%S} UTC"]))]
    sign = REMINDS if notice.kind is NoticeKind.APPROVAL_REMINDER else ASKS
    return [
        _title(sign, notice),
        section(escaped(notice.because) or CUT),
        *([section(_steps(question))] if question.steps else []),
        context(" · ".join([*_about(question), f"until {question.expires_at:%Y-%m-%d %H:%M:%S} UTC"])),
        *_approvers(question),
        {"type": "actions", "elements": _buttons(question)},
        *_code(question),
    ]


def _title(sign: str, notice: Notice) -> dict[str, Any]:
    return section(f"{sign} *{escaped(notice.heading)}*")


def _steps(question: Question) -> str:
    """As many as fit."""
    lines = [f"{number}. {escaped(cut(step, LONGEST_STEP))}" for number, step in enumerate(question.steps, 1)]
    shown = lines[:MOST_STEPS]
    while len("\n".join(shown)) > TEXT_LIMIT - ROOM_FOR_MORE:
        shown.pop()
    more = len(lines) - len(shown)
    return "\n".join(shown + ([f"and {more} more"] if more else []))


def _about(question: Question) -> list[str]:
    return [
        f"playbook {escaped(question.playbook_name)}, version {question.version}",
        *([f"service {escaped(question.heartbeat_name)}"] if question.heartbeat_name else []),
        f"asked for by {escaped(question.asked_by)}",
    ]


def _approvers(question: Question) -> list[dict[str, Any]]:
    """Those who are people here are mentioned, so that they hear of it."""
    if not question.approvers:
        several = question.approvers_required > 1
        return [context(f"{question.approvers_required} people must agree")] if several else []
    named = ", ".join(f"<@{one}>" if USER_ID.fullmatch(one) else escaped(one) for one in question.approvers)
    return [context(f"must agree: {question.approvers_required} of: {named}")]


def _buttons(question: Question) -> list[dict[str, Any]]:
    value = str(question.request_id)
    approve = {**button("approve", "Approve", value, "primary"), "confirm": _confirm("Approve", "primary")}
    reject = {**button("reject", "Reject", value, "danger"), "confirm": _confirm("Reject", "danger")}
    link = {**button("open_approval", "See every step", value), "url": question.url}
    return [approve, reject, *([link] if question.url and len(question.url) <= URL_LIMIT else [])]


def _confirm(label: str, style: str) -> dict[str, Any]:
    """A slip of the finger starts nothing."""
    asks = f"{label} this execution? That cannot be taken back."
    return {
        "title": {"type": "plain_text", "text": f"{label}?"},
        "text": {"type": "plain_text", "text": asks},
        "confirm": {"type": "plain_text", "text": label},
        "deny": {"type": "plain_text", "text": "Not now"},
        "style": style,
    }


def _code(question: Question) -> list[dict[str, Any]]:
    if not question.code:
        return []
    asked_for = "your API key" if question.wants_identity else f"*{question.code}*"
    return [context(f"To decide on the page, type in {asked_for}.")]
