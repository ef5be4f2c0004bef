"""A playbook is started: by an alert's trigger, by a person, by a webhook."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from medic_core.domain.repair import guards
from medic_core.domain.repair.audit import AuditAction
from medic_core.domain.repair.execution import Cause
from medic_core.domain.repair.guards import BREAKER_WINDOW, Blocked, Decision, Situation
from medic_core.domain.repair.orders import keepable
from medic_core.domain.routing.messages import NoticeKind
from medic_core.errors import BadRequest, Conflict, NotFound
from medic_core.store import audit_log, engine_runs, executions, notices, outbox, playbooks, scripts, services
from medic_core.store.audit_log import Entry
from medic_core.store.connection import Transaction
from medic_core.store.executions import New
from medic_core.store.outbox import Topic
from medic_core.store.playbooks import PlaybookRow

#: Of the variables of a caller: fifty that it sends, and two that say where from.
MOST_VARIABLES, LONGEST_VARIABLE = 52, 4096


@dataclass(frozen=True, slots=True)
class Wanted:
    """An execution that somebody or something wants. `context` are its variables, those of the service included.

    `started_by` is who is said to want it, `started_with` the name of the key that it was asked for with,
    `traceparent` the trace that the request was a part of.
    """

    playbook: PlaybookRow
    cause: Cause
    started_by: str
    context: Mapping[str, Any]
    service_id: int | None = None
    team_id: int | None = None
    alert_id: int | None = None
    trigger_id: int | None = None
    started_with: str | None = None
    traceparent: str | None = None


def situation(tx: Transaction, playbook_id: int, service_id: int, most_recent: int) -> Situation:
    """What the guards look at. Nobody else starts a repair of this service until the transaction ends."""
    recent, active = executions.recent(tx, service_id, playbook_id, BREAKER_WINDOW)
    return Situation(executions.stopped_by(tx, playbook_id, service_id), active > 0, recent, most_recent)


def begin(tx: Transaction, wanted: Wanted) -> int | None:
    """Write an execution, and have the state machine begin it; None where one of its kind is under way already."""
    playbook = wanted.playbook
    new = New(
        playbook_id=playbook.playbook_id,
        version=playbook.version,
        service_id=wanted.service_id,
        alert_id=wanted.alert_id,
        trigger_id=wanted.trigger_id,
        cause=wanted.cause,
        started_by=wanted.started_by,
        context={**wanted.context, "PLAYBOOK_ID": str(playbook.playbook_id), "PLAYBOOK_NAME": playbook.name},
        scripts=scripts.newest(tx, playbook.scripts) if playbook.scripts else {},
        engine_name=engine_runs.new_name(),
        started_with=wanted.started_with,
        traceparent=wanted.traceparent,
    )
    execution_id = executions.add(tx, new)
    if execution_id is None:
        return None
    outbox.add(tx, Topic.START, execution_id)
    details = {
        "playbook_name": playbook.name,
        "version": playbook.version,
        "cause": wanted.cause.value,
        **{name: wanted.context[key] for name, key in SAID_OF_A_START.items() if key in wanted.context},
    }
    entry = Entry(
        AuditAction.EXECUTION_STARTED, wanted.started_by, execution_id, playbook.playbook_id, wanted.service_id, details
    )
    audit_log.add(tx, [entry])
    name = wanted.context.get("HEARTBEAT_NAME", "no service")
    heading = f"Repair of {name} begins: playbook {playbook.name!r}"
    because = f"Started by {wanted.started_by} (execution {execution_id})."
    teams = [wanted.team_id] if wanted.team_id is not None else []
    notices.add(tx, NoticeKind.EXECUTION_STARTED, heading[:500], because[:3000], team_ids=teams)
    return execution_id


SAID_OF_A_START = {"service_name": "SERVICE_NAME", "alert_id": "ALERT_ID", "trigger_id": "TRIGGER_ID"}


def start_by_hand(
    tx: Transaction,
    playbook_id: int,
    service_id: int | None,
    variables: Mapping[str, Any],
    cause: Cause,
    started_by: str,
    most_recent: int,
    started_with: str | None = None,
    traceparent: str | None = None,
) -> int:
    """Start a playbook because somebody says so; its execution's id.

    The circuit breaker counts what people start, and stops only what programs do (`Cause.WEBHOOK`). Raises NotFound,
    BadRequest, Conflict where a guard is in the way.
    """
    playbook = playbooks.read(tx, playbook_id)
    if playbook is None:
        raise NotFound("There is no playbook with this id.")
    context, team_id = context_by_hand(tx, service_id, variables)
    refused = _refusal(tx, playbook_id, service_id, cause, most_recent)
    if refused is not None:
        raise Conflict(f"Not started: {refused}.")
    wanted = Wanted(
        playbook,
        cause,
        started_by,
        context,
        service_id,
        team_id,
        started_with=started_with,
        traceparent=traceparent,
    )
    execution_id = begin(tx, wanted)
    if execution_id is None:
        raise Conflict("Not started: an execution of this playbook for this service is under way.")
    return execution_id


def _refusal(tx: Transaction, playbook_id: int, service_id: int | None, cause: Cause, most_recent: int) -> str | None:
    if service_id is None:
        return executions.stopped_by(tx, playbook_id, None)
    most = most_recent if cause is Cause.WEBHOOK else NO_LIMIT
    decision: Decision = guards.decide(situation(tx, playbook_id, service_id, most))
    return decision.because if isinstance(decision, Blocked) else None


NO_LIMIT = 2**31


def context_by_hand(
    tx: Transaction, service_id: int | None, variables: Mapping[str, Any]
) -> tuple[dict[str, Any], int | None]:
    """The variables of an execution that a caller starts, and the service's team. The service's own win.

    Raises NotFound, BadRequest.
    """
    check_variables(variables)
    if service_id is None:
        return dict(variables), None
    found = services.read(tx, service_id=service_id)
    if not found:
        raise NotFound("No service has this id.")
    service = found[0]
    return {
        **variables,
        "SERVICE_ID": str(service_id),
        "SERVICE_NAME": service.service_name,
        "HEARTBEAT_NAME": service.heartbeat_name,
        "PRIORITY": service.priority,
        "TEAM": service.team or "",
    }, service.team_id


def check_variables(variables: Mapping[str, Any]) -> None:
    """Raises BadRequest for what cannot be a variable."""
    if len(variables) > MOST_VARIABLES:
        raise BadRequest(f"variables: at most {MOST_VARIABLES}.")
    for name, value in variables.items():
        if not (name.isascii() and name.isidentifier()) or len(name) > 100:
            raise BadRequest(f"variables: {name[:100]!r} is no name: letters, digits and underscores, no digit first.")
        if not _is_a_value(value):
            raise BadRequest(f"variables: {name} must be text or a number, of at most {LONGEST_VARIABLE} characters.")
        if keepable(str(value)) != str(value):
            raise BadRequest(f"variables: {name} must be proper text without NUL.")


def _is_a_value(value: Any) -> bool:
    is_one = isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
    return is_one and len(str(value)) <= LONGEST_VARIABLE
