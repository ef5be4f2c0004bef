"""Playbooks are started, planned and rehearsed: by people with a key, by programs with the trigger's secret."""

from __future__ import annotations

import hmac
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body

import door
from door import Caller, Sent, Visitor
from medic_core.api.request import Request
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.access.rate_limits import Endpoints
from medic_core.domain.observing import traces
from medic_core.domain.repair.execution import Cause, ExecutionStatus
from medic_core.domain.repair.rehearsal import Canned, rehearse, unknown_steps
from medic_core.errors import BadRequest, Unauthorized, Unavailable
from medic_core.flows import edit_playbooks, parsed_playbooks, start_repair
from medic_core.flows.plan_repair import planned
from medic_core.store import connection
from models.fields import Envelope, PathId
from models.playbooks import (
    Execution,
    Plan,
    ReadMoment,
    ReadPlannedStep,
    ReadRehearsal,
    Rehearsing,
    StartedExecution,
)

router = Router()  # type: ignore[no-untyped-call]
TAG = "playbooks"
NOT_CONFIGURED = "Playbooks cannot be started by webhook: MEDIC_TRIGGER_SECRET is not set."


@door.route(
    router,
    "POST",
    "/v2/playbooks/<playbook_id>/execute",
    needs=Scope.WRITE,
    limited=Endpoints.EXECUTION,
    status=HTTPStatus.CREATED,
    tag=TAG,
    also={HTTPStatus.OK: "A dry run: the plan"},
)
def executed(
    caller: Caller, playbook_id: PathId, wanted: Annotated[Execution, Body()] = Execution()
) -> Response[Envelope[StartedExecution | Plan]]:
    """Start a playbook, or with `dry_run` show each step as it would run, secrets masked."""
    if wanted.dry_run:
        return door.answer(plan(playbook_id, wanted), "Nothing was done.")
    return door.answer(start(caller, playbook_id, wanted), "Execution started.", HTTPStatus.CREATED)


def plan(playbook_id: int, wanted: Execution) -> Plan:
    """What an execution that somebody starts would do. Raises NotFound, BadRequest."""
    with door.DATABASE.autocommit() as tx:
        variables = by_hand(wanted)
        steps, problems = planned(tx, playbook_id, wanted.service_id, variables, door.SETTINGS.allowed_webhook_hosts)
    return Plan(plan=[ReadPlannedStep.model_validate(step) for step in steps], problems=problems)


def start(caller: Visitor, playbook_id: int, wanted: Execution) -> StartedExecution:
    """Start a playbook for who asks. Raises NotFound, BadRequest, Conflict where a guard is in the way."""
    by = (caller.actor, caller.key.name)
    return _start(caller.request, playbook_id, wanted.service_id, by_hand(wanted), Cause.API, *by)


def by_hand(wanted: Execution) -> dict[str, Any]:
    """The variables of an execution that somebody starts with a key."""
    return {**wanted.variables, "trigger": "api"}


@door.route(
    router,
    "POST",
    "/v2/webhooks/playbooks/<playbook_id>/trigger",
    needs=None,
    limited=Endpoints.EXECUTION,
    status=HTTPStatus.CREATED,
    tag=TAG,
)
def triggered(
    sent: Sent, playbook_id: PathId, wanted: Annotated[Execution, Body()] = Execution()
) -> Response[Envelope[StartedExecution]]:
    """Start a playbook from a program that sends the trigger's secret as X-Webhook-Secret."""
    secret = door.SETTINGS.trigger_secret.value
    if not secret:
        raise Unavailable(NOT_CONFIGURED)
    said = sent.headers.get("x-webhook-secret", "")
    if not hmac.compare_digest(said.encode(errors="replace"), secret.encode()):
        raise Unauthorized("X-Webhook-Secret is missing or wrong.", reason="webhook_secret")
    if wanted.dry_run:
        raise BadRequest("dry_run: ask for it with a key, at /v2/playbooks/{playbook_id}/execute.")
    variables = {**wanted.variables, "trigger": "webhook", "source_ip": sent.remote_address}
    by = f"webhook from {sent.remote_address}"
    started = _start(sent, playbook_id, wanted.service_id, variables, Cause.WEBHOOK, by)
    door.relay()
    return door.answer(started, "Execution started.", HTTPStatus.CREATED)


def _start(
    request: Request,
    playbook_id: int,
    service_id: int | None,
    variables: dict[str, Any],
    cause: Cause,
    started_by: str,
    started_with: str | None = None,
) -> StartedExecution:
    sent = request.headers.get("traceparent")
    traceparent = sent if traces.parsed(sent) is not None else None
    by = (started_by, door.SETTINGS.breaker_executions, started_with, traceparent)
    with door.DATABASE.transaction() as tx:
        execution_id = start_repair.start_by_hand(tx, playbook_id, service_id, variables, cause, *by)
        name = edit_playbooks.existing(tx, playbook_id).name
    return StartedExecution(
        execution_id=execution_id,
        playbook_id=playbook_id,
        playbook_name=name,
        status=ExecutionStatus.RUNNING,
        service_id=service_id,
    )


@door.route(router, "POST", "/v2/playbooks/<playbook_id>/test", needs=Scope.READ, tag=TAG)
def rehearsed(
    playbook_id: PathId, wanted: Annotated[Rehearsing, Body()] = Rehearsing()
) -> Response[Envelope[ReadRehearsal]]:
    """Walk through a playbook by the very rules of an execution, with results that you give. Nothing is sent."""
    return door.answer(rehearsal(playbook_id, wanted))


def rehearsal(playbook_id: int, wanted: Rehearsing) -> ReadRehearsal:
    """How it would go. Raises NotFound, BadRequest for results of steps that it has not."""
    with door.DATABASE.autocommit() as tx:
        row = edit_playbooks.existing(tx, playbook_id)
        began = connection.now(tx)
    playbook = parsed_playbooks.parsed(row.yaml_content)
    unknown = unknown_steps(playbook, wanted.results)
    if unknown:
        raise BadRequest(f"results: this playbook has no step {unknown[0][:200]!r}.")
    found = rehearse(
        playbook,
        {name: Canned(one.status, one.output, one.error, one.data) for name, one in wanted.results.items()},
        wanted.context,
        cause=Cause.ALERT if wanted.alert else Cause.API,
        recovered=wanted.recovered,
        approved=wanted.approved,
        began=began,
    )
    trace = [ReadMoment.model_validate(moment) for moment in found.trace]
    ending = found.ending
    return ReadRehearsal(trace=trace, status=ending.status, outcome=ending.outcome, because=ending.because)
