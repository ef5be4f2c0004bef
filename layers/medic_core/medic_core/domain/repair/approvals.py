"""Who may decide, and when people are reminded that they should."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Via(StrEnum):
    """How a vote came."""

    API = "api"
    LINK = "link"
    SLACK = "slack"


@dataclass(frozen=True, slots=True)
class Voter:
    """Who decides. `identity` is who it really is: a key's name or a Slack user's id; None: whoever holds a link.

    `key` tells votes apart, and `shown` is how people know them.
    """

    key: str
    shown: str
    via: Via
    identity: str | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may decide about a request. `not_by` is who asked for it, by all names, where four eyes must see it."""

    approvers: tuple[str, ...]
    required: int
    not_by: tuple[str, ...]

    @property
    def wants_identity(self) -> bool:
        """Whether it matters who it is: then holding a link is not enough."""
        return bool(self.approvers or self.not_by) or self.required > 1


def refusal(rules: Rules, voter: Voter, *, approved: bool) -> str | None:
    """Why somebody may not vote; None where they may. Whoever asked for it may take that back."""
    if voter.identity is None:
        return "It matters who decides about this: a link alone is not enough." if rules.wants_identity else None
    if rules.approvers and voter.identity not in rules.approvers:
        return f"Only {', '.join(rules.approvers)} may decide about this."
    if approved and {voter.identity, voter.shown} & set(rules.not_by):
        return "Four eyes must see this: whoever asked for it cannot approve it."
    return None


#: Parts of a request's life after which people are reminded of it (DESIGN 4.6).
REMINDERS = (0.5, 0.8)
#: Who was asked so shortly before is not reminded.
SHORTEST_REMINDED = timedelta(minutes=5)


def next_reminder(requested_at: datetime, expires_at: datetime, reminders: int) -> datetime | None:
    """When people are reminded after so many reminders; None when no more."""
    if reminders >= len(REMINDERS) or expires_at - requested_at < SHORTEST_REMINDED:
        return None
    return requested_at + (expires_at - requested_at) * REMINDERS[reminders]


def reminders_by(now: datetime, requested_at: datetime, expires_at: datetime) -> int:
    """How many reminders are behind a request by now, whether they were sent or not."""
    life = expires_at - requested_at
    return sum(now >= requested_at + life * part for part in REMINDERS)
