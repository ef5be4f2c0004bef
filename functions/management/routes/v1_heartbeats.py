"""GET /heartbeat. (POST is the heartbeat function's.)"""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

import door
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.watching.names import name_key
from medic_core.store import heartbeat_events
from models.fields import MAX_LIMIT, Envelope, Text
from models.v1 import V1Heartbeat, v1_heartbeat

router = Router()  # type: ignore[no-untyped-call]


@door.route(router, "GET", "/heartbeat", needs=Scope.READ, tag="v1")
def listed(
    heartbeat_name: Annotated[Text | None, Query(description="Of this service alone, whatever the case")] = None,
    service_name: Annotated[Text | None, Query(description="Of services that people call so")] = None,
    max_count: Annotated[
        int, Query(alias="maxCount", ge=1, description=f"How many at most; more than {MAX_LIMIT} are {MAX_LIMIT}")
    ] = MAX_LIMIT,
) -> Response[Envelope[list[V1Heartbeat]]]:
    """The newest heartbeats, of one service or of all."""
    name = name_key(heartbeat_name) if heartbeat_name else None
    with door.DATABASE.autocommit() as connection:
        rows = heartbeat_events.listed(connection, name, service_name, min(max_count, MAX_LIMIT))
    return door.answer([v1_heartbeat(row) for row in rows])
