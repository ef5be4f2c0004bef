"""/ui/playbooks/{id}/triggers: which alerts start a playbook. The playbook's page shows them."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from dashboard import rendering
from dashboard.asked import Form, valid
from door import Caller
from medic_core.domain.access.api_keys import Scope
from medic_core.errors import BadRequest
from medic_core.flows import edit_triggers
from models.fields import PathId
from models.triggers import NewTrigger

router = Router()  # type: ignore[no-untyped-call]
PATH = "/ui/playbooks/<playbook_id>/triggers"


@door.page(router, "POST", PATH, needs=Scope.WRITE)
def created(caller: Caller, playbook_id: PathId) -> Response[str]:
    """Have alerts of some services start this playbook."""
    form = Form.of(caller.request)
    sent = {
        "service_pattern": form.line("service_pattern"),
        "consecutive_failures": form.whole("consecutive_failures") or 1,
        "mode": form.line("mode"),
    }
    wanted = valid(NewTrigger, sent)
    with door.DATABASE.transaction() as tx:
        edit_triggers.create(tx, playbook_id, wanted.columns(), caller.actor)
    return _back(playbook_id, "Alerts of these services start it from now on.")


@door.page(router, "POST", f"{PATH}/<trigger_id>/turn-<way>", needs=Scope.WRITE)
def turned(caller: Caller, playbook_id: PathId, trigger_id: PathId, way: str) -> Response[str]:
    """Turn a trigger on or off."""
    if way not in {"on", "off"}:
        raise BadRequest("A trigger is turned on or off.")
    with door.DATABASE.transaction() as tx:
        edit_triggers.change(tx, playbook_id, trigger_id, {"enabled": way == "on"}, None, caller.actor)
    return _back(playbook_id, f"The trigger is {way}.")


@door.page(router, "POST", f"{PATH}/<trigger_id>/delete", needs=Scope.WRITE)
def deleted(caller: Caller, playbook_id: PathId, trigger_id: PathId) -> Response[str]:
    """Delete a trigger."""
    with door.DATABASE.transaction() as tx:
        edit_triggers.delete(tx, playbook_id, trigger_id, None, caller.actor)
    return _back(playbook_id, "The trigger was deleted. What it has started goes on.")


def _back(playbook_id: int, said: str) -> Response[str]:
    return rendering.gone_to(f"/ui/playbooks/{playbook_id}", said)
