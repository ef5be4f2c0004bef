"""/ui/services: found, filtered, sorted, changed many at once; and a new one registered."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from pydantic import TypeAdapter, ValidationError

import door
from dashboard import charts, rendering, service_form
from dashboard.asked import Form, asked_line, chosen, valid
from door import Caller, Visitor
from medic_core.api.answers import status_of
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.alerting.alerts import Priority
from medic_core.domain.watching.names import like_pattern, name_key
from medic_core.domain.watching.periods import PERIODS, period_of, slots
from medic_core.errors import BadRequest, Conflict, MedicError
from medic_core.flows import register
from medic_core.store import outage_history, service_lists
from medic_core.store.service_lists import Sort, Wanted
from models.bulk import Bulk
from models.pages import read_sort_cursor, sort_cursor
from models.reading import problems
from models.services import NewService
from routes.v2_service_actions import done_to_many
from routes.v2_services import team_of

router = Router()  # type: ignore[no-untyped-call]
PATH = "/ui/services"
PAGE = 50
DEFAULT_MUTE_HOURS = 24
BULK: TypeAdapter[Bulk] = TypeAdapter(Bulk)
SORTS = (
    ("heartbeat_name", "Name"),
    ("status", "Status"),
    ("priority", "Priority"),
    ("-last_heartbeat_at", "Heard last"),
    ("next_deadline_at", "Due next"),
    ("-created_at", "Newest"),
)


class ServiceStatus(StrEnum):
    """What a service can be."""

    DOWN = "down"
    LATE = "late"
    DEGRADED = "degraded"
    NEW = "new"
    UP = "up"
    PAUSED = "paused"


class Muted(StrEnum):
    """Whether it is muted."""

    MUTED = "muted"
    NOT_MUTED = "not_muted"


@door.page(router, "GET", PATH)
def listed(caller: Caller) -> Response[str]:
    """Services, a page at a time, each with a mark for each of its last periods."""
    query = caller.request.query
    sort = query.get("sort") or "heartbeat_name"
    if sort not in dict(SORTS):
        raise BadRequest(f"sort: must be one of {', '.join(dict(SORTS))}.")
    by, after = Sort(sort.removeprefix("-")), read_sort_cursor(query.get("cursor") or None, sort)
    with door.DATABASE.autocommit() as connection:
        try:
            rows = service_lists.listed(
                connection, _wanted(query), by, descending=sort.startswith("-"), after=after, limit=PAGE + 1
            )
        except ValueError as error:
            raise BadRequest("cursor: must be the cursor of an earlier page.") from error
        found, more = rows[:PAGE], len(rows) > PAGE
        periods = {one.service_id: period_of(one.schedule, one.now) for one in found}
        since = {one.service_id: one.now - PERIODS * periods[one.service_id] for one in found}
        outages = outage_history.outages(connection, since) if found else {}
    return rendering.page(
        caller,
        "services.html",
        title="Services",
        services=found,
        bars={
            one.service_id: slots(periods[one.service_id], one.now, one.created_at, outages[one.service_id])
            for one in found
        },
        label=charts.label,
        next=sort_cursor(sort, service_lists.sort_value(found[-1], by), found[-1].service_id) if more else None,
        statuses=[one.value for one in ServiceStatus],
        priorities=[one.value for one in Priority],
        sorts=SORTS,
        sort=sort,
    )


def _wanted(query: Mapping[str, str]) -> Wanted:
    """Raises BadRequest."""
    name, team, tag = (asked_line(query, one) for one in ("name", "team", "tag"))
    status, priority = chosen(query, "status", ServiceStatus), chosen(query, "priority", Priority)
    muted = chosen(query, "muted", Muted)
    return Wanted(
        name_like=like_pattern(name if "*" in name or "?" in name else f"*{name}*") if name else None,
        statuses=[status.value] if status else None,
        team_key=name_key(team) if team else None,
        tags=tag.split() or None,
        priorities=[priority.value] if priority else None,
        muted=None if muted is None else muted is Muted.MUTED,
    )


@door.page(router, "GET", f"{PATH}/new", needs=Scope.WRITE)
def asked_for_new(caller: Caller) -> Response[str]:
    """The form that registers a service."""
    return rendering.page(caller, "service_new.html", title="New service", values={})


@door.page(router, "POST", PATH, needs=Scope.WRITE)
def registered(caller: Caller) -> Response[str]:
    """Register a service, and go to where its first heartbeat will be seen."""
    form = Form.of(caller.request)
    try:
        service_id = _register(form)
    except MedicError as error:
        return rendering.page(
            caller,
            "service_new.html",
            title="New service",
            status=status_of(error),
            wrong=error.message,
            values=service_form.written(form),
        )
    return rendering.gone_to(f"{PATH}/{service_id}", "Registered. Now have it send its first heartbeat.")


def _register(form: Form) -> int:
    """Raises BadRequest, Conflict."""
    sent = {"heartbeat_name": form.line("heartbeat_name"), **service_form.configuration(form)}
    if service_form.team(form) is not None:
        sent["team"] = service_form.team(form)
    wanted = valid(NewService, sent)
    with door.DATABASE.transaction() as tx:
        service_id = register.register(tx, wanted.configuration(team_of(tx, wanted)))
    if service_id is None:
        raise Conflict(f"A service of the name {wanted.heartbeat_name!r} is registered already.")
    return service_id


@door.page(router, "POST", f"{PATH}/many", needs=Scope.WRITE)
def many_changed(caller: Caller) -> Response[str]:
    """Do the same to all that were ticked."""
    form = Form.of(caller.request)
    onward = form.line("onward", 2000)
    onward = onward if onward.startswith(f"{PATH}?") else PATH
    wanted = _bulk(caller, form)
    results = done_to_many(caller, wanted)
    failures = sorted({one.message for one in results.items if not one.success})
    said = f"{results.succeeded} of {len(results.items)} services done."
    return rendering.gone_to(onward, f"{said} {' '.join(failures)}".strip())


def _bulk(caller: Visitor, form: Form) -> Bulk:
    """Raises BadRequest."""
    ids = form.numbers("service_id")
    if not ids:
        raise BadRequest("Tick the services first, then choose what shall be done to them.")
    sent: dict[str, Any] = {"action": form.line("action"), "service_ids": ids}
    match sent["action"]:
        case "mute":
            until = caller.request.received_at + form.hours("hours", DEFAULT_MUTE_HOURS)
            sent |= {"until": until, "reason": f"muted by {caller.actor}"}
        case "p1" | "p2" | "p3" | "p4" | "p5" as priority:
            sent |= {"action": "edit", "changes": {"priority": priority}}
        case _:
            pass
    try:
        return BULK.validate_python(sent)
    except ValidationError as error:
        raise BadRequest(problems(error.errors())) from error
