"""Working hours on the calendar: made, edited and deleted."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from dashboard import editing, rendering
from dashboard.asked import Form, valid
from dashboard.editing import Edited
from dashboard.views.calendar import PATH, calendar_page, written
from door import Caller
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.routing.working_hours import DAYS
from medic_core.errors import BadRequest, MedicError
from medic_core.flows import manage
from medic_core.store.working_hours import SCHEDULES, Schedule
from models.fields import PathId
from models.working_hours import ChangedSchedule, NewSchedule

router = Router()  # type: ignore[no-untyped-call]
OF_ONE = f"{PATH}/schedules/<schedule_id>"
MIDNIGHT, END_OF_DAY = "00:00", "24:00"
#: Room for one more stretch of a day.
ROOM = ("", "")


@door.page(router, "POST", f"{PATH}/schedules", needs=Scope.WRITE)
def made(caller: Caller) -> Response[str]:
    """Make working hours, and show them in this week."""
    form = Form.of(caller.request)
    try:
        wanted = valid(NewSchedule, _sent(form))
        with door.DATABASE.transaction() as tx:
            schedule = manage.create(tx, SCHEDULES, wanted.columns())
    except MedicError as error:
        return calendar_page(caller, {"hours": _written(form)}, error)
    return _in_this_week(schedule, f"{schedule.name}: these are its hours.")


@door.page(router, "GET", f"{OF_ONE}/edit", needs=Scope.WRITE)
def asked_to_edit(caller: Caller, schedule_id: PathId) -> Response[str]:
    """The form that changes working hours."""
    with door.DATABASE.autocommit() as connection:
        schedule = manage.existing(connection, SCHEDULES, schedule_id)
    return editing.page(caller, _edited(schedule), _values(schedule), schedule.version, weekdays=DAYS)


@door.page(router, "POST", f"{OF_ONE}/edit", needs=Scope.WRITE)
def edited(caller: Caller, schedule_id: PathId) -> Response[str]:
    """Change working hours, unless somebody else has since the form was shown."""
    form = Form.of(caller.request)
    with door.DATABASE.autocommit() as connection:
        before = manage.existing(connection, SCHEDULES, schedule_id)
    try:
        wanted = valid(ChangedSchedule, _sent(form))
        with door.DATABASE.transaction() as tx:
            schedule = manage.change(tx, SCHEDULES, schedule_id, wanted.columns(), editing.version_of(form))
    except MedicError as error:
        return editing.page(caller, _edited(before), _written(form), form.line("version"), error, weekdays=DAYS)
    return _in_this_week(schedule, f"{schedule.name} was changed.")


@door.page(router, "POST", f"{OF_ONE}/delete", needs=Scope.WRITE)
def deleted(schedule_id: PathId) -> Response[str]:
    """Delete working hours."""
    with door.DATABASE.transaction() as tx:
        manage.delete(tx, SCHEDULES, schedule_id, None)
    return rendering.gone_to(PATH, "Deleted: services that had these hours are always at work from now on.")


def _in_this_week(schedule: Schedule, said: str) -> Response[str]:
    return rendering.gone_to(f"{PATH}?schedule_id={schedule.schedule_id}", said)


def _edited(schedule: Schedule) -> Edited:
    return Edited(schedule.name, "hours_fields.html", PATH, "Calendar")


def _values(schedule: Schedule) -> dict[str, Any]:
    """Working hours as the form has them."""
    stretches = {
        day: [*((one["start"], MIDNIGHT if one["end"] == END_OF_DAY else one["end"]) for one in ranges), ROOM]
        for day, ranges in schedule.hours.items()
    }
    holidays = " ".join(schedule.holidays)
    return {"name": schedule.name, "timezone": schedule.timezone, "holidays": holidays, "stretches": stretches}


def _written(form: Form) -> dict[str, Any]:
    """What was filled in."""
    return {**written(form), "stretches": {day: _stretches(form, day) for day in DAYS}}


def _sent(form: Form) -> dict[str, Any]:
    """What the API's models take, unchecked. Raises BadRequest."""
    hours = {day: found for day in DAYS if (found := _ranges(form, day))}
    if not hours:
        raise BadRequest("Say the hours of one day at least.")
    return {
        "name": form.line("name"),
        "timezone": form.line("timezone") or "UTC",
        "hours": hours,
        "holidays": form.words("holidays"),
    }


def _ranges(form: Form, day: str) -> list[dict[str, str]]:
    """A day's hours, as the API has them; none for a day off. A browser's field knows no 24:00."""
    found = []
    for start, end in _stretches(form, day):
        if bool(start) != bool(end):
            raise BadRequest(f"{day}: say both when it begins and when it ends, or neither.")
        if start:
            found.append({"start": start, "end": END_OF_DAY if end == MIDNIGHT else end})
    return found


def _stretches(form: Form, day: str) -> list[tuple[str, str]]:
    """From when until when, as it was filled in."""
    starts, ends = (form.values.get(f"{day}_{part}", []) for part in ("start", "end"))
    return [(start.strip(), end.strip()) for start, end in zip_longest(starts, ends, fillvalue="")]
