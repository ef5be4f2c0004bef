"""What is done to one target or webhook from the list of all: tried, enabled, disabled, deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from dashboard import rendering
from door import Caller, Visitor
from medic_core.domain.access.api_keys import Scope
from medic_core.errors import BadRequest, NotFound
from medic_core.flows import manage
from medic_core.store.tables import Table
from medic_core.store.targets import TARGETS, WEBHOOKS
from models.fields import PathId
from models.routing import ChangedWebhook
from routes.v2_targets import came_of, target_tried
from routes.v2_webhooks import webhook_changed, webhook_tried

router = Router()  # type: ignore[no-untyped-call]
PATH = "/ui/targets"
TABLES: dict[str, Table[Any]] = {"target": TARGETS, "webhook": WEBHOOKS}


def _tried(caller: Visitor, kind: str, number: int) -> str:
    return came_of(target_tried(caller, number) if kind == "target" else webhook_tried(caller, number))


def _enabled(_: Visitor, kind: str, number: int) -> str:
    _switch(kind, number, enabled=True)
    return "Enabled: it is told from now on."


def _disabled(_: Visitor, kind: str, number: int) -> str:
    _switch(kind, number, enabled=False)
    return "Disabled: it is told nothing until it is enabled again."


def _switch(kind: str, number: int, *, enabled: bool) -> None:
    if kind == "webhook":
        webhook_changed(number, ChangedWebhook(enabled=enabled), None)
        return
    with door.DATABASE.transaction() as tx:
        manage.change(tx, TARGETS, number, {"enabled": enabled}, None)


def _deleted(_: Visitor, kind: str, number: int) -> str:
    with door.DATABASE.transaction() as tx:
        manage.delete(tx, TABLES[kind], number, None)
    return f"The {kind} was deleted: it is told nothing any more."


#: Each does it, and says what happened.
ACTIONS: dict[str, Callable[[Visitor, str, int], str]] = {
    "test": _tried,
    "enable": _enabled,
    "disable": _disabled,
    "delete": _deleted,
}


@door.page(router, "POST", f"{PATH}/<kind>/<number>/<action>", needs=Scope.WRITE)
def done(caller: Caller, kind: str, number: PathId, action: str) -> Response[str]:
    """Send it a test, enable, disable or delete it."""
    if kind not in TABLES:
        raise NotFound("There is nothing at this path.")
    known = ACTIONS.get(action)
    if known is None:
        raise BadRequest(f"A {kind} cannot be told to {action[:50]!r}.")
    return rendering.gone_to(PATH, known(caller, kind, number))
