"""What is expected, and why things are as they are."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

import door
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.watching.cron import MAX_EXPRESSION_LENGTH, valid_expression, valid_timezone
from medic_core.domain.watching.schedules import (
    LONGEST_EARLY_TOLERANCE,
    LONGEST_GRACE,
    LONGEST_INTERVAL,
    SHORTEST_INTERVAL,
    Cron,
    Interval,
    Schedule,
)
from medic_core.errors import BadRequest
from medic_core.flows.explain import explain_service
from medic_core.store import connection
from models.explanations import ExplainedService, Explanation, Preview, preview
from models.fields import Envelope, PathId, QueryMoment, Text
from models.history import ReadHeartbeat
from routes.v2_services import TAG, existing

router = Router()  # type: ignore[no-untyped-call]
Count = Annotated[int, Query(ge=1, le=100, description="How many")]


@door.route(router, "GET", "/v2/services/<service_id>/explain", needs=Scope.READ, tag=TAG)
def explained(service_id: PathId) -> Response[Envelope[ExplainedService]]:
    """Why a service is in its state, and what happens next.

    What was heard last, how its deadline comes about, what holds its alerts back, what the monitor will do and when.
    The rules that decide are the ones that answer here.
    """
    with door.DATABASE.transaction() as tx:
        found = explain_service(tx, service_id, door.SETTINGS.sweep_every)
    return door.answer(
        ExplainedService(
            service_id=service_id,
            heartbeat_name=found.service.heartbeat_name,
            status=found.service.status,  # type: ignore[arg-type]
            now=found.service.now,
            explanation=Explanation.model_validate(found.explanation),
            last_signals=[ReadHeartbeat.model_validate(one, from_attributes=True) for one in found.signals],
        )
    )


@door.route(router, "GET", "/v2/services/<service_id>/schedule/preview", needs=Scope.READ, tag=TAG)
def previewed(service_id: PathId, count: Count = 10, after: QueryMoment = None) -> Response[Envelope[Preview]]:
    """When a service is expected next, and when its silence becomes an alert."""
    with door.DATABASE.autocommit() as reader:
        service = existing(reader, service_id)
    begins = after or service.now
    if after is None and isinstance(service.schedule, Interval) and service.alert_after is not None:
        begins = service.alert_after - service.schedule.grace - service.schedule.every
    return door.answer(preview(service.schedule, begins, count))


@door.route(router, "GET", "/v2/schedule/preview", needs=Scope.READ, tag=TAG)
def previewed_unsaved(
    expression: Annotated[Text | None, Query(max_length=MAX_EXPRESSION_LENGTH, description="A cron expression")] = None,
    timezone: Annotated[Text, Query(max_length=64, description="The zone that its clock is in")] = "UTC",
    every_seconds: Annotated[
        int | None,
        Query(
            ge=int(SHORTEST_INTERVAL.total_seconds()), le=int(LONGEST_INTERVAL.total_seconds()), description="Or this"
        ),
    ] = None,
    grace_period_seconds: Annotated[int, Query(ge=0, le=int(LONGEST_GRACE.total_seconds()))] = 0,
    early_tolerance_seconds: Annotated[int, Query(ge=0, le=int(LONGEST_EARLY_TOLERANCE.total_seconds()))] = 60,
    count: Count = 10,
    after: QueryMoment = None,
) -> Response[Envelope[Preview]]:
    """What a schedule would mean, before it is saved. Send an expression or every_seconds."""
    grace = timedelta(seconds=grace_period_seconds)
    if (expression is None) == (every_seconds is None):
        raise BadRequest("Send either expression or every_seconds.")
    schedule: Schedule
    if expression is not None:
        early = timedelta(seconds=early_tolerance_seconds)
        schedule = Cron(valid_expression(expression), valid_timezone(timezone), grace, early)
    else:
        schedule = Interval(timedelta(seconds=every_seconds or 0), grace=grace)
    with door.DATABASE.autocommit() as reader:
        now = connection.now(reader)
    return door.answer(preview(schedule, after or now, count))
