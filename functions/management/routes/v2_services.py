"""/v2/services: create, list, read, change, delete."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body, Query

import door
from door import Caller
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.alerting.alerts import Priority
from medic_core.domain.watching.names import like_pattern, name_key
from medic_core.errors import BadRequest, Conflict, NotFound
from medic_core.flows import change, register
from medic_core.store import service_lists, services, teams
from medic_core.store.connection import Transaction
from medic_core.store.service_lists import Sort, Wanted
from medic_core.store.services import Service
from medic_core.store.working_hours import SCHEDULES
from models.fields import DEFAULT_LIMIT, Cursor, Envelope, Limit, Nothing, Page, PathId, QueryId, Text
from models.pages import page, read_sort_cursor, sort_cursor
from models.services import ChangedService, NewService, ReadService, Status, Tag, read_service

router = Router()  # type: ignore[no-untyped-call]
TAG = "services"
Order = Annotated[
    str,
    Query(
        pattern=f"^-?({'|'.join(Sort)})$",
        description="What to sort by; with a hyphen before it, the other way round",
        examples=["-last_heartbeat_at"],
    ),
]


@door.route(router, "POST", "/v2/services", needs=Scope.WRITE, status=HTTPStatus.CREATED, tag=TAG)
def created(caller: Caller, wanted: Annotated[NewService, Body()]) -> Response[Envelope[ReadService]]:
    """Register a service."""
    with door.DATABASE.transaction() as tx:
        check_working_hours(tx, wanted.working_hours_id)
        service_id = register.register(tx, wanted.configuration(team_of(tx, wanted)))
        if service_id is None:
            raise Conflict(f"heartbeat_name: {wanted.heartbeat_name!r} is registered already.")
        service = services.read(tx, service_id=service_id)[0]
    return shown(caller, service, "Service registered.", HTTPStatus.CREATED)


@door.route(router, "GET", "/v2/services", needs=Scope.READ, tag=TAG)
def listed(
    caller: Caller,
    name: Annotated[Text | None, Query(max_length=200, description="A glob: * is any text, ? any character")] = None,
    status: Annotated[list[Status] | None, Query(description="Any of these")] = None,
    team_id: QueryId = None,
    team: Annotated[Text | None, Query(max_length=200, description="The team's name")] = None,
    tag: Annotated[list[Tag] | None, Query(description="All of these", max_length=20)] = None,
    priority: Annotated[list[Priority] | None, Query(description="Any of these")] = None,
    active: Annotated[bool | None, Query(description="true: watched; false: paused or inactive")] = None,
    muted: Annotated[bool | None, Query()] = None,
    sort: Order = Sort.SERVICE_ID.value,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response[Envelope[Page[ReadService]]]:
    """Services, a page at a time."""
    if team_id is not None and team is not None:
        raise BadRequest("team_id and team say the same thing: send one of them.")
    if active is not None and status is not None and (status == ["paused"]) == active:
        raise BadRequest("active and status contradict each other: nothing can be both.")
    wanted = Wanted(
        name_like=like_pattern(name) if name else None,
        statuses=list(status) if status else None,
        team_id=team_id,
        team_key=name_key(team) if team else None,
        tags=tag,
        priorities=[one.value for one in priority] if priority else None,
        active=active,
        muted=muted,
    )
    by = Sort(sort.removeprefix("-"))
    after = read_sort_cursor(cursor, sort)
    try:
        with door.DATABASE.autocommit() as connection:
            rows = service_lists.listed(
                connection, wanted, by, descending=sort.startswith("-"), after=after, limit=limit + 1
            )
    except ValueError as error:
        raise BadRequest("cursor: must be the cursor of an earlier page.") from error
    return door.answer(
        page(
            rows,
            limit,
            lambda row: read_service(row, caller.ping_url(row.ping_id)),
            lambda row: sort_cursor(sort, service_lists.sort_value(row, by), row.service_id),
        )
    )


@door.route(router, "GET", "/v2/services/<service_id>", needs=Scope.READ, tag=TAG)
def read(caller: Caller, service_id: PathId) -> Response[Envelope[ReadService]]:
    """One service."""
    with door.DATABASE.autocommit() as connection:
        return shown(caller, existing(connection, service_id))


@door.route(router, "PATCH", "/v2/services/<service_id>", needs=Scope.WRITE, tag=TAG)
def changed(
    caller: Caller, service_id: PathId, wanted: Annotated[ChangedService, Body()]
) -> Response[Envelope[ReadService]]:
    """Change the fields that are sent.

    A new schedule begins the watch anew. What the service was is kept as a snapshot.
    """
    with door.DATABASE.transaction() as tx:
        columns = wanted.columns()
        if wanted.changes_team:
            columns["team_id"] = team_of(tx, wanted)
        check_working_hours(tx, wanted.working_hours_id)
        service = change.change(tx, service_id, columns, caller.by())
    return shown(caller, service, "Service changed.")


@door.route(router, "DELETE", "/v2/services/<service_id>", needs=Scope.WRITE, tag=TAG)
def deleted(caller: Caller, service_id: PathId) -> Response[Envelope[Nothing]]:
    """Delete a service with all that was heard of it.

    Its alerts end and stay listed. A snapshot is kept, from which it can be made again.
    """
    with door.DATABASE.transaction() as tx:
        change.delete(tx, service_id, caller.by())
    return door.answer(message="Service deleted.")


def existing(tx: Transaction, service_id: int) -> Service:
    """The service. Raises NotFound."""
    found = services.read(tx, service_id=service_id)
    if not found:
        raise NotFound("No service has this id.")
    return found[0]


def team_of(tx: Transaction, wanted: NewService | ChangedService) -> int | None:
    """The team that is meant, by id or by name. Raises BadRequest where there is no such id."""
    if wanted.team is not None:
        return register.team_named(tx, wanted.team)
    if wanted.team_id is not None and teams.existing(tx, wanted.team_id) is None:
        raise BadRequest(f"team_id: no team has the id {wanted.team_id}.")
    return wanted.team_id


def check_working_hours(tx: Transaction, schedule_id: int | None) -> None:
    """Raises BadRequest where there is no such schedule."""
    if schedule_id is not None and SCHEDULES.read(tx, schedule_id) is None:
        raise BadRequest(f"working_hours_id: no schedule has the id {schedule_id}.")


def shown(
    caller: Caller, service: Service, message: str = "", status: int = HTTPStatus.OK
) -> Response[Envelope[ReadService]]:
    """The answer that shows a service, with its ETag."""
    return door.answer(
        read_service(service, caller.ping_url(service.ping_id)), message, status, version=service.version
    )
