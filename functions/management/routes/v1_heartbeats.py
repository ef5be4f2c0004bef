"""GET /heartbeat. (POST is the heartbeat function's.)"""

from __future__ import annotations

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.watching.names import name_key
from medic_core.store import heartbeat_events

router = Router()  # type: ignore[no-untyped-call]


@router.get("/heartbeat")
def listed() -> Response[str]:
    """The newest heartbeats, of one service or of all."""
    request, _ = door.permitted(router.current_event.raw_event, Scope.READ)
    name = door.printable(request, "heartbeat_name")
    limit = door.whole_number(request, "maxCount", door.MAX_LIMIT, 1, door.MAX_LIMIT)
    with door.DATABASE.autocommit() as connection:
        rows = heartbeat_events.listed(
            connection, name_key(name) if name else None, door.printable(request, "service_name"), limit
        )
    results = [
        {
            "heartbeat_id": row.heartbeat_id,
            "heartbeat_name": row.heartbeat_name,
            "service_name": row.service_name,
            "time": row.received_at,
            "status": row.kind,
            "run_id": row.run_id,
            "team": row.team,
            "priority": row.priority,
        }
        for row in rows
    ]
    return door.enveloped("", results)
