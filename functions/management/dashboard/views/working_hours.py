"""Working hours on the calendar: made and deleted."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from dashboard import rendering
from dashboard.asked import Form, valid
from dashboard.views.calendar import PATH, calendar_page, written
from door import Caller
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.routing.working_hours import DAYS
from medic_core.errors import BadRequest, MedicError
from medic_core.flows import manage
from medic_core.store.working_hours import SCHEDULES, Schedule
from models.fields import PathId
from models.working_hours import NewSchedule

router = Router()  # type: ignore[no-untyped-call]
MIDNIGHT, END_OF_DAY = "00:00", "24:00"


@door.page(router, "POST", f"{PATH}/schedules", needs=Scope.WRITE)
def made(caller: Caller) -> Response[str]:
    """Make working hours, and show them in this week."""
    form = Form.of(caller.request)
    try:
        schedule = _made(form)
    except MedicError as error:
        return calendar_page(caller, {"hours": written(form)}, error)
    return rendering.gone_to(f"{PATH}?schedule_id={schedule.schedule_id}", f"{schedule.name}: these are its hours.")


@door.page(router, "POST", f"{PATH}/schedules/<schedule_id>/delete", needs=Scope.WRITE)
def deleted(schedule_id: PathId) -> Response[str]:
    """Delete working hours."""
    with door.DATABASE.transaction() as tx:
        manage.delete(tx, SCHEDULES, schedule_id, None)
    return rendering.gone_to(PATH, "Deleted: services that had these hours are always at work from now on.")


def _made(form: Form) -> Schedule:
    """Raises BadRequest, Conflict."""
    hours = {day: [found] for day in DAYS if (found := _range(form, day)) is not None}
    if not hours:
        raise BadRequest("Say the hours of one day at least.")
    sent = {
        "name": form.line("name"),
        "timezone": form.line("timezone") or "UTC",
        "hours": hours,
        "holidays": form.words("holidays"),
    }
    wanted = valid(NewSchedule, sent)
    with door.DATABASE.transaction() as tx:
        return manage.create(tx, SCHEDULES, wanted.columns())


def _range(form: Form, day: str) -> dict[str, str] | None:
    """A day's hours, as the API has them; None for a day off. A browser's field knows no 24:00."""
    start, end = form.line(f"{day}_start"), form.line(f"{day}_end")
    if bool(start) != bool(end):
        raise BadRequest(f"{day}: say both when it begins and when it ends, or neither.")
    return {"start": start, "end": END_OF_DAY if end == MIDNIGHT else end} if start else None
