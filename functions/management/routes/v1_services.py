"""/service: registration, reading and changing, as users of v1 know them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

import door
from door import Caller
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.watching.names import name_key
from medic_core.errors import NotFound
from medic_core.flows import change, register
from medic_core.flows.record import record_signal
from medic_core.store import services
from medic_core.store.connection import Transaction
from medic_core.store.services import Service
from models.fields import LARGEST_ID, MAX_LIMIT, Envelope, Nothing, Text
from models.v1 import Changes, Registration, V1Service, v1_service

router = Router()  # type: ignore[no-untyped-call]
KNOWN = {200: "It was registered already, and stays as it is"}
HeartbeatName = Annotated[str, Path(description="Whatever the case")]


@door.route(router, "POST", "/service", needs=Scope.WRITE, status=HTTPStatus.CREATED, tag="v1", also=KNOWN)
def registered(wanted: Annotated[Registration, Body()]) -> Response[Envelope[Nothing]]:
    """Register a service; one that is registered already stays as it is."""
    with door.DATABASE.transaction() as tx:
        team_id = register.team_named(tx, wanted.team)
        service_id = register.register(tx, wanted.configuration(team_id))
    if service_id is None:
        return door.answer(message="Heartbeat is already registered.")
    return door.answer(message="Heartbeat successfully registered.", status=HTTPStatus.CREATED)


@door.route(router, "GET", "/service", needs=Scope.READ, tag="v1")
def listed(
    caller: Caller,
    service_name: Annotated[Text | None, Query(description="Those that people call so")] = None,
    active: Annotated[int | None, Query(ge=0, le=1, description="1: those whose heartbeats are taken")] = None,
    limit: Annotated[
        int, Query(ge=1, description=f"How many at most; more than {MAX_LIMIT} are {MAX_LIMIT}")
    ] = MAX_LIMIT,
    after: Annotated[int, Query(ge=0, le=LARGEST_ID, description="Go on after this service_id")] = 0,
) -> Response[Envelope[list[V1Service]]]:
    """Services, all or by name and flag, in the order of their registration."""
    flag = None if active is None else bool(active)
    with door.DATABASE.autocommit() as connection:
        rows = services.read(
            connection, service_name=service_name, active=flag, after=after, limit=min(limit, MAX_LIMIT)
        )
    return door.answer([v1_service(row, caller.ping_url(row.ping_id)) for row in rows])


@door.route(router, "GET", "/service/<heartbeat_name>", needs=Scope.READ, tag="v1")
def read(caller: Caller, heartbeat_name: HeartbeatName) -> Response[Envelope[list[V1Service]]]:
    """One service in a list; an empty list where there is none."""
    with door.DATABASE.autocommit() as connection:
        rows = services.read(connection, name_key=name_key(heartbeat_name))
    return door.answer([v1_service(row, caller.ping_url(row.ping_id)) for row in rows])


@door.route(router, "POST", "/service/<heartbeat_name>", needs=Scope.WRITE, tag="v1")
def changed(
    caller: Caller, heartbeat_name: HeartbeatName, wanted: Annotated[Changes, Body()]
) -> Response[Envelope[Nothing]]:
    """Change any of a service's fields."""
    with door.DATABASE.transaction() as tx:
        found = services.read(tx, name_key=name_key(heartbeat_name))
        if not found:
            raise NotFound("No service is registered under that name.")
        columns = _columns(tx, found[0], wanted)
        service = change.change(tx, found[0].service_id, columns, caller.by())
    down = wanted.said("down")
    if down is not None:
        record_signal(door.DATABASE, change.said_by_a_person(service, down=down), None)
    return door.answer(message="Service successfully updated.")


def _columns(tx: Transaction, service: Service, wanted: Changes) -> dict[str, Any]:
    columns = wanted.columns()
    if wanted.team:
        columns["team_id"] = register.team_named(tx, wanted.team)
    if wanted.said("active") is not None:
        columns |= change.resume() if wanted.active else {"active": False}
    if wanted.said("muted") is True and not service.is_muted:
        columns |= change.mute(tx)
    elif wanted.said("muted") is False:
        columns |= change.unmute()
    return columns
