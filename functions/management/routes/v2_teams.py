"""/v2/teams: for now, to read the ping keys of slug URLs."""

from __future__ import annotations

from dataclasses import asdict

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from medic_core.domain.access.api_keys import Scope
from medic_core.store import teams

router = Router()  # type: ignore[no-untyped-call]


@router.get("/v2/teams")
def listed() -> Response[str]:
    """Teams, a page at a time. Their ping keys can send heartbeats, so this asks for `write`."""
    request, _ = door.permitted(router.current_event.raw_event, Scope.WRITE)
    with door.DATABASE.autocommit() as connection:
        rows, page = door.page(
            request, lambda after, limit: teams.listed(connection, after, limit), key=lambda team: team.team_id
        )
    return door.enveloped("", {"items": [asdict(row) for row in rows], **page})
