"""GET /alerts."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

import door
from medic_core.domain.access.api_keys import Scope
from medic_core.store import alert_lists
from medic_core.store.alert_lists import Wanted
from models.fields import MAX_LIMIT, Envelope
from models.v1 import V1Alert, v1_alert

router = Router()  # type: ignore[no-untyped-call]
NEWEST = 100


@door.route(router, "GET", "/alerts", needs=Scope.READ, tag="v1")
def listed(
    active: Annotated[
        int | None, Query(ge=0, le=1, description="1: those that are open; 0: those that are over")
    ] = None,
) -> Response[Envelope[list[V1Alert]]]:
    """Open alerts, ended ones, or the newest of both."""
    wanted = Wanted(active=None if active is None else bool(active))
    limit = MAX_LIMIT if active is not None else NEWEST
    with door.DATABASE.autocommit() as connection:
        rows = alert_lists.listed(connection, wanted, limit=limit)
    return door.answer([v1_alert(row) for row in rows])
