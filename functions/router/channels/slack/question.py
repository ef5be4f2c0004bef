"""An approval, as Slack asks for it, and as it stands there once it is over. Pure."""

from __future__ import annotations

import re
from typing import Any

from channels.slack.blocks import URL_LIMIT, button, context, cut, escaped, section
from medic_core.domain.routing.messages import Notice, NoticeKind, Question

ASKS = ":raised_hand:"
REMINDS = ":hourglass_flowing_sand:"
APPROVED, REJECTED, OVER = ":white_check_mark:", ":no_entry:", ":heavy_minus_sign:"
USER_ID = re.compile(r"[UW][A-Z0-9]{5,20}", re.ASCII)
#: More of them are on the page.
MOST_STEPS = 20
LONGEST_STEP = 140


def blocks(notice: Notice, question: Question) -> list[dict[str, Any]]:
    """What is asked and what would follow, with buttons to decide; of what is over, what became of it."""
    if notice.kind is NoticeKind.APPROVAL_DECIDED:
        sign = {True: APPROVED, False: REJECTED, None: OVER}[question.approved]
        return [section(f"{sign} *{escaped(notice.heading)}*"), context(_about(question))]
    sign = REMINDS if notice.kind is NoticeKind.APPROVAL_REMINDER else ASKS
    found = [section(f"{sign} *{escaped(notice.heading)}*"), section(escaped(notice.because))]
    if question.steps:
        found.append(section(_steps(question)))
    return [*found, context(_about(question)), {"type": "actions", "elements": _buttons(question)}, *_code(question)]


def _steps(question: Question) -> str:
    lines = [f"{number}. {cut(escaped(step), LONGEST_STEP)}" for number, step in enumerate(question.steps, 1)]
    more = len(lines) - MOST_STEPS
    return "\n".join(lines[:MOST_STEPS] + ([f"and {more} more"] if more > 0 else []))


def _about(question: Question) -> str:
    parts = [
        f"playbook {escaped(question.playbook_name)}, version {question.version}",
        f"asked by {escaped(question.asked_by)}",
        f"until {question.expires_at:%Y-%m-%d %H:%M:%S} UTC",
    ]
    if question.approvers or question.approvers_required > 1:
        parts.append(_who(question))
    return " · ".join(parts)


def _who(question: Question) -> str:
    """Those who are people here are mentioned, so that they hear of it."""
    named = ", ".join(f"<@{one}>" if USER_ID.fullmatch(one) else escaped(one) for one in question.approvers)
    count = f"{question.approvers_required} of " if question.approvers_required > 1 else ""
    return f"{count}{named or 'whoever may'} must agree"


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
    return [context(f"To decide on the page, type in *{question.code}*.")] if question.code else []
