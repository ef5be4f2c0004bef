"""/v2/executions: what playbooks do and did; cancel, approve, reject."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body, Query

import door
from door import Caller, Visitor
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.repair.approvals import Via, Voter
from medic_core.domain.repair.execution import ExecutionStatus
from medic_core.errors import NotFound
from medic_core.flows import approval_links, approve, executions_by_people
from medic_core.store import approvals, execution_lists
from medic_core.store.approvals import ApprovalStatus
from medic_core.store.connection import Transaction
from medic_core.store.execution_lists import Wanted
from models.executions import (
    Cancellation,
    PendingApproval,
    ReadApproval,
    ReadExecution,
    ReadExecutionWithSteps,
    ReadStep,
    Reason,
)
from models.fields import DEFAULT_LIMIT, Cursor, Envelope, Limit, Page, PathId, QueryId
from models.pages import id_cursor, page, read_id_cursor

router = Router()  # type: ignore[no-untyped-call]
TAG = "executions"


@door.route(router, "GET", "/v2/executions", needs=Scope.READ, tag=TAG)
def listed(
    playbook_id: QueryId = None,
    service_id: QueryId = None,
    alert_id: QueryId = None,
    status: Annotated[list[ExecutionStatus] | None, Query(description="Any of these")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response[Envelope[Page[ReadExecution]]]:
    """Executions, newest first."""
    statuses = [one.value for one in status] if status else None
    wanted = Wanted(playbook_id=playbook_id, service_id=service_id, alert_id=alert_id, statuses=statuses)
    with door.DATABASE.autocommit() as connection:
        rows = execution_lists.listed(connection, wanted, read_id_cursor(cursor), limit + 1)
    return door.answer(page(rows, limit, ReadExecution.model_validate, lambda row: id_cursor(row.execution_id)))


@door.route(router, "GET", "/v2/executions/<execution_id>", needs=Scope.READ, tag=TAG)
def read(caller: Caller, execution_id: PathId) -> Response[Envelope[ReadExecutionWithSteps]]:
    """One execution with its steps, each try of them, and what it asked people."""
    with door.DATABASE.transaction() as tx:
        found = _read(tx, execution_id)
        if found.approval is not None:
            found.approval.url = _link(tx, found.approval, caller)
        return door.answer(found)


@door.route(router, "POST", "/v2/executions/<execution_id>/cancel", needs=Scope.WRITE, tag=TAG)
def cancelled(
    caller: Caller, execution_id: PathId, wanted: Annotated[Cancellation, Body()] = Cancellation()
) -> Response[Envelope[ReadExecutionWithSteps]]:
    """End an execution, whatever it waits for. What a step has sent already cannot be called back."""
    with door.DATABASE.transaction() as tx:
        executions_by_people.cancel(tx, execution_id, caller.actor, wanted.note)
        found = _read(tx, execution_id)
    return door.answer(found, "Execution cancelled.")


@door.route(router, "POST", "/v2/executions/<execution_id>/approve", needs=Scope.WRITE, tag=TAG)
def approved(
    caller: Caller, execution_id: PathId, wanted: Annotated[Reason, Body()] = Reason()
) -> Response[Envelope[ReadExecutionWithSteps]]:
    """Let an execution go on that waits for an approval. The first decision counts.

    Where approvers are named, the key must have the name of one of them. Where several must agree, this is one of them.
    """
    return _answered(caller, execution_id, wanted.reason, approves=True)


@door.route(router, "POST", "/v2/executions/<execution_id>/reject", needs=Scope.WRITE, tag=TAG)
def rejected(
    caller: Caller, execution_id: PathId, wanted: Annotated[Reason, Body()] = Reason()
) -> Response[Envelope[ReadExecutionWithSteps]]:
    """End an execution that waits for an approval. The first decision counts."""
    return _answered(caller, execution_id, wanted.reason, approves=False)


@door.route(router, "GET", "/v2/approvals", needs=Scope.READ, tag=TAG)
def approvals_listed(limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Response[Envelope[Page[PendingApproval]]]:
    """Approvals that are waited for, oldest first."""
    with door.DATABASE.autocommit() as connection:
        rows = approvals.pending(connection, read_id_cursor(cursor) or 0, limit + 1)
    return door.answer(page(rows, limit, PendingApproval.model_validate, lambda row: id_cursor(row.request_id)))


def _answered(
    caller: Visitor, execution_id: int, reason: str, *, approves: bool
) -> Response[Envelope[ReadExecutionWithSteps]]:
    with door.DATABASE.transaction() as tx:
        counted = approve.decide(tx, execution_id, voter_of(caller), reason, approved=approves)
        found = _read(tx, execution_id)
    return door.answer(found, str(counted))


def voter_of(caller: Visitor) -> Voter:
    """Who decides: the key that was given, whatever name it is said to be used by."""
    return Voter(caller.key.name, caller.actor, Via.API, caller.key.name)


def _read(tx: Transaction, execution_id: int) -> ReadExecutionWithSteps:
    found = execution_lists.with_steps(tx, execution_id)
    if found is None:
        raise NotFound(approve.NO_EXECUTION)
    request = approvals.newest(tx, execution_id)
    return ReadExecutionWithSteps(
        **ReadExecution.model_validate(found.execution).model_dump(),
        steps=[ReadStep.model_validate(step) for step in found.steps],
        approval=ReadApproval.model_validate(request) if request is not None else None,
    )


def _link(tx: Transaction, approval: ReadApproval, caller: Visitor) -> str | None:
    """Only for who asks to read: answers to what changes something may be kept, and the token must not be."""
    if approval.status is not ApprovalStatus.PENDING or not caller.key.allows(Scope.WRITE):
        return None
    token = approval_links.give_to_key(tx, approval.request_id, caller.key)
    return f"{door.base_url(caller.request)}/approvals/{token}"
