"""/v2/services: create, list, read, change."""

from __future__ import annotations

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from medic_core.domain.access.api_keys import Scope
from medic_core.errors import BadRequest, Conflict, NotFound
from medic_core.flows import change, register
from medic_core.flows.relay import relay
from medic_core.store import services
from models.reading import read as read_body
from models.v2_services import ChangedService, NewService, read_service

router = Router()  # type: ignore[no-untyped-call]


@router.post("/v2/services")
def created() -> Response[str]:
    """Register a service."""
    request, _ = door.permitted(router.current_event.raw_event, Scope.WRITE)
    wanted = read_body(NewService, request.json_object())
    with door.DATABASE.transaction() as tx:
        team_id = register.team_named(tx, wanted.team) if wanted.team else None
        service_id = register.register(tx, wanted.configuration(team_id))
        if service_id is None:
            raise Conflict(f"heartbeat_name: {wanted.heartbeat_name!r} is registered already.")
        service = services.read(tx, service_id=service_id)[0]
    results = read_service(service, door.SETTINGS.base_url)
    return door.enveloped("Service registered.", results, status=HTTPStatus.CREATED)


@router.get("/v2/services")
def listed() -> Response[str]:
    """Services in the order of their registration, a page at a time."""
    request, _ = door.permitted(router.current_event.raw_event, Scope.READ)
    with door.DATABASE.autocommit() as connection:
        rows, page = door.page(
            request,
            lambda after, limit: services.read(connection, after=after, limit=limit),
            key=lambda service: service.service_id,
        )
    return door.enveloped("", {"items": [read_service(row, door.SETTINGS.base_url) for row in rows], **page})


@router.get("/v2/services/<service_id>")
def read(service_id: str) -> Response[str]:
    """One service."""
    door.permitted(router.current_event.raw_event, Scope.READ)
    with door.DATABASE.autocommit() as connection:
        rows = services.read(connection, service_id=_id(service_id))
    if not rows:
        raise NotFound("No service has this id.")
    return door.enveloped("", read_service(rows[0], door.SETTINGS.base_url))


@router.patch("/v2/services/<service_id>")
def changed(service_id: str) -> Response[str]:
    """Change the fields that are sent; a new schedule begins the watch anew."""
    request, key = door.permitted(router.current_event.raw_event, Scope.WRITE)
    wanted = read_body(ChangedService, request.json_object())
    with door.DATABASE.transaction() as tx:
        columns = wanted.columns()
        if wanted.team is not None:
            columns["team_id"] = register.team_named(tx, wanted.team)
        service = change.change(tx, _id(service_id), columns, door.actor(request, key))
    relay(door.DATABASE, door.NOTIFICATIONS)
    return door.enveloped("Service changed.", read_service(service, door.SETTINGS.base_url))


def _id(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > door.LARGEST_ID:
        raise BadRequest("service_id must be a whole number.")
    return int(text)
