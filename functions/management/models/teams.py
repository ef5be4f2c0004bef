"""Teams."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from models.fields import FromRow, Name, Strict, unsent
from models.routing import SlackChannel


class NewTeam(Strict):
    """A team to make."""

    name: Name
    slack_channel_id: SlackChannel | None = None


class ChangedTeam(Strict):
    """What may be changed of a team."""

    name: Name = unsent()
    slack_channel_id: SlackChannel | None = None


class ReadTeam(FromRow):
    """A team."""

    team_id: int
    name: str
    slack_channel_id: str | None = Field(description="Told of the alerts of its services that nobody else is told of")
    ping_key: str = Field(description="The secret part of the team's slug ping URLs")
    created_at: datetime
    updated_at: datetime
