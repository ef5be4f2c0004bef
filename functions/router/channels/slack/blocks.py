"""Blocks of Block Kit, within its limits (api.slack.com/reference/block-kit/blocks). Pure."""

from __future__ import annotations

from typing import Any

TEXT_LIMIT = 3000
MOST_BLOCKS = 50
URL_LIMIT = 3000
#: Ends what is cut off.
CUT = "…"
MENTIONS = ("@here", "@channel", "@everyone")


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut(text)}}


def context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": cut(text)}]}


def button(action: str, label: str, value: str, style: str | None = None) -> dict[str, Any]:
    """`style` is `primary` or `danger`."""
    text = {"type": "plain_text", "text": label}
    styled = {"style": style} if style else {}
    return {"type": "button", "action_id": action, "text": text, "value": value, **styled}


def escaped(text: str) -> str:
    """Slack's control characters as text: a service's name can neither mention anyone nor make a link."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for mention in MENTIONS:
        text = text.replace(mention, f"@\u200b{mention[1:]}")
    return text


def cut(text: str, limit: int = TEXT_LIMIT) -> str:
    return text if len(text) <= limit else text[: limit - 1] + CUT
