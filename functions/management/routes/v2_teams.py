"""/v2/teams: for now, to read the ping keys of slug URLs."""

from __future__ import annotations

from datetime import datetime

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from pydantic import BaseModel, Field

import door
from medic_core.domain.access.api_keys import Scope
from medic_core.store import teams
from models.fields import DEFAULT_LIMIT, Cursor, Envelope, Limit, Page
from models.pages import id_cursor, page, read_id_cursor

router = Router()  # type: ignore[no-untyped-call]


class ReadTeam(BaseModel):
    """A team."""

    team_id: int
    name: str
    slack_channel_id: str | None
    ping_key: str = Field(description="The secret part of the team's slug ping URLs")
    created_at: datetime
    updated_at: datetime


@door.route(router, "GET", "/v2/teams", needs=Scope.WRITE, tag="teams")
def listed(limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Response[Envelope[Page[ReadTeam]]]:
    """Teams, a page at a time. Their ping keys can send heartbeats, so this asks for `write`."""
    with door.DATABASE.autocommit() as connection:
        rows = teams.listed(connection, read_id_cursor(cursor) or 0, limit + 1)
    return door.answer(
        page(
            rows,
            limit,
            lambda row: ReadTeam.model_validate(row, from_attributes=True),
            lambda row: id_cursor(row.team_id),
        )
    )
