"""GET /alerts."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from medic_core.domain.access.api_keys import Scope
from medic_core.store import alerts
from medic_core.store.alerts import AlertRow

router = Router()  # type: ignore[no-untyped-call]
NEWEST = 100


@router.get("/alerts")
def listed() -> Response[str]:
    """Open alerts, ended ones, or the newest of both."""
    request, _ = door.permitted(router.current_event.raw_event, Scope.READ)
    active = door.flag(request, "active")
    limit = door.MAX_LIMIT if active is not None else NEWEST
    with door.DATABASE.autocommit() as connection:
        rows = alerts.listed(connection, active=active, limit=limit)
    return door.enveloped("", [_row(row) for row in rows])


def _row(row: AlertRow) -> dict[str, object]:
    """The ancestor's names first, then what it could not say."""
    return {
        "alert_id": row.alert_id,
        "alert_name": f"Medic: {row.heartbeat_name}",
        "service_id": row.service_id,
        "active": int(row.resolved_at is None),
        "external_reference_id": f"medic-{row.heartbeat_name}",
        "alert_cycle": row.consecutive_failures,
        "created_date": row.opened_at,
        "closed_date": row.resolved_at,
        "heartbeat_name": row.heartbeat_name,
        "service_name": row.service_name,
        "team": row.team,
        "kind": row.kind,
        "status": row.status,
        "priority": row.priority,
        "because": row.because,
        "consecutive_failures": row.consecutive_failures,
        "told_at": row.told_at,
        "acknowledged_by": row.acknowledged_by,
    }
