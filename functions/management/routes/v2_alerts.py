"""/v2/alerts: list, read with their history, acknowledge, snooze, resolve."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body, Query

import door
from door import Caller
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.alerting.alerts import AlertStatus, Priority
from medic_core.errors import BadRequest
from medic_core.flows import attend
from medic_core.store import alert_lists
from medic_core.store.alert_lists import AlertRow, Wanted
from models.alerts import Attention, ReadAlert, ReadAlertWithEvents, ReadEvent, Snooze, read_alert
from models.fields import DEFAULT_LIMIT, Cursor, Envelope, Limit, Page, PathId, QueryId, Text
from models.pages import id_cursor, page, read_id_cursor

router = Router()  # type: ignore[no-untyped-call]
TAG = "alerts"
#: An alert reminded of once a day for a year is far below.
MOST_EVENTS = 1000


@door.route(router, "GET", "/v2/alerts", needs=Scope.READ, tag=TAG)
def listed(
    active: Annotated[bool | None, Query(description="true: not over yet")] = None,
    status: Annotated[list[AlertStatus] | None, Query(description="Any of these")] = None,
    kind: Annotated[list[Text] | None, Query(description="Any of these", max_length=20)] = None,
    priority: Annotated[list[Priority] | None, Query(description="Any of these")] = None,
    service_id: QueryId = None,
    team_id: QueryId = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response[Envelope[Page[ReadAlert]]]:
    """Alerts, newest first."""
    if active is not None and status is not None and (status == [AlertStatus.RESOLVED]) == active:
        raise BadRequest("active and status contradict each other: nothing can be both.")
    wanted = Wanted(
        active=active,
        statuses=[one.value for one in status] if status else None,
        kinds=kind,
        priorities=[one.value for one in priority] if priority else None,
        service_id=service_id,
        team_id=team_id,
    )
    with door.DATABASE.autocommit() as connection:
        rows = alert_lists.listed(connection, wanted, before=read_id_cursor(cursor), limit=limit + 1)
    return door.answer(page(rows, limit, read_alert, lambda row: id_cursor(row.alert_id)))


@door.route(router, "GET", "/v2/alerts/<alert_id>", needs=Scope.READ, tag=TAG)
def read(alert_id: PathId) -> Response[Envelope[ReadAlertWithEvents]]:
    """One alert with its history."""
    with door.DATABASE.autocommit() as connection:
        alert, events = attend.read_with_events(connection, alert_id, MOST_EVENTS)
    history = [ReadEvent.model_validate(event, from_attributes=True) for event in events]
    return door.answer(ReadAlertWithEvents(**read_alert(alert).model_dump(), events=history))


@door.route(router, "POST", "/v2/alerts/<alert_id>/acknowledge", needs=Scope.WRITE, tag=TAG)
def acknowledged(
    caller: Caller, alert_id: PathId, wanted: Annotated[Attention, Body()] = Attention()
) -> Response[Envelope[ReadAlert]]:
    """Say that somebody looks after an alert: nobody is reminded of it any more."""
    with door.DATABASE.transaction() as tx:
        alert = attend.acknowledge(tx, alert_id, caller.actor, wanted.note)
    return _shown(alert, "Alert acknowledged.")


@door.route(router, "POST", "/v2/alerts/<alert_id>/snooze", needs=Scope.WRITE, tag=TAG)
def snoozed(caller: Caller, alert_id: PathId, wanted: Annotated[Snooze, Body()]) -> Response[Envelope[ReadAlert]]:
    """Leave people alone with an alert until a time; if it is still open then, they hear of it."""
    with door.DATABASE.transaction() as tx:
        alert = attend.snooze(tx, alert_id, wanted.until, caller.actor, wanted.note)
    return _shown(alert, "Alert snoozed.")


@door.route(router, "POST", "/v2/alerts/<alert_id>/resolve", needs=Scope.WRITE, tag=TAG)
def resolved(
    caller: Caller, alert_id: PathId, wanted: Annotated[Attention, Body()] = Attention()
) -> Response[Envelope[ReadAlert]]:
    """Declare an alert over.

    Its service is watched from now on as if it had just been heard: one that stays silent makes a new alert.
    """
    with door.DATABASE.transaction() as tx:
        alert = attend.resolve(tx, alert_id, caller.actor, wanted.note)
    return _shown(alert, "Alert resolved.")


def _shown(alert: AlertRow, message: str) -> Response[Envelope[ReadAlert]]:
    return door.answer(read_alert(alert), message)
