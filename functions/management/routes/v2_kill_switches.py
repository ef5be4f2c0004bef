"""/v2/kill-switches: while one is thrown, nothing that it is about is repaired."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body

import door
from door import Caller
from medic_core.domain.access.api_keys import Scope
from medic_core.flows import kill_switches as flows
from medic_core.store import kill_switches
from models.fields import DEFAULT_LIMIT, Cursor, Envelope, Limit, Nothing, Page, PathId
from models.kill_switches import NewKillSwitch, ReadKillSwitch
from models.pages import id_cursor, page, read_id_cursor

router = Router()  # type: ignore[no-untyped-call]
TAG = "kill switches"


@door.route(
    router,
    "POST",
    "/v2/kill-switches",
    needs=Scope.WRITE,
    status=HTTPStatus.CREATED,
    tag=TAG,
    also={HTTPStatus.OK: "It was thrown already"},
)
def thrown(caller: Caller, wanted: Annotated[NewKillSwitch, Body()]) -> Response[Envelope[ReadKillSwitch]]:
    """Stop repairs: none starts any more, and what is under way ends before its next step."""
    with door.DATABASE.transaction() as tx:
        found, is_new = flows.throw(tx, wanted.level, wanted.subject_id, wanted.reason, caller.actor)
    status = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return door.answer(ReadKillSwitch.model_validate(found), "Repairs are stopped.", status)


@door.route(router, "GET", "/v2/kill-switches", needs=Scope.READ, tag=TAG)
def listed(limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Response[Envelope[Page[ReadKillSwitch]]]:
    """Kill switches that are thrown."""
    with door.DATABASE.autocommit() as connection:
        rows = kill_switches.listed(connection, read_id_cursor(cursor) or 0, limit + 1)
    return door.answer(page(rows, limit, ReadKillSwitch.model_validate, lambda row: id_cursor(row.kill_switch_id)))


@door.route(router, "DELETE", "/v2/kill-switches/<kill_switch_id>", needs=Scope.WRITE, tag=TAG)
def released(caller: Caller, kill_switch_id: PathId) -> Response[Envelope[Nothing]]:
    """Let repairs start again. What was stopped stays so."""
    with door.DATABASE.transaction() as tx:
        flows.release(tx, kill_switch_id, caller.actor)
    return door.answer(message="Repairs may start again.")
