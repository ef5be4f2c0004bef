"""/ui/repair-batches: repairs that were held because many services failed at once. /ui/executions shows which."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from dashboard import rendering
from door import Caller, Visitor
from medic_core.domain.access.api_keys import Scope
from models.fields import PathId
from routes.v2_triggers import batch_decided

router = Router()  # type: ignore[no-untyped-call]
PATH = "/ui/repair-batches/<batch_id>"
ONWARD = "/ui/executions"


@door.page(router, "POST", f"{PATH}/approve", needs=Scope.WRITE)
def approved(caller: Caller, batch_id: PathId) -> Response[str]:
    """Start the repairs of a batch whose services are still down."""
    return _decided(caller, batch_id, approves=True)


@door.page(router, "POST", f"{PATH}/reject", needs=Scope.WRITE)
def rejected(caller: Caller, batch_id: PathId) -> Response[str]:
    """Drop the repairs of a batch."""
    return _decided(caller, batch_id, approves=False)


def _decided(caller: Visitor, batch_id: int, *, approves: bool) -> Response[str]:
    started = batch_decided(caller, batch_id, approved=approves)
    said = f"Approved: {started} of its repairs have started." if approves else "Rejected: none of its repairs starts."
    return rendering.gone_to(ONWARD, said)
