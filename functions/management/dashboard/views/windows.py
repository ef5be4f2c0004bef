"""Maintenance windows on the calendar: made, edited and deleted."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from dashboard import editing, rendering, weeks
from dashboard.asked import Form, minute, valid
from dashboard.editing import Edited
from dashboard.named import services_named
from dashboard.views.calendar import PATH, calendar_page, written
from door import Caller
from medic_core.domain.access.api_keys import Scope
from medic_core.errors import BadRequest, MedicError
from medic_core.flows import maintain
from medic_core.store import services
from medic_core.store.connection import Transaction
from medic_core.store.maintenance import MaintenanceWindow
from models.fields import PathId
from models.maintenance import ChangedWindow, NewWindow

router = Router()  # type: ignore[no-untyped-call]
OF_ONE = f"{PATH}/windows/<window_id>"


@door.page(router, "POST", f"{PATH}/windows", needs=Scope.WRITE)
def made(caller: Caller) -> Response[str]:
    """Make a maintenance window, and show the week of its beginning."""
    form = Form.of(caller.request)
    try:
        with door.DATABASE.transaction() as tx:
            window = maintain.create(tx, valid(NewWindow, _sent(tx, form)).model_dump(), caller.actor)
    except MedicError as error:
        return calendar_page(caller, {"window": written(form)}, error)
    return _in_its_week(window, f"{window.name}: silence is expected then, and makes no alert.")


@door.page(router, "GET", f"{OF_ONE}/edit", needs=Scope.WRITE)
def asked_to_edit(caller: Caller, window_id: PathId) -> Response[str]:
    """The form that changes a window."""
    with door.DATABASE.autocommit() as connection:
        window = maintain.read(connection, window_id)
        names = services.heartbeat_names(connection, window.service_ids)
    return editing.page(caller, _edited(window), _values(window, names), window.version)


@door.page(router, "POST", f"{OF_ONE}/edit", needs=Scope.WRITE)
def edited(caller: Caller, window_id: PathId) -> Response[str]:
    """Change a window, unless somebody else has since the form was shown."""
    form = Form.of(caller.request)
    with door.DATABASE.autocommit() as connection:
        before = maintain.read(connection, window_id)
    try:
        with door.DATABASE.transaction() as tx:
            wanted = valid(ChangedWindow, _sent(tx, form, before))
            window = maintain.change(tx, window_id, wanted.columns(), editing.version_of(form))
    except MedicError as error:
        return editing.page(caller, _edited(before), written(form), form.line("version"), error)
    return _in_its_week(window, f"{window.name} was changed.")


@door.page(router, "POST", f"{OF_ONE}/delete", needs=Scope.WRITE)
def deleted(window_id: PathId) -> Response[str]:
    """Delete a window, which ends it at once."""
    with door.DATABASE.transaction() as tx:
        maintain.delete(tx, window_id, None)
    return rendering.gone_to(PATH, "The window was deleted: what is silent is told of again.")


def _in_its_week(window: MaintenanceWindow, said: str) -> Response[str]:
    return rendering.gone_to(f"{PATH}?week={weeks.week_of(window.start_time).name}", said)


def _edited(window: MaintenanceWindow) -> Edited:
    return Edited(window.name, "window_fields.html", PATH, "Calendar")


def _values(window: MaintenanceWindow, names: list[str]) -> dict[str, str]:
    """A window as the form has it. One whose services are all gone is not for every service."""
    found = {
        "name": window.name,
        "reason": window.reason,
        "start_time": minute(window.start_time),
        "end_time": minute(window.end_time),
        "recurrence": window.recurrence or "",
        "timezone": window.timezone,
        "services": "\n".join(names),
        "tags": " ".join(window.tags),
    }
    ticked = {"all": not window.service_ids and not window.tags, "notify": window.notify}
    return found | {name: "on" for name, is_ticked in ticked.items() if is_ticked}


def _sent(tx: Transaction, form: Form, before: MaintenanceWindow | None = None) -> dict[str, Any]:
    """What the API's models take, unchecked. Raises BadRequest."""
    names, tags, is_for_all = form.lines("services"), form.words("tags"), form.ticked("all")
    if is_for_all == bool(names or tags):
        raise BadRequest("Say which services it is for: by name, by tag, or all of them.")
    start = form.moment("start_time", before.start_time if before else None)
    end = form.moment("end_time", before.end_time if before else None)
    if start is None or end is None:
        raise BadRequest("Say from when until when.")
    return {
        "name": form.line("name"),
        "reason": form.line("reason", 1000),
        "start_time": start,
        "end_time": end,
        "recurrence": form.line("recurrence") or None,
        "timezone": form.line("timezone") or "UTC",
        "service_ids": services_named(tx, names, "services"),
        "tags": tags,
        "notify": form.ticked("notify"),
    }
