"""/ui/services/{id}: what was heard of a service, what is expected, who would be told, and how it sends heartbeats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from dashboard import charts, rendering, service_form, snippets
from dashboard.asked import Form, valid
from door import Caller, Visitor
from medic_core.api.answers import status_of
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.alerting.alerts import Priority
from medic_core.domain.routing.route import route
from medic_core.domain.watching.periods import PERIODS, availability, period_of, slots
from medic_core.errors import BadRequest, MedicError
from medic_core.flows import change
from medic_core.flows.change import By
from medic_core.flows.explain import explain_service
from medic_core.store import service_past, targets
from medic_core.store.connection import Transaction
from medic_core.store.services import Service
from models.fields import PathId
from models.services import ChangedService
from routes.v2_services import existing, team_of

router = Router()  # type: ignore[no-untyped-call]
PATH = "/ui/services/<service_id>"
MOST_HEARTBEATS, MOST_RUNS, MOST_ALERTS = 50, 60, 10
LONGEST_REASON = 1000
DEFAULT_MUTE_HOURS = 24


@door.page(router, "GET", PATH)
def shown(caller: Caller, service_id: PathId) -> Response[str]:
    """All about one service."""
    with door.DATABASE.transaction() as tx:
        explained = explain_service(tx, service_id, door.SETTINGS.sweep_every, MOST_HEARTBEATS)
        service = explained.service
        period = period_of(service.schedule, service.now)
        since = max(service.created_at, service.now - PERIODS * period)
        past = service_past.of_service(tx, service_id, since, MOST_ALERTS, MOST_RUNS)
        reachable = targets.reachable(tx, service_id, door.SETTINGS.defaults)
    assert reachable is not None
    ping_url = caller.ping_url(service.ping_id)
    return rendering.page(
        caller,
        "service.html",
        title=service.service_name,
        service=service,
        explanation=explained.explanation,
        bar=slots(period, service.now, service.created_at, past.outages),
        period=period,
        availability=availability(service.now, since, past.outages),
        since=since,
        heartbeats=explained.signals,
        runs=past.runs,
        chart=charts.durations(past.runs, service.max_duration_ms),
        statistics=past.statistics,
        alerts=past.alerts,
        route=route(reachable, Priority(service.priority), service.now),
        ping_url=ping_url,
        snippets=snippets.of(service, ping_url) if ping_url else [],
        badges=snippets.badges(service, door.base_url(caller.request)),
    )


@door.page(router, "GET", f"{PATH}/edit", needs=Scope.WRITE)
def asked_to_edit(caller: Caller, service_id: PathId) -> Response[str]:
    """The form that changes it."""
    with door.DATABASE.autocommit() as connection:
        service = existing(connection, service_id)
    return _edited(caller, service, service_form.values_of(service), str(service.version))


@door.page(router, "POST", f"{PATH}/edit", needs=Scope.WRITE)
def edited(caller: Caller, service_id: PathId) -> Response[str]:
    """Change it, unless somebody else has since the form was shown."""
    form = Form.of(caller.request)
    try:
        said = {"service_name": form.line("service_name"), "team": service_form.team(form)}
        wanted = valid(ChangedService, {**said, **service_form.configuration(form)})
        with door.DATABASE.transaction() as tx:
            columns = wanted.columns() | {"team_id": team_of(tx, wanted)}
            change.change(tx, service_id, columns, By(caller.actor, form.whole("version")))
    except MedicError as error:
        with door.DATABASE.autocommit() as connection:
            service = existing(connection, service_id)
        return _edited(caller, service, service_form.written(form), form.line("version"), error)
    return rendering.gone_to(f"/ui/services/{service_id}", "Changed. What it was is kept as a snapshot.")


def _edited(
    caller: Visitor, service: Service, values: Mapping[str, str], version: str, wrong: MedicError | None = None
) -> Response[str]:
    return rendering.page(
        caller,
        "service_edit.html",
        title=f"Edit {service.service_name}",
        status=status_of(wrong) if wrong else HTTPStatus.OK,
        wrong=wrong.message if wrong else "",
        service=service,
        values=values,
        version=version,
    )


@dataclass(frozen=True, slots=True)
class _Action:
    """Something that a button does to a service, and what is said then."""

    changes: Callable[[Transaction, Form, Visitor], dict[str, Any]]
    said: str


def _mute(tx: Transaction, form: Form, caller: Visitor) -> dict[str, Any]:
    reason = form.line("reason", LONGEST_REASON) or f"muted by {caller.actor}"
    return change.mute(tx, caller.request.received_at + form.hours("hours", DEFAULT_MUTE_HOURS), reason)


def _show(_: Transaction, form: Form, __: Visitor) -> dict[str, Any]:
    """On the page that was named; on none where none was."""
    wanted = valid(ChangedService, {"status_page": form.line("status_page") or None})
    return wanted.columns()


ACTIONS = {
    "mute": _Action(_mute, "Muted: its alerts open silently."),
    "unmute": _Action(lambda *_: change.unmute(), "Unmuted: what is open is told with the next sweep."),
    "pause": _Action(
        lambda tx, form, _: change.pause(tx, resume_on_heartbeat=form.ticked("resume_on_heartbeat")),
        "Paused: it is heard, and not watched.",
    ),
    "resume": _Action(lambda *_: change.resume(), "It is watched again, from now on."),
    "status-page": _Action(_show, "Its status page was changed."),
    "rotate-ping-key": _Action(lambda *_: change.new_ping_url(), "It has a new ping URL; the former one has ended."),
}


@door.page(router, "POST", f"{PATH}/do/<action>", needs=Scope.WRITE)
def done(caller: Caller, service_id: PathId, action: str) -> Response[str]:
    """Mute, unmute, pause, resume, another ping URL, or another status page."""
    known = ACTIONS.get(action)
    if known is None:
        raise BadRequest(f"A service cannot be told to {action[:50]!r}.")
    form = Form.of(caller.request)
    with door.DATABASE.transaction() as tx:
        change.change(tx, service_id, known.changes(tx, form, caller), caller.by())
    return rendering.gone_to(f"/ui/services/{service_id}", known.said)


@door.page(router, "POST", f"{PATH}/delete", needs=Scope.WRITE)
def deleted(caller: Caller, service_id: PathId) -> Response[str]:
    """Delete a service, if its name was written to say that it is meant."""
    said = Form.of(caller.request).line("name")
    with door.DATABASE.transaction() as tx:
        service = existing(tx, service_id)
        if said != service.heartbeat_name:
            raise BadRequest(f"To delete it, write its name: {service.heartbeat_name}.")
        change.delete(tx, service_id, caller.by())
    return rendering.gone_to("/ui/services", f"{service.heartbeat_name} was deleted; a snapshot of it is kept.")
