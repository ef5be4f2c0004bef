"""/v2/targets: who is told of a service's or a team's alerts, and who would be told of one."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from pydantic import ValidationError

import door
from door import Caller, Visitor
from medic_core.adapters.destinations import REFUSED, refuse_at_sight
from medic_core.domain.access.addresses import InvalidUrl
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.alerting.alerts import Priority
from medic_core.domain.routing.apprise_urls import valid_apprise_url
from medic_core.domain.routing.redaction import HIDDEN
from medic_core.domain.routing.route import PassedOver, Planned, route
from medic_core.domain.routing.targets import Channel
from medic_core.domain.routing.webhook_signatures import secret_from
from medic_core.domain.routing.working_hours import holds_until
from medic_core.errors import BadRequest, Conflict, Forbidden
from medic_core.flows import manage
from medic_core.flows.try_target import try_target
from medic_core.store import maintenance, targets, teams
from medic_core.store.connection import Transaction
from medic_core.store.deliveries import Status
from medic_core.store.delivery_lists import Delivery
from medic_core.store.targets import TARGETS, NotificationTarget
from models.fields import DEFAULT_LIMIT, Cursor, Envelope, Limit, Nothing, Page, PathId, QueryId, QueryMoment
from models.pages import id_cursor, page, read_id_cursor
from models.reading import problems
from models.routing import (
    CONFIGS,
    ChangedTarget,
    NewTarget,
    ReadDelivery,
    ReadTarget,
    RoutePreview,
    RouteTarget,
    ShownTarget,
    read_target,
    show_target,
)
from routes.v2_services import TAG as SERVICES
from routes.v2_services import existing

router = Router()  # type: ignore[no-untyped-call]
TAG = "targets"
SECRET_BYTES = 32
NOT_YET = {HTTPStatus.ACCEPTED.value: "The test is on its way; the delivery log will say what became of it"}


@door.route(router, "POST", "/v2/targets", needs=Scope.WRITE, status=HTTPStatus.CREATED, tag=TAG)
def created(caller: Caller, wanted: Annotated[NewTarget, Body()]) -> Response[Envelope[ShownTarget]]:
    """Give a service or a team a target. What signs a webhook's messages is in this answer and nowhere else."""
    target = target_made(caller, wanted)
    return door.answer(show_target(target), "Target made.", HTTPStatus.CREATED, version=target.version)


