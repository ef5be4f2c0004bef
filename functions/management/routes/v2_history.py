"""What was heard of a service."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

import door
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.watching.runs import MAX_RUN_ID_LENGTH, RunStatus
from medic_core.domain.watching.signals import SignalKind
from medic_core.errors import BadRequest, NotFound
from medic_core.store import heartbeat_events, job_runs
from models.fields import DEFAULT_LIMIT, Cursor, Envelope, Limit, Page, PathId, Text
from models.history import (
    MOST_SIGNALS,
    ReadHeartbeat,
    ReadRun,
    ReadRunWithSignals,
    Statistics,
    read_run_with_signals,
)
from models.pages import id_cursor, page, read_id_cursor, read_sort_cursor, sort_cursor
from routes.v2_services import TAG, existing

router = Router()  # type: ignore[no-untyped-call]
BY_RECEIPT = "-received_at"


@door.route(router, "GET", "/v2/services/<service_id>/heartbeats", needs=Scope.READ, tag=TAG)
def heartbeats(
    service_id: PathId,
    status: Annotated[list[SignalKind] | None, Query(description="Any of these")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response[Envelope[Page[ReadHeartbeat]]]:
    """A service's heartbeats, newest first."""
    before = read_sort_cursor(cursor, BY_RECEIPT)
    kinds = [one.value for one in status] if status else None
    try:
        with door.DATABASE.autocommit() as connection:
            existing(connection, service_id)
            rows = heartbeat_events.of_service(connection, service_id, kinds, before, limit + 1)
    except ValueError as error:
        raise BadRequest("cursor: must be the cursor of an earlier page.") from error
    return door.answer(
        page(
            rows,
            limit,
            lambda row: ReadHeartbeat.model_validate(row, from_attributes=True),
            lambda row: sort_cursor(BY_RECEIPT, str(row.received_at), row.heartbeat_id),
        )
    )


@door.route(router, "GET", "/v2/services/<service_id>/runs", needs=Scope.READ, tag=TAG)
def runs(
    service_id: PathId,
    status: Annotated[list[RunStatus] | None, Query(description="Any of these")] = None,
    run_id: Annotated[
        Text | None, Query(max_length=MAX_RUN_ID_LENGTH, description="The one that clients call so")
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response[Envelope[Page[ReadRun]]]:
    """A service's job runs, newest first."""
    statuses = [one.value for one in status] if status else None
    with door.DATABASE.autocommit() as connection:
        existing(connection, service_id)
        before = read_id_cursor(cursor)
        rows = job_runs.of_service(
            connection, service_id, run_id=run_id, statuses=statuses, before=before, limit=limit + 1
        )
    return door.answer(
        page(
            rows,
            limit,
            lambda row: ReadRun.model_validate(row, from_attributes=True),
            lambda row: id_cursor(row.job_run_id),
        )
    )


@door.route(router, "GET", "/v2/services/<service_id>/runs/<job_run_id>", needs=Scope.READ, tag=TAG)
def run(service_id: PathId, job_run_id: PathId) -> Response[Envelope[ReadRunWithSignals]]:
    """A job run with what was said during it, logs included."""
    with door.DATABASE.autocommit() as connection:
        existing(connection, service_id)
        found = job_runs.of_service(connection, service_id, job_run_id=job_run_id)
        if not found:
            raise NotFound("This service has no run of this id.")
        signals = heartbeat_events.of_run(connection, service_id, found[0].run_id, MOST_SIGNALS)
    return door.answer(read_run_with_signals(found[0], signals))


@door.route(router, "GET", "/v2/services/<service_id>/stats", needs=Scope.READ, tag=TAG)
def stats(service_id: PathId) -> Response[Envelope[Statistics]]:
    """How long a service's runs take."""
    with door.DATABASE.autocommit() as connection:
        existing(connection, service_id)
        found = job_runs.statistics(connection, service_id)
    return door.answer(Statistics.model_validate({"service_id": service_id, **found}))
