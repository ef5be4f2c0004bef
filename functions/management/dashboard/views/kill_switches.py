"""/ui/kill-switches: repairs are stopped, all of them or some, and allowed again. /ui/executions shows which."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from dashboard import rendering
from dashboard.asked import Form, valid
from door import Caller
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.repair.kill_switches import KillLevel
from medic_core.domain.watching.names import name_key
from medic_core.errors import BadRequest
from medic_core.flows import kill_switches as flows
from medic_core.store import kill_switches
from medic_core.store.connection import Transaction
from models.fields import PathId
from models.kill_switches import NewKillSwitch

router = Router()  # type: ignore[no-untyped-call]
LONGEST_REASON = 1000
ONWARD = "/ui/executions"
STOPPED = "Repairs are stopped: none starts, and what is under way ends before its next step."


@door.page(router, "POST", "/ui/kill-switches", needs=Scope.WRITE)
def thrown(caller: Caller) -> Response[str]:
    """Stop repairs: all of them, or those of a team, a service or a playbook."""
    form = Form.of(caller.request)
    with door.DATABASE.transaction() as tx:
        wanted = _wanted(tx, form)
        _, is_new = flows.throw(tx, wanted.level, wanted.subject_id, wanted.reason, caller.actor)
    return rendering.gone_to(ONWARD, STOPPED if is_new else "They were stopped already.")


@door.page(router, "POST", "/ui/kill-switches/<kill_switch_id>/release", needs=Scope.WRITE)
def released(caller: Caller, kill_switch_id: PathId) -> Response[str]:
    """Let repairs start again."""
    with door.DATABASE.transaction() as tx:
        flows.release(tx, kill_switch_id, caller.actor)
    return rendering.gone_to(ONWARD, "Repairs may start again. What was stopped stays so.")


def _wanted(tx: Transaction, form: Form) -> NewKillSwitch:
    """Raises BadRequest, also for a name that nothing has."""
    level, name = form.line("level"), form.line("name")
    subject_id = None
    if level != KillLevel.GLOBAL and level in set(KillLevel):
        if not name:
            raise BadRequest(f"name: say which {level} shall not be repaired.")
        subject_id = kill_switches.subject_named(tx, level, name_key(name))
        if subject_id is None:
            raise BadRequest(f"name: no {level} has the name {name!r}.")
    sent = {"level": level, "subject_id": subject_id, "reason": form.line("reason", LONGEST_REASON)}
    return valid(NewKillSwitch, sent)
