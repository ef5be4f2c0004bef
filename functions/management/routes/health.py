"""Is Medic itself well? Open without a key."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from medic_core.api import answers
from medic_core.errors import Unavailable
from medic_core.store import health
from medic_core.store.health import DatabaseHealth

router = Router()  # type: ignore[no-untyped-call]


def _database() -> DatabaseHealth | None:
    try:
        with door.DATABASE.autocommit() as connection:
            return health.check(connection)
    except Unavailable:
        return None


def _json(content: Mapping[str, object], *, well: bool) -> Response[str]:
    now = datetime.now(UTC)  # noqa: TID251  (when this was answered, by the clock of who answers)
    body = answers.bare({**content, "timestamp": now}, HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE)
    return door.response(body)


@router.get("/health")
def whole() -> Response[str]:
    """Healthy while the database answers; what is not configured is said, and is no illness."""
    found, settings = _database(), door.SETTINGS
    since_sweep = found.since_sweep.total_seconds() if found and found.since_sweep is not None else None
    components = {
        "database": {"status": "healthy" if found else "unhealthy"},
        "monitor": {"status": "swept" if since_sweep is not None else "not_yet", "seconds_since_sweep": since_sweep},
        "redis": {"status": "configured" if settings.redis_url else "not_configured"},
        "slack": {
            "status": "configured" if settings.slack_api_token and settings.slack_channel_id else "not_configured"
        },
        "pagerduty": {"status": "configured" if settings.pagerduty_routing_key else "not_configured"},
        "webhook": {"status": "configured" if settings.webhook_url else "not_configured"},
    }
    status = "healthy" if found else "degraded"
    content = {"status": status, "python_version": platform.python_version(), "components": components}
    return _json(content, well=found is not None)


@router.get("/health/live")
def live() -> Response[str]:
    """This function runs."""
    return _json({"status": "alive"}, well=True)


@router.get("/health/ready")
def ready() -> Response[str]:
    """This function can do its work."""
    found = _database() is not None
    status = {"status": "ready" if found else "not_ready", "database": "healthy" if found else "unhealthy"}
    return _json(status, well=found)


@router.get("/v1/healthcheck/network")
def network() -> Response[str]:
    """A way in exists."""
    return Response(status_code=HTTPStatus.NO_CONTENT, body="")
