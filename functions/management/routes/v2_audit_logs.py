"""/v2/audit-logs: what repairs did, and who had them do it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

import door
from door import Caller
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.repair.audit import AuditAction
from medic_core.errors import BadRequest
from medic_core.store import audit_log
from medic_core.store.audit_log import Wanted
from models.audit_logs import ReadEntry, as_csv, read_entry
from models.fields import DEFAULT_LIMIT, Cursor, Envelope, Limit, Page, QueryId, QueryMoment, Text
from models.pages import id_cursor, page, read_id_cursor

router = Router()  # type: ignore[no-untyped-call]
TAG = "audit log"
CSV = "text/csv"


@door.route(router, "GET", "/v2/audit-logs", needs=Scope.READ, tag=TAG)
def listed(
    caller: Caller,
    execution_id: QueryId = None,
    playbook_id: QueryId = None,
    service_id: QueryId = None,
    action_type: Annotated[list[AuditAction] | None, Query(description="Any of these")] = None,
    actor: Annotated[Text | None, Query(max_length=255)] = None,
    start_date: QueryMoment = None,
    end_date: QueryMoment = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response[Envelope[Page[ReadEntry]] | str]:
    """Entries, newest first, both dates inclusive; as a table for `Accept: text/csv`."""
    check_dates(start_date, end_date)
    wanted = Wanted(
        execution_id=execution_id,
        playbook_id=playbook_id,
        service_id=service_id,
        actions=[one.value for one in action_type] if action_type else None,
        actor=actor,
        since=start_date,
        until=end_date,
    )
    with door.DATABASE.autocommit() as connection:
        rows = audit_log.listed(connection, wanted, read_id_cursor(cursor), limit + 1)
    found = page(rows, limit, read_entry, lambda row: id_cursor(row.log_id))
    if CSV in caller.request.headers.get("accept", "").lower():
        headers: dict[str, Any] = {
            "Content-Disposition": 'attachment; filename="audit_logs.csv"',
            "X-Has-More": str(found.has_more).lower(),
            **({"X-Cursor": found.cursor} if found.cursor else {}),
        }
        return Response(200, f"{CSV}; charset=utf-8", as_csv(rows[:limit]), headers=headers)
    return door.answer(found)


def check_dates(start_date: datetime | None, end_date: datetime | None) -> None:
    """Raises BadRequest where nothing can lie between them."""
    if start_date is not None and end_date is not None and start_date > end_date:
        raise BadRequest("start_date lies after end_date: nothing can lie between them.")
