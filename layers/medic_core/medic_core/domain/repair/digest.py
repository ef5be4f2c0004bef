"""When people are told of all approvals that wait, in one message; and what it says.

Each request was asked for by a message of its own, and is reminded of at half and at four fifths of its life. The
digest is for whoever comes on call, or has lost sight of them among other messages. So it is told

- on the default channel, whoever was asked;
- where at least two wait: one alone has its own messages;
- where the oldest has waited for half an hour: what was asked just now, people have just heard of;
- once an hour at most, and again each hour while that is so, because those who come on call later must see it too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

TOLD_EVERY = timedelta(hours=1)
AT_LEAST = 2
#: The oldest has waited for so long.
OLDEST_FROM = timedelta(minutes=30)
MOST_LISTED = 20
#: Of a name, so that twenty lines fit into any channel's message.
LONGEST_NAME = 36


@dataclass(frozen=True, slots=True)
class Waiting:
    """An approval that can still be decided."""

    execution_id: int
    playbook_name: str
    heartbeat_name: str | None
    requested_at: datetime
    expires_at: datetime


def is_due(now: datetime, told_at: datetime | None, oldest: Sequence[Waiting]) -> bool:
    """Whether people are told now of those that wait, oldest first."""
    if len(oldest) < AT_LEAST or now - oldest[0].requested_at < OLDEST_FROM:
        return False
    return told_at is None or now - told_at >= TOLD_EVERY


def listed(oldest: Sequence[Waiting], together: int) -> str:
    """A line for each of those that have waited longest, and how many there are besides."""
    shown = oldest[:MOST_LISTED]
    lines = [_line(one) for one in shown]
    if together > len(shown):
        lines.append(f"… and {together - len(shown)} more")
    return "\n".join(lines)


def _line(one: Waiting) -> str:
    about = _short(one.heartbeat_name or "no service")
    times = f"since {_moment(one.requested_at)}, until {_moment(one.expires_at)} UTC"
    return f"• {_short(one.playbook_name)} for {about}, {times} (execution {one.execution_id})"


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _moment(at: datetime) -> str:
    return f"{at:%d %b %H:%M}"
