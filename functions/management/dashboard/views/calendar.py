"""/ui/calendar: maintenance windows and working hours, a week at a time; windows made and deleted."""

from __future__ import annotations

from http import HTTPStatus
from itertools import islice
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from dashboard import rendering, weeks
from dashboard.asked import Form, asked_id, valid
from dashboard.named import services_named
from dashboard.weeks import Week
from door import Caller, Visitor
from medic_core.api.answers import status_of
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.alerting.maintenance import Occurrence, occurrences
from medic_core.domain.routing.working_hours import DAYS, at_work
from medic_core.errors import BadRequest, MedicError
from medic_core.flows import maintain, manage
from medic_core.store import maintenance
from medic_core.store.maintenance import MaintenanceWindow
from medic_core.store.working_hours import SCHEDULES
from models.fields import PathId
from models.maintenance import NewWindow
from models.pages import id_cursor, read_id_cursor

router = Router()  # type: ignore[no-untyped-call]
PATH = "/ui/calendar"
PAGE = 50
#: What a week shows: of so many windows so many times each, and so many schedules to choose from.
MOST_WINDOWS, MOST_TIMES, MOST_SCHEDULES = 100, 50, 200
#: Of the services of a window so many are named.
MOST_NAMES = 5


@door.page(router, "GET", PATH)
def shown(caller: Caller) -> Response[str]:
    """A week, the windows that there are, and working hours."""
    return calendar_page(caller, {})


@door.page(router, "POST", f"{PATH}/windows", needs=Scope.WRITE)
def window_made(caller: Caller) -> Response[str]:
    """Make a maintenance window, and show the week of its beginning."""
    form = Form.of(caller.request)
    try:
        made = _made(caller, form)
    except MedicError as error:
        return calendar_page(caller, {"window": written(form)}, error)
    week = weeks.week_of(made.start_time).name
    return rendering.gone_to(f"{PATH}?week={week}", f"{made.name}: silence is expected then, and makes no alert.")


@door.page(router, "POST", f"{PATH}/windows/<window_id>/delete", needs=Scope.WRITE)
def window_deleted(window_id: PathId) -> Response[str]:
    """Delete a window, which ends it at once."""
    with door.DATABASE.transaction() as tx:
        maintain.delete(tx, window_id, None)
    return rendering.gone_to(PATH, "The window was deleted: what is silent is told of again.")


def calendar_page(caller: Visitor, values: dict[str, Any], error: MedicError | None = None) -> Response[str]:
    """The calendar; after a form that was not right, with what was filled in."""
    query = caller.request.query
    week = weeks.week_named(query["week"]) if query.get("week") else weeks.week_of(caller.request.received_at)
    schedule_id, after = asked_id(query, "schedule_id"), read_id_cursor(query.get("cursor") or None) or 0
    with door.DATABASE.autocommit() as connection:
        schedules = SCHEDULES.listed(connection, 0, MOST_SCHEDULES)
        chosen = next((one for one in schedules if one.schedule_id == schedule_id), None)
        if chosen is None and schedule_id is not None:
            chosen = manage.existing(connection, SCHEDULES, schedule_id)
        of_week = maintenance.between(connection, week.start, week.end, MOST_WINDOWS + 1)
        rows, names = maintenance.listed(connection, after, PAGE + 1, MOST_NAMES)
    listed = rows[:PAGE]
    stretches = list(at_work(chosen.working_hours, week.start, week.end)) if chosen else []
    return rendering.page(
        caller,
        "calendar.html",
        title="Calendar",
        status=status_of(error) if error else HTTPStatus.OK,
        wrong=error.message if error else "",
        path=PATH,
        week=week,
        days=weeks.days(week, stretches, _times(of_week[:MOST_WINDOWS], week)),
        height=weeks.HEIGHT,
        is_cut=len(of_week) > MOST_WINDOWS,
        schedules=schedules,
        chosen=chosen,
        weekdays=DAYS,
        windows=listed,
        names=names,
        most_names=MOST_NAMES,
        next=id_cursor(listed[-1].window_id) if len(rows) > PAGE else None,
        values={"window": {}, "hours": {}, **values},
    )


def written(form: Form) -> dict[str, str]:
    """What was filled in."""
    return {name: form.text(name, 20_000) for name in form.values}


def _times(windows: list[MaintenanceWindow], week: Week) -> list[tuple[str, Occurrence]]:
    return [
        (row.name, one) for row in windows for one in islice(occurrences(row.window, week.start, week.end), MOST_TIMES)
    ]


def _made(caller: Visitor, form: Form) -> MaintenanceWindow:
    """Raises BadRequest, Conflict."""
    names, tags, is_for_all = form.lines("services"), form.words("tags"), form.ticked("all")
    if is_for_all == bool(names or tags):
        raise BadRequest("Say which services it is for: by name, by tag, or all of them.")
    start, end = form.moment("start_time"), form.moment("end_time")
    if start is None or end is None:
        raise BadRequest("Say from when until when.")
    sent = {
        "name": form.line("name"),
        "reason": form.line("reason", 1000),
        "start_time": start,
        "end_time": end,
        "recurrence": form.line("recurrence") or None,
        "timezone": form.line("timezone") or "UTC",
        "tags": tags,
        "notify": form.ticked("notify"),
    }
    with door.DATABASE.transaction() as tx:
        wanted = valid(NewWindow, {**sent, "service_ids": services_named(tx, names, "services")})
        return maintain.create(tx, wanted.model_dump(), caller.actor)
