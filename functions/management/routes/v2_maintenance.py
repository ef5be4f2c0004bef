"""/v2/maintenance-windows: times in which silence is expected."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body

import door
from door import Caller
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.alerting.maintenance import occurrence_at
from medic_core.errors import BadRequest
from medic_core.flows import maintain
from medic_core.store import connection, services
from medic_core.store.connection import Transaction
from medic_core.store.maintenance import WINDOWS, MaintenanceWindow
from medic_core.store.services import Service
from models.fields import DEFAULT_LIMIT, Cursor, Envelope, Limit, Nothing, Page, PathId, QueryId, QueryMoment
from models.maintenance import (
    ActiveWindow,
    ActiveWindows,
    ChangedWindow,
    NewWindow,
    ReadWindow,
    Silence,
    read_window,
)
from models.pages import id_cursor, page, read_id_cursor
from routes.v2_services import TAG as SERVICES

router = Router()  # type: ignore[no-untyped-call]
TAG = "maintenance"
PATH = "/v2/maintenance-windows"
AT_ONCE = 500


@door.route(router, "POST", PATH, needs=Scope.WRITE, status=HTTPStatus.CREATED, tag=TAG)
def created(caller: Caller, wanted: Annotated[NewWindow, Body()]) -> Response[Envelope[ReadWindow]]:
    """Make a window: for some services, for tags, or for all where neither is named.

    A service that falls due in it makes no alert; what is silent still at its end does.
    """
    with door.DATABASE.transaction() as tx:
        window = maintain.create(tx, wanted.model_dump(), caller.actor)
    return _shown(window, "Maintenance window made.", HTTPStatus.CREATED)


@door.route(router, "GET", PATH, needs=Scope.READ, tag=TAG)
def listed(limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Response[Envelope[Page[ReadWindow]]]:
    """Windows, a page at a time."""
    with door.DATABASE.autocommit() as reader:
        rows = WINDOWS.listed(reader, read_id_cursor(cursor) or 0, limit + 1)
    return door.answer(page(rows, limit, read_window, lambda row: id_cursor(row.window_id)))


@door.route(router, "GET", f"{PATH}/active", needs=Scope.READ, tag=TAG)
def active(at: QueryMoment = None, service_id: QueryId = None) -> Response[Envelope[ActiveWindows]]:
    """The windows that hold now, or at a moment."""
    found: list[ActiveWindow] = []
    with door.DATABASE.transaction() as tx:
        moment = at or connection.now(tx)
        service = _service(tx, service_id)
        after = 0
        while rows := WINDOWS.listed(tx, after, AT_ONCE):
            after = rows[-1].window_id
            for row in rows:
                time = occurrence_at(row.window, moment)
                if time is not None and (service is None or row.applies(service.service_id, service.tags)):
                    found.append(ActiveWindow(window=read_window(row), since=time.start, until=time.end))
    return door.answer(ActiveWindows(at=moment, items=found))


@door.route(router, "GET", f"{PATH}/<window_id>", needs=Scope.READ, tag=TAG)
def read(window_id: PathId) -> Response[Envelope[ReadWindow]]:
    """One window."""
    with door.DATABASE.autocommit() as reader:
        return _shown(maintain.read(reader, window_id))


@door.route(router, "PATCH", f"{PATH}/<window_id>", needs=Scope.WRITE, tag=TAG)
def changed(
    caller: Caller, window_id: PathId, wanted: Annotated[ChangedWindow, Body()]
) -> Response[Envelope[ReadWindow]]:
    """Change the fields that are sent. What waited for the window's end is looked at anew."""
    with door.DATABASE.transaction() as tx:
        window = maintain.change(tx, window_id, wanted.columns(), caller.version)
    return _shown(window, "Maintenance window changed.")


@door.route(router, "DELETE", f"{PATH}/<window_id>", needs=Scope.WRITE, tag=TAG)
def deleted(caller: Caller, window_id: PathId) -> Response[Envelope[Nothing]]:
    """Delete a window, which ends it at once. What waited for its end is looked at anew."""
    with door.DATABASE.transaction() as tx:
        maintain.delete(tx, window_id, caller.version)
    return door.answer(message="Maintenance window deleted.")


@door.route(
    router, "POST", "/v2/services/<service_id>/silence", needs=Scope.WRITE, status=HTTPStatus.CREATED, tag=SERVICES
)
def silenced(
    caller: Caller, service_id: PathId, wanted: Annotated[Silence, Body()] = Silence()
) -> Response[Envelope[ReadWindow]]:
    """Expect a service's silence for some minutes: a maintenance window for it alone, from now on."""
    with door.DATABASE.transaction() as tx:
        length = timedelta(minutes=wanted.minutes)
        window = maintain.silence(tx, service_id, length, wanted.reason, caller.actor)
    return _shown(window, "Service silenced.", HTTPStatus.CREATED)


def _service(tx: Transaction, service_id: int | None) -> Service | None:
    if service_id is None:
        return None
    found = services.read(tx, service_id=service_id)
    if not found:
        raise BadRequest(f"service_id: no service has the id {service_id}.")
    return found[0]


def _shown(window: MaintenanceWindow, message: str = "", status: int = HTTPStatus.OK) -> Response[Envelope[ReadWindow]]:
    return door.answer(read_window(window), message, status, version=window.version)
