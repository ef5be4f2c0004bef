"""/v2/scripts: what script steps may run, and nothing else."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body

import door
from door import Caller
from medic_core.domain.access.api_keys import Scope
from medic_core.flows import scripts as flows
from medic_core.store import scripts
from medic_core.store.scripts import ScriptRow
from models.fields import DEFAULT_LIMIT, LARGEST_ID, Cursor, Envelope, Limit, Nothing, Page, PathId
from models.pages import id_cursor, page, read_id_cursor
from models.scripts import ChangedScript, NewScript, ReadScript, ReadScriptVersion

router = Router()  # type: ignore[no-untyped-call]
TAG = "scripts"


@door.route(router, "POST", "/v2/scripts", needs=Scope.ADMIN, status=HTTPStatus.CREATED, tag=TAG)
def created(caller: Caller, wanted: Annotated[NewScript, Body()]) -> Response[Envelope[ReadScript]]:
    """Register a script."""
    with door.DATABASE.transaction() as tx:
        row = flows.create(tx, wanted.model_dump(), caller.actor)
    return _shown(row, "Script registered.", HTTPStatus.CREATED)


@door.route(router, "GET", "/v2/scripts", needs=Scope.READ, tag=TAG)
def listed(limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Response[Envelope[Page[ReadScript]]]:
    """Registered scripts, a page at a time."""
    with door.DATABASE.autocommit() as connection:
        rows = scripts.listed(connection, read_id_cursor(cursor) or 0, limit + 1)
    return door.answer(page(rows, limit, ReadScript.model_validate, lambda row: id_cursor(row.script_id)))


@door.route(router, "GET", "/v2/scripts/<script_id>", needs=Scope.READ, tag=TAG)
def read(script_id: PathId) -> Response[Envelope[ReadScript]]:
    """One script with its newest version."""
    with door.DATABASE.autocommit() as connection:
        return _shown(flows.existing(connection, script_id))


@door.route(router, "PATCH", "/v2/scripts/<script_id>", needs=Scope.ADMIN, tag=TAG)
def changed(
    caller: Caller, script_id: PathId, wanted: Annotated[ChangedScript, Body()]
) -> Response[Envelope[ReadScript]]:
    """Write a further version. Executions that are under way run the one that they began with."""
    with door.DATABASE.transaction() as tx:
        row = flows.change(tx, script_id, wanted.model_dump(exclude_unset=True), caller.actor, caller.version)
    return _shown(row, "Script changed.")


@door.route(router, "DELETE", "/v2/scripts/<script_id>", needs=Scope.ADMIN, tag=TAG)
def deleted(caller: Caller, script_id: PathId) -> Response[Envelope[Nothing]]:
    """Delete a script. Playbooks that run it fail from then on; what is under way goes on."""
    with door.DATABASE.transaction() as tx:
        flows.delete(tx, script_id, caller.actor, caller.version)
    return door.answer(message="Script deleted.")


@door.route(router, "GET", "/v2/scripts/<script_id>/versions", needs=Scope.READ, tag=TAG)
def versions_listed(
    script_id: PathId, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response[Envelope[Page[ReadScriptVersion]]]:
    """A script's versions, newest first."""
    with door.DATABASE.autocommit() as connection:
        flows.existing(connection, script_id)
        rows = scripts.versions(connection, script_id, read_id_cursor(cursor) or LARGEST_ID, limit + 1)
    return door.answer(page(rows, limit, ReadScriptVersion.model_validate, lambda row: id_cursor(row.version)))


def _shown(row: ScriptRow, message: str = "", status: int = HTTPStatus.OK) -> Response[Envelope[ReadScript]]:
    return door.answer(ReadScript.model_validate(row), message, status, version=row.version)
