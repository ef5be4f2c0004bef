"""/v2/teams: who owns services, and where they are told."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body

import door
from door import Caller
from medic_core.domain.access.api_keys import Scope
from medic_core.flows import manage
from medic_core.store.teams import TEAMS, Team
from models.fields import DEFAULT_LIMIT, Cursor, Envelope, Limit, Nothing, Page, PathId
from models.pages import id_cursor, page, read_id_cursor
from models.teams import ChangedTeam, NewTeam, ReadTeam

router = Router()  # type: ignore[no-untyped-call]
TAG = "teams"


@door.route(router, "POST", "/v2/teams", needs=Scope.WRITE, status=HTTPStatus.CREATED, tag=TAG)
def created(wanted: Annotated[NewTeam, Body()]) -> Response[Envelope[ReadTeam]]:
    """Make a team."""
    with door.DATABASE.transaction() as tx:
        team = manage.create(tx, TEAMS, {**wanted.model_dump(), "ping_key": secrets.token_urlsafe(16)})
    return _shown(team, "Team made.", HTTPStatus.CREATED)


@door.route(router, "GET", "/v2/teams", needs=Scope.WRITE, tag=TAG)
def listed(limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Response[Envelope[Page[ReadTeam]]]:
    """Teams, a page at a time. Their ping keys can send heartbeats, so this asks for `write`."""
    with door.DATABASE.autocommit() as connection:
        rows = TEAMS.listed(connection, read_id_cursor(cursor) or 0, limit + 1)
    return door.answer(page(rows, limit, ReadTeam.model_validate, lambda row: id_cursor(row.team_id)))


@door.route(router, "GET", "/v2/teams/<team_id>", needs=Scope.WRITE, tag=TAG)
def read(team_id: PathId) -> Response[Envelope[ReadTeam]]:
    """One team."""
    with door.DATABASE.autocommit() as connection:
        return _shown(manage.existing(connection, TEAMS, team_id))


@door.route(router, "PATCH", "/v2/teams/<team_id>", needs=Scope.WRITE, tag=TAG)
def changed(caller: Caller, team_id: PathId, wanted: Annotated[ChangedTeam, Body()]) -> Response[Envelope[ReadTeam]]:
    """Change the fields that are sent."""
    with door.DATABASE.transaction() as tx:
        team = manage.change(tx, TEAMS, team_id, wanted.model_dump(exclude_unset=True), caller.version)
    return _shown(team, "Team changed.")


@door.route(router, "DELETE", "/v2/teams/<team_id>", needs=Scope.WRITE, tag=TAG)
def deleted(caller: Caller, team_id: PathId) -> Response[Envelope[Nothing]]:
    """Delete a team with its targets. Its services go on without it; their slug ping URLs end."""
    with door.DATABASE.transaction() as tx:
        manage.delete(tx, TEAMS, team_id, caller.version)
    return door.answer(message="Team deleted.")


def _shown(team: Team, message: str = "", status: int = HTTPStatus.OK) -> Response[Envelope[ReadTeam]]:
    return door.answer(ReadTeam.model_validate(team), message, status, version=team.version)
