"""/v2/schedules: working hours."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from zoneinfo import ZoneInfo

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body

import door
from door import Caller
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.routing.working_hours import holds_until, period_at
from medic_core.flows import manage
from medic_core.store.working_hours import SCHEDULES, Schedule
from models.fields import DEFAULT_LIMIT, Cursor, Envelope, Limit, Nothing, Page, PathId, QueryMoment
from models.pages import id_cursor, page, read_id_cursor
from models.working_hours import ChangedSchedule, CurrentPeriod, NewSchedule, ReadSchedule

router = Router()  # type: ignore[no-untyped-call]
TAG = "schedules"


@door.route(router, "POST", "/v2/schedules", needs=Scope.WRITE, status=HTTPStatus.CREATED, tag=TAG)
def created(wanted: Annotated[NewSchedule, Body()]) -> Response[Envelope[ReadSchedule]]:
    """Make working hours, to be given to services."""
    with door.DATABASE.transaction() as tx:
        schedule = manage.create(tx, SCHEDULES, wanted.columns())
    return _shown(schedule, "Schedule made.", HTTPStatus.CREATED)


@door.route(router, "GET", "/v2/schedules", needs=Scope.READ, tag=TAG)
def listed(limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Response[Envelope[Page[ReadSchedule]]]:
    """Working hours, a page at a time."""
    with door.DATABASE.autocommit() as connection:
        rows = SCHEDULES.listed(connection, read_id_cursor(cursor) or 0, limit + 1)
    return door.answer(page(rows, limit, ReadSchedule.model_validate, lambda row: id_cursor(row.schedule_id)))


@door.route(router, "GET", "/v2/schedules/<schedule_id>", needs=Scope.READ, tag=TAG)
def read(schedule_id: PathId) -> Response[Envelope[ReadSchedule]]:
    """One schedule."""
    with door.DATABASE.autocommit() as connection:
        return _shown(manage.existing(connection, SCHEDULES, schedule_id))


@door.route(router, "GET", "/v2/schedules/<schedule_id>/current-period", needs=Scope.READ, tag=TAG)
def current_period(schedule_id: PathId, at: QueryMoment = None) -> Response[Envelope[CurrentPeriod]]:
    """Whether it is working time, now or at a moment, and until when."""
    with door.DATABASE.autocommit() as connection:
        schedule = manage.existing(connection, SCHEDULES, schedule_id)
    moment, hours = at or schedule.now, schedule.working_hours
    found = CurrentPeriod(
        schedule_id=schedule_id,
        at=moment,
        local=moment.astimezone(ZoneInfo(schedule.timezone)),
        period=period_at(hours, moment),
        until=holds_until(hours, moment),
    )
    return door.answer(found)


@door.route(router, "PATCH", "/v2/schedules/<schedule_id>", needs=Scope.WRITE, tag=TAG)
def changed(
    caller: Caller, schedule_id: PathId, wanted: Annotated[ChangedSchedule, Body()]
) -> Response[Envelope[ReadSchedule]]:
    """Change the fields that are sent; `hours` are sent whole."""
    with door.DATABASE.transaction() as tx:
        schedule = manage.change(tx, SCHEDULES, schedule_id, wanted.columns(), caller.version)
    return _shown(schedule, "Schedule changed.")


@door.route(router, "DELETE", "/v2/schedules/<schedule_id>", needs=Scope.WRITE, tag=TAG)
def deleted(caller: Caller, schedule_id: PathId) -> Response[Envelope[Nothing]]:
    """Delete working hours. Services that had them are always at work from then on."""
    with door.DATABASE.transaction() as tx:
        manage.delete(tx, SCHEDULES, schedule_id, caller.version)
    return door.answer(message="Schedule deleted.")


def _shown(schedule: Schedule, message: str = "", status: int = HTTPStatus.OK) -> Response[Envelope[ReadSchedule]]:
    return door.answer(ReadSchedule.model_validate(schedule), message, status, version=schedule.version)
