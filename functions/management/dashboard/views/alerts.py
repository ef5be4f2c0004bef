"""/ui/alerts: found and filtered; one with its history and who was told; acknowledged, snoozed, resolved."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from dashboard import rendering
from dashboard.asked import Form, asked_id, chosen
from door import Caller
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.alerting.alerts import AlertStatus, Priority
from medic_core.errors import BadRequest
from medic_core.flows import attend
from medic_core.store import alert_lists, alert_responses
from medic_core.store.alert_lists import Wanted
from models.fields import PathId
from models.pages import id_cursor, read_id_cursor
from routes.v2_alerts import MOST_EVENTS

router = Router()  # type: ignore[no-untyped-call]
PATH = "/ui/alerts/<alert_id>"
PAGE, MOST_DELIVERIES, MOST_EXECUTIONS = 50, 200, 20
LONGEST_NOTE = 1000
#: How long one can be left alone, in hours.
SNOOZES = (1, 4, 8, 24, 72)


class Open(StrEnum):
    """Whether an alert is over."""

    OPEN = "1"
    OVER = "0"


@door.page(router, "GET", "/ui/alerts")
def listed(caller: Caller) -> Response[str]:
    """Alerts, newest first, a page at a time."""
    query = caller.request.query
    active, status = chosen(query, "active", Open), chosen(query, "status", AlertStatus)
    priority = chosen(query, "priority", Priority)
    wanted = Wanted(
        active=None if active is None else active is Open.OPEN,
        statuses=[status.value] if status else None,
        priorities=[priority.value] if priority else None,
        service_id=asked_id(query, "service_id"),
    )
    with door.DATABASE.autocommit() as connection:
        before = read_id_cursor(query.get("cursor") or None)
        rows = alert_lists.listed(connection, wanted, before=before, limit=PAGE + 1)
    return rendering.page(
        caller,
        "alerts.html",
        title="Alerts",
        alerts=rows[:PAGE],
        next=id_cursor(rows[PAGE - 1].alert_id) if len(rows) > PAGE else None,
        statuses=[one.value for one in AlertStatus],
        priorities=[one.value for one in Priority],
    )


@door.page(router, "GET", PATH)
def shown(caller: Caller, alert_id: PathId) -> Response[str]:
    """One alert: what happened to it, who was told, what repairs were tried."""
    with door.DATABASE.autocommit() as connection:
        alert, events = attend.read_with_events(connection, alert_id, MOST_EVENTS)
        responses = alert_responses.of_alert(connection, alert_id, MOST_DELIVERIES, MOST_EXECUTIONS)
    return rendering.page(
        caller,
        "alert.html",
        title=f"Alert: {alert.service_name or alert.heartbeat_name}",
        alert=alert,
        events=events,
        deliveries=responses.told,
        repairs=responses.repairs,
        snoozes=SNOOZES,
    )


@door.page(router, "POST", f"{PATH}/acknowledge", needs=Scope.WRITE)
def acknowledged(caller: Caller, alert_id: PathId) -> Response[str]:
    """Say that somebody looks after it."""
    form = Form.of(caller.request)
    with door.DATABASE.transaction() as tx:
        attend.acknowledge(tx, alert_id, caller.actor, form.line("note", LONGEST_NOTE))
    onward = "/ui" if form.line("onward") == "/ui" else f"/ui/alerts/{alert_id}"
    return rendering.gone_to(onward, "Acknowledged: nobody is reminded of it any more.")


@door.page(router, "POST", f"{PATH}/snooze", needs=Scope.WRITE)
def snoozed(caller: Caller, alert_id: PathId) -> Response[str]:
    """Leave people alone with it for some hours."""
    form = Form.of(caller.request)
    hours = form.whole("hours")
    if hours not in SNOOZES:
        raise BadRequest(f"hours: must be one of {', '.join(map(str, SNOOZES))}.")
    until = caller.request.received_at + timedelta(hours=hours)
    with door.DATABASE.transaction() as tx:
        attend.snooze(tx, alert_id, until, caller.actor, form.line("note", LONGEST_NOTE))
    return rendering.gone_to(f"/ui/alerts/{alert_id}", "Snoozed: if it is still open then, people hear of it.")


@door.page(router, "POST", f"{PATH}/resolve", needs=Scope.WRITE)
def resolved(caller: Caller, alert_id: PathId) -> Response[str]:
    """Declare it over."""
    form = Form.of(caller.request)
    with door.DATABASE.transaction() as tx:
        attend.resolve(tx, alert_id, caller.actor, form.line("note", LONGEST_NOTE))
    return rendering.gone_to(f"/ui/alerts/{alert_id}", "Resolved: its service is watched from now on as if just heard.")
