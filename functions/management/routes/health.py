"""Is Medic itself well? Open without a key."""

from __future__ import annotations

import platform
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
import medic_core
from medic_core import telemetry
from medic_core.credentials import SecretText
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.errors import Unavailable
from medic_core.store import health
from medic_core.store.health import DatabaseHealth
from models.health import (
    Component,
    Components,
    Configured,
    Health,
    Liveness,
    Monitor,
    OptionalComponent,
    Readiness,
    Schema,
)

router = Router()  # type: ignore[no-untyped-call]
TAG = "health"
LOGGER = telemetry.logger("management")
#: Sweeps are a minute apart at most; three that were missed are no coincidence.
LONGEST_WITHOUT_SWEEP = timedelta(minutes=3)


@door.route(router, "GET", "/health", needs=None, limited=Endpoints.HEALTH, tag=TAG)
def whole() -> Response[Health]:
    """Every part of Medic; 503 where one fails that it cannot do without.

    What is not configured is said, and is no illness.
    """
    found = examined()
    return door.bare(found, _status(is_well=found.status != "unhealthy"))


def examined() -> Health:
    """How every part of Medic is, and so the whole."""
    components = components_of(_database())
    needed = (components.database, components.migrations, components.queue, components.monitor)
    is_ill = any(part.status == "unhealthy" for part in needed)
    is_degraded = components.redis.status == "unhealthy"
    return Health(
        status="unhealthy" if is_ill else "degraded" if is_degraded else "healthy",
        timestamp=_now(),
        version=medic_core.__version__,
        python_version=platform.python_version(),
        components=components,
    )


def components_of(found: DatabaseHealth | None) -> Components:
    """Each part of Medic, the database as it was found (None: away)."""
    settings = door.SETTINGS
    is_current, newest = (found.is_current, found.newest_migration) if found else (False, None)
    return Components(
        database=_component(is_well=found is not None),
        migrations=Schema(status="healthy" if is_current else "unhealthy", newest=newest),
        monitor=_monitor(found),
        queue=_component(is_well=_queue_answers()),
        redis=_redis(),
        slack=configured(settings.slack_api_token, settings.slack_channel_id),
        pagerduty=configured(settings.pagerduty_routing_key),
        webhook=configured(settings.webhook_url),
    )


@door.route(router, "GET", "/health/live", needs=None, limited=Endpoints.HEALTH, tag=TAG)
def live() -> Response[Liveness]:
    """This function runs."""
    return door.bare(Liveness(status="alive", timestamp=_now()))


@door.route(router, "GET", "/health/ready", needs=None, limited=Endpoints.HEALTH, tag=TAG)
def ready() -> Response[Readiness]:
    """This function can do its work; 503 where it cannot."""
    found = _database()
    is_ready = found is not None and found.is_current
    content = Readiness(
        status="ready" if is_ready else "not_ready",
        timestamp=_now(),
        database="healthy" if found is not None else "unhealthy",
    )
    return door.bare(content, _status(is_well=is_ready))


@door.route(
    router,
    "GET",
    "/v1/healthcheck/network",
    needs=None,
    limited=Endpoints.HEALTH,
    status=HTTPStatus.NO_CONTENT,
    tag=TAG,
)
def network() -> Response[None]:
    """A way in exists."""
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _database() -> DatabaseHealth | None:
    try:
        with door.DATABASE.autocommit() as connection:
            return health.check(connection)
    except Unavailable:
        return None


def _queue_answers() -> bool:
    try:
        door.NOTIFICATIONS.waiting()
    except Exception:
        LOGGER.exception("the queue of notifications does not answer")
        return False
    return True


def _monitor(found: DatabaseHealth | None) -> Monitor:
    if found is None:
        return Monitor(status="unhealthy", seconds_since_sweep=None)
    if found.since_sweep is None:
        is_new = found.since_installation is not None and found.since_installation <= LONGEST_WITHOUT_SWEEP
        return Monitor(status="not_yet" if is_new else "unhealthy", seconds_since_sweep=None)
    is_late = found.since_sweep > LONGEST_WITHOUT_SWEEP
    seconds = round(found.since_sweep.total_seconds(), 3)
    return Monitor(status="unhealthy" if is_late else "healthy", seconds_since_sweep=seconds)


def _redis() -> OptionalComponent:
    if not door.SETTINGS.redis:
        return OptionalComponent(status="not_configured")
    return OptionalComponent(status="healthy" if door.REDIS.call("PING") == "PONG" else "unhealthy")


def _component(*, is_well: bool) -> Component:
    return Component(status="healthy" if is_well else "unhealthy")


def configured(secret: SecretText, other: str = "set") -> Configured:
    """Whether a channel has all that it needs. A secret that cannot be read now is as good as none."""
    try:
        is_set = bool(secret.value and other)
    except Unavailable:
        is_set = False
    return Configured(status="configured" if is_set else "not_configured")


def _status(*, is_well: bool) -> HTTPStatus:
    return HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE


def _now() -> datetime:
    """When this was answered, by the clock of who answers."""
    return datetime.now(UTC)  # noqa: TID251
