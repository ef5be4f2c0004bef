"""/ui/calendar: maintenance windows and working hours, a week at a time."""

from __future__ import annotations

from http import HTTPStatus
from itertools import islice
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from dashboard import rendering, weeks
from dashboard.asked import Form, asked_id
from dashboard.weeks import Week
from door import Caller, Visitor
from medic_core.api.answers import status_of
from medic_core.domain.alerting.maintenance import Occurrence, occurrences
from medic_core.domain.routing.working_hours import DAYS, at_work
from medic_core.errors import MedicError
from medic_core.flows import manage
from medic_core.store import maintenance
from medic_core.store.maintenance import MaintenanceWindow
from medic_core.store.working_hours import SCHEDULES
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
