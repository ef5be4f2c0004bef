"""/ui/audit-log: what repairs did and who had them do it; as a table for spreadsheets too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from dashboard import rendering
from dashboard.asked import again, asked_id, asked_line, chosen, moment
from door import Caller
from medic_core.domain.repair.audit import AuditAction
from medic_core.store import audit_log
from medic_core.store.audit_log import Wanted
from models.audit_logs import as_csv
from models.pages import id_cursor, read_id_cursor
from routes.v2_audit_logs import CSV, check_dates

router = Router()  # type: ignore[no-untyped-call]
PATH = "/ui/audit-log"
PAGE, MOST_IN_CSV = 50, 2000
LONGEST_ACTOR = 255


@door.page(router, "GET", PATH)
def listed(caller: Caller) -> Response[str]:
    """Entries, newest first, a page at a time."""
    query = caller.request.query
    wanted, before = _wanted(query), read_id_cursor(query.get("cursor") or None)
    with door.DATABASE.autocommit() as connection:
        rows = audit_log.listed(connection, wanted, before, PAGE + 1)
        found = rows[:PAGE]
        names = audit_log.names(connection, found)
    return rendering.page(
        caller,
        "audit_log.html",
        title="Audit log",
        entries=found,
        names=names,
        next=id_cursor(found[-1].log_id) if len(rows) > PAGE else None,
        actions=sorted(one.value for one in AuditAction),
        csv=again(f"{PATH}.csv", query),
        most=MOST_IN_CSV,
    )


@door.page(router, "GET", f"{PATH}.csv")
def as_table(caller: Caller) -> Response[str]:
    """The same entries as CSV; where there are more, the oldest of these says where to go on."""
    query = caller.request.query
    wanted, before = _wanted(query), read_id_cursor(query.get("cursor") or None)
    with door.DATABASE.autocommit() as connection:
        rows = audit_log.listed(connection, wanted, before, MOST_IN_CSV)
    headers: dict[str, Any] = {"Content-Disposition": 'attachment; filename="audit-log.csv"'}
    return Response(200, f"{CSV}; charset=utf-8", as_csv(rows), headers=headers)


def _wanted(query: Mapping[str, str]) -> Wanted:
    """Raises BadRequest."""
    action = chosen(query, "action", AuditAction)
    since, until = (moment(asked_line(query, name), name) for name in ("since", "until"))
    check_dates(since, until)
    return Wanted(
        execution_id=asked_id(query, "execution_id"),
        playbook_id=asked_id(query, "playbook_id"),
        service_id=asked_id(query, "service_id"),
        actions=[action.value] if action else None,
        actor=asked_line(query, "actor", LONGEST_ACTOR) or None,
        since=since,
        until=until,
    )
