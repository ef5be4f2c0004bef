"""/ui/playbooks/{id}/run: what a playbook would do, step by step; and doing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from dashboard import rendering
from dashboard.asked import Form, asked_line, valid
from door import Caller, Visitor
from medic_core.api.answers import status_of
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.domain.watching.names import name_key
from medic_core.domain.watching.signals import ByName
from medic_core.errors import BadRequest, MedicError
from medic_core.flows import edit_playbooks
from medic_core.store import services
from models.fields import PathId
from models.playbooks import Execution, Rehearsing
from routes.v2_playbook_runs import by_hand, plan, rehearsal, start

router = Router()  # type: ignore[no-untyped-call]
PATH = "/ui/playbooks/<playbook_id>"


@door.page(router, "GET", f"{PATH}/run", needs=Scope.WRITE)
def asked_for(caller: Caller, playbook_id: PathId) -> Response[str]:
    """The form that runs a playbook."""
    return _form(caller, playbook_id, {"service": asked_line(caller.request.query, "service")})


@door.page(router, "POST", f"{PATH}/plan", needs=Scope.WRITE)
def planned(caller: Caller, playbook_id: PathId) -> Response[str]:
    """What it would do, and how it would go if all went well. Nothing is done."""

    def look(wanted: Execution) -> Response[str]:
        found = plan(playbook_id, wanted)
        walk = rehearsal(playbook_id, Rehearsing(context=by_hand(wanted)))
        return _form(caller, playbook_id, _filled(caller), plan=found, rehearsal=walk)

    return _counted(caller, playbook_id, look)


@door.page(router, "POST", f"{PATH}/run", needs=Scope.WRITE)
def started(caller: Caller, playbook_id: PathId) -> Response[str]:
    """Run it, and go to where it can be watched."""

    def begin(wanted: Execution) -> Response[str]:
        execution_id = start(caller, playbook_id, wanted).execution_id
        return rendering.gone_to(f"/ui/executions/{execution_id}", "Started.")

    return _counted(caller, playbook_id, begin)


def _counted(caller: Visitor, playbook_id: int, do: Callable[[Execution], Response[str]]) -> Response[str]:
    """Do it as often a minute as the API would; what was filled in is shown again where it cannot be done."""
    try:
        door.LIMITS.of_key(Endpoints.EXECUTION, caller.key).certain()
        return do(_wanted(Form.of(caller.request)))
    except MedicError as error:
        return _form(caller, playbook_id, _filled(caller), error)


def _wanted(form: Form) -> Execution:
    """Raises BadRequest."""
    sent = {"service_id": _service(form.line("service")), "variables": variables_of(form.text("variables"))}
    return valid(Execution, sent)


def _service(name: str) -> int | None:
    """Raises BadRequest for a name that no service has."""
    if not name:
        return None
    with door.DATABASE.autocommit() as connection:
        found = services.find(connection, ByName(name_key(name)))
    if found is None:
        raise BadRequest(f"service: none is registered under the name {name!r}.")
    return found


def variables_of(text: str) -> dict[str, str]:
    """A variable from each line like NAME=value. Raises BadRequest for other lines, and for a name that comes twice."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        name, sign, value = line.partition("=")
        if not line.strip():
            continue
        if not sign or not name.strip():
            raise BadRequest(f"variables: line {number} must be like NAME=value.")
        if name.strip() in found:
            raise BadRequest(f"variables: {name.strip()[:100]} is given twice.")
        found[name.strip()] = value.strip()
    return found


def _filled(caller: Visitor) -> dict[str, str]:
    form = Form.of(caller.request)
    return {name: form.text(name) for name in ("service", "variables")}


def _form(
    caller: Visitor, playbook_id: int, filled: Mapping[str, str], error: MedicError | None = None, **found: Any
) -> Response[str]:
    with door.DATABASE.autocommit() as connection:
        playbook = edit_playbooks.existing(connection, playbook_id)
    return rendering.page(
        caller,
        "playbook_run.html",
        title=f"Run {playbook.name}",
        status=status_of(error) if error is not None else 200,
        wrong=error.message if error is not None else "",
        playbook=playbook,
        filled=filled,
        **{"plan": None, "rehearsal": None, **found},
    )
