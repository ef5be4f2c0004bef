"""/service: registration, reading and changing, as users of v1 know them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.watching.names import name_key
from medic_core.errors import NotFound
from medic_core.flows import change, register
from medic_core.flows.record import record_signal
from medic_core.flows.relay import relay
from medic_core.store import services
from medic_core.store.connection import Transaction
from medic_core.store.services import Service
from models import v1_services as models

router = Router()  # type: ignore[no-untyped-call]


@router.post("/service")
def registered() -> Response[str]:
    """Register a service; one that is registered already stays as it is."""
    request, _ = door.permitted(router.current_event.raw_event, Scope.WRITE)
    wanted = models.registration(request.json_object())
    with door.DATABASE.transaction() as tx:
        team_id = register.team_named(tx, wanted.team)
        service_id = register.register(tx, wanted.configuration(team_id))
    if service_id is None:
        return door.enveloped("Heartbeat is already registered.")
    return door.enveloped("Heartbeat successfully registered.", status=HTTPStatus.CREATED)


@router.get("/service")
def listed() -> Response[str]:
    """Services, all or by `service_name` and `active`; `after` pages on from a service_id."""
    request, _ = door.permitted(router.current_event.raw_event, Scope.READ)
    name, active = door.printable(request, "service_name"), door.flag(request, "active")
    limit = door.whole_number(request, "limit", door.MAX_LIMIT, 1, door.MAX_LIMIT)
    after = door.whole_number(request, "after", 0, 0, door.LARGEST_ID)
    with door.DATABASE.autocommit() as connection:
        rows = services.read(connection, service_name=name, active=active, after=after, limit=limit)
    return door.enveloped("", [models.row(row, _base_url()) for row in rows])


@router.get("/service/<heartbeat_name>")
def read(heartbeat_name: str) -> Response[str]:
    """One service in a list; an empty list where there is none."""
    door.permitted(router.current_event.raw_event, Scope.READ)
    with door.DATABASE.autocommit() as connection:
        rows = services.read(connection, name_key=name_key(heartbeat_name))
    return door.enveloped("", [models.row(row, _base_url()) for row in rows])


@router.post("/service/<heartbeat_name>")
def changed(heartbeat_name: str) -> Response[str]:
    """Change any of a service's fields."""
    request, key = door.permitted(router.current_event.raw_event, Scope.WRITE)
    wanted = models.changes(request.json_object())
    with door.DATABASE.transaction() as tx:
        found = services.read(tx, name_key=name_key(heartbeat_name))
        if not found:
            raise NotFound("No service is registered under that name.")
        service = change.change(tx, found[0].service_id, _columns(tx, found[0], wanted), door.actor(request, key))
    if wanted.down is not None:
        record_signal(door.DATABASE, change.said_by_a_person(service, down=wanted.down), None)
    relay(door.DATABASE, door.NOTIFICATIONS)
    return door.enveloped("Service successfully updated.")


def _columns(tx: Transaction, service: Service, wanted: models.Changes) -> dict[str, Any]:
    columns = dict(wanted.columns)
    if wanted.team is not None:
        columns["team_id"] = register.team_named(tx, wanted.team)
    if wanted.muted is True and not service.is_muted:
        columns |= change.mute(tx)
    elif wanted.muted is False:
        columns |= change.unmute()
    return columns


def _base_url() -> str:
    return door.SETTINGS.base_url