@door.route(router, "GET", "/v2/targets", needs=Scope.READ, tag=TAG)
def listed(
    service_id: QueryId = None, team_id: QueryId = None, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response[Envelope[Page[ReadTarget]]]:
    """Targets, a page at a time. Their secrets are not shown."""
    with door.DATABASE.autocommit() as connection:
        after = read_id_cursor(cursor) or 0
        rows = TARGETS.listed(connection, after, limit + 1, service_id=service_id, team_id=team_id)
    return door.answer(page(rows, limit, read_target, lambda row: id_cursor(row.target_id)))


@door.route(router, "GET", "/v2/targets/<target_id>", needs=Scope.READ, tag=TAG)
def read(target_id: PathId) -> Response[Envelope[ReadTarget]]:
    """One target."""
    with door.DATABASE.autocommit() as connection:
        return _shown(manage.existing(connection, TARGETS, target_id))


@door.route(router, "PATCH", "/v2/targets/<target_id>", needs=Scope.WRITE, tag=TAG)
def changed(
    caller: Caller, target_id: PathId, wanted: Annotated[ChangedTarget, Body()]
) -> Response[Envelope[ReadTarget]]:
    """Change the fields that are sent; a config is sent whole."""
    target = target_changed(caller, target_id, wanted, caller.version)
    return _shown(target, "Target changed.")


@door.route(router, "DELETE", "/v2/targets/<target_id>", needs=Scope.WRITE, tag=TAG)
def deleted(caller: Caller, target_id: PathId) -> Response[Envelope[Nothing]]:
    """Delete a target. What is on its way to it is not delivered."""
    with door.DATABASE.transaction() as tx:
        manage.delete(tx, TARGETS, target_id, caller.version)
    return door.answer(message="Target deleted.")


@door.route(router, "POST", "/v2/targets/<target_id>/test", needs=Scope.WRITE, tag=TAG, also=NOT_YET)
def tested(caller: Caller, target_id: PathId) -> Response[Envelope[ReadDelivery | None]]:
    """Send a test to a target, by the way that alerts go, and see what happens."""
    return test_sent(target_tried(caller, target_id))


@door.route(router, "GET", "/v2/services/<service_id>/route", needs=Scope.READ, tag=SERVICES)
def previewed(
    service_id: PathId,
    at: QueryMoment = None,
    priority: Annotated[Priority | None, Query(description="Of the alert; the service's own if nobody says")] = None,
) -> Response[Envelope[RoutePreview]]:
    """Who would be told of an alert of a service, in which order, and why not the others.

    The answer of the same rule that the router follows.
    """
    with door.DATABASE.transaction() as tx:
        service = existing(tx, service_id)
        reachable = targets.reachable(tx, service_id, door.SETTINGS.defaults)
    assert reachable is not None
    moment, urgency = at or service.now, priority or Priority(service.priority)
    found = route(reachable, urgency, moment)
    preview = RoutePreview(
        service_id=service_id,
        at=moment,
        priority=urgency,
        mode=reachable.mode,
        period=found.period,
        period_until=holds_until(reachable.hours, moment),
        told=[_of_route(one) for one in found.planned],
        passed_over=[_of_route(one) for one in found.passed_over],
    )
    return door.answer(preview)


def target_made(caller: Visitor, wanted: NewTarget) -> NotificationTarget:
    """Give a service or a team a target. Raises BadRequest, Forbidden."""
    values = wanted.model_dump()
    _check_config(caller, wanted.type, values["config"])
    if Channel(wanted.type) is Channel.WEBHOOK:
        values["secret"] = new_secret()
    with door.DATABASE.transaction() as tx:
        _check_owner(tx, wanted.service_id, wanted.team_id)
        return manage.create(tx, TARGETS, values)


def target_changed(caller: Visitor, target_id: int, wanted: ChangedTarget, version: int | None) -> NotificationTarget:
    """Change what was sent. Raises BadRequest, Forbidden, NotFound, Stale."""
    columns = wanted.model_dump(exclude_unset=True)
    with door.DATABASE.transaction() as tx:
        before = manage.existing(tx, TARGETS, target_id)
        if "config" in columns:
            columns["config"] = _read_config(before, columns["config"])
            _check_config(caller, before.type, columns["config"])
        return manage.change(tx, TARGETS, target_id, columns, version)


def target_tried(caller: Visitor, target_id: int) -> Delivery | None:
    """Send a target a test; None where its first try has not ended yet. Raises NotFound, Conflict."""
    with door.DATABASE.autocommit() as connection:
        target = manage.existing(connection, TARGETS, target_id)
    if not target.enabled:
        raise Conflict("This target is disabled: enable it first.")
    return try_target(door.DATABASE, door.NOTIFICATIONS, f"target:{target_id}", caller.actor)


def test_sent(found: Delivery | None) -> Response[Envelope[ReadDelivery | None]]:
    """The answer to a test: what its first try came to."""
    if found is None:
        return door.answer(None, came_of(found), HTTPStatus.ACCEPTED)
    return door.answer(ReadDelivery.model_validate(found), came_of(found))


def came_of(found: Delivery | None) -> str:
    """What came of a test, in words."""
    if found is None:
        return NOT_YET[HTTPStatus.ACCEPTED] + "."
    return "The test arrived." if found.status == Status.SUCCESS else f"The test did not arrive: {found.error}."


def check_url(url: str, field: str = "url") -> None:
    """Raises BadRequest for what will never be called."""
    try:
        refuse_at_sight(url, door.SETTINGS.allowed_webhook_hosts)
    except InvalidUrl as error:
        raise BadRequest(f"{field}: {REFUSED}.") from error


def refuse_hidden(sent: dict[str, Any]) -> None:
    """What was shown instead of a secret is not kept as one. Raises BadRequest."""
    if HIDDEN in str(sent):
        raise BadRequest(f"Send the values themselves, not what is shown of them ({HIDDEN}).")


def new_secret() -> str:
    """What will sign a webhook's messages."""
    return secret_from(secrets.token_bytes(SECRET_BYTES))


def _check_config(caller: Visitor, kind: str, config: dict[str, Any]) -> None:
    match Channel(kind):
        case Channel.WEBHOOK:
            check_url(config["url"], "config.url")
        case Channel.APPRISE:
            if not caller.key.allows(Scope.ADMIN):
                raise Forbidden("Targets of type apprise are for keys with the scope admin.")
            valid_apprise_url(config["url"], "config.url")
        case _:
            pass


def _read_config(target: NotificationTarget, config: dict[str, Any]) -> dict[str, Any]:
    """A config as the target's type has it. Raises BadRequest."""
    refuse_hidden(config)
    try:
        return CONFIGS[Channel(target.type)].model_validate(config).model_dump()
    except ValidationError as error:
        raise BadRequest(problems([{**one, "loc": ("config", *one["loc"])} for one in error.errors()])) from error


def _check_owner(tx: Transaction, service_id: int | None, team_id: int | None) -> None:
    if service_id is not None and not maintenance.existing_services(tx, [service_id]):
        raise BadRequest(f"service_id: no service has the id {service_id}.")
    if team_id is not None and teams.existing(tx, team_id) is None:
        raise BadRequest(f"team_id: no team has the id {team_id}.")


def _of_route(one: Planned | PassedOver) -> RouteTarget:
    target = one.target
    return RouteTarget(
        target_key=target.key,
        channel=target.channel,
        target_id=target.target_id,
        webhook_id=target.webhook_id,
        because=one.because,
    )


def _shown(target: NotificationTarget, message: str = "") -> Response[Envelope[ReadTarget]]:
    return door.answer(read_target(target), message, version=target.version)
