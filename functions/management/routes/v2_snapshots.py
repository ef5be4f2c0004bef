"""/v2/snapshots: what services were before they were changed, and the way back."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

import door
from door import Caller
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.watching.snapshots import Action
from medic_core.errors import BadRequest, NotFound
from medic_core.flows.restore import restore
from medic_core.store import snapshots
from models.fields import DEFAULT_LIMIT, Cursor, Envelope, Limit, Page, PathId, QueryId, QueryMoment
from models.pages import id_cursor, page, read_id_cursor
from models.services import ReadService
from models.snapshots import ReadSnapshot, read_snapshot
from routes.v2_services import shown

router = Router()  # type: ignore[no-untyped-call]
TAG = "snapshots"


@door.route(router, "GET", "/v2/snapshots", needs=Scope.READ, tag=TAG)
def listed(
    service_id: QueryId = None,
    action_type: Annotated[Action | None, Query(description="The change that followed")] = None,
    start_date: QueryMoment = None,
    end_date: QueryMoment = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response[Envelope[Page[ReadSnapshot]]]:
    """Snapshots, newest first; both dates are inclusive."""
    if start_date is not None and end_date is not None and start_date > end_date:
        raise BadRequest("start_date lies after end_date: nothing can lie between them.")
    with door.DATABASE.autocommit() as connection:
        rows = snapshots.read(
            connection,
            service_id=service_id,
            action_type=action_type,
            start_date=start_date,
            end_date=end_date,
            before=read_id_cursor(cursor),
            limit=limit + 1,
        )
    return door.answer(page(rows, limit, read_snapshot, lambda row: id_cursor(row.snapshot_id)))


@door.route(router, "GET", "/v2/snapshots/<snapshot_id>", needs=Scope.READ, tag=TAG)
def read(snapshot_id: PathId) -> Response[Envelope[ReadSnapshot]]:
    """One snapshot."""
    with door.DATABASE.autocommit() as connection:
        found = snapshots.read(connection, snapshot_id=snapshot_id)
    if not found:
        raise NotFound("No snapshot has this id.")
    return door.answer(read_snapshot(found[0]))


@door.route(router, "POST", "/v2/snapshots/<snapshot_id>/restore", needs=Scope.WRITE, tag=TAG)
def restored(caller: Caller, snapshot_id: PathId) -> Response[Envelope[ReadService]]:
    """Put a service back to what it was, or make it again where it was deleted.

    What it is now is kept as a snapshot first. Each snapshot is restored once.
    """
    with door.DATABASE.transaction() as tx:
        service = restore(tx, snapshot_id, caller.actor)
    return shown(caller, service, "Service restored.")
