"""/ui/executions: what playbooks do and did; one step by step while it runs; approved, rejected, cancelled."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

import door
from dashboard import rendering
from dashboard.asked import Form, asked_id, asked_line, chosen
from dashboard.progress import beginning, is_long, progress
from door import Caller, Visitor
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.repair import approvals as who
from medic_core.domain.repair.execution import OVER, ExecutionStatus
from medic_core.domain.repair.kill_switches import KillLevel
from medic_core.domain.watching.names import like_pattern
from medic_core.errors import NotFound
from medic_core.flows import approve, executions_by_people, parsed_playbooks
from medic_core.store import approvals, execution_lists, repair_stops
from medic_core.store.execution_lists import Wanted
from models.fields import PathId
from models.pages import id_cursor, read_id_cursor
from routes.v2_executions import voter_of

router = Router()  # type: ignore[no-untyped-call]
PATH = "/ui/executions/<execution_id>"
PAGE, MOST_STOPS = 50, 50
LONGEST_REASON = 1000


@door.page(router, "GET", "/ui/executions")
def listed(caller: Caller) -> Response[str]:
    """Executions, newest first, a page at a time; and what keeps repairs from starting."""
    query = caller.request.query
    status = chosen(query, "status", ExecutionStatus)
    wanted = Wanted(
        statuses=[status.value] if status else None,
        playbook_id=asked_id(query, "playbook_id"),
        service_id=asked_id(query, "service_id"),
        alert_id=asked_id(query, "alert_id"),
        playbook_like=_like(asked_line(query, "playbook")),
        service_like=_like(asked_line(query, "service")),
    )
    with door.DATABASE.autocommit() as connection:
        rows = execution_lists.listed(connection, wanted, read_id_cursor(query.get("cursor") or None), PAGE + 1)
        stops = repair_stops.listed(connection, MOST_STOPS)
    return rendering.page(
        caller,
        "executions.html",
        title="Executions",
        executions=rows[:PAGE],
        next=id_cursor(rows[PAGE - 1].execution_id) if len(rows) > PAGE else None,
        statuses=[one.value for one in ExecutionStatus],
        stops=stops,
        levels=[one.value for one in KillLevel],
    )


def _like(name: str) -> str | None:
    """A LIKE pattern of names that contain it, or that a glob means."""
    return like_pattern(name if "*" in name or "?" in name else f"*{name}*") if name else None


@door.page(router, "GET", PATH)
def shown(caller: Caller, execution_id: PathId) -> Response[str]:
    """One execution: each of its steps, what it asks, and how it ends."""
    with door.DATABASE.autocommit() as connection:
        found = execution_lists.with_steps(connection, execution_id)
        if found is None:
            raise NotFound(approve.NO_EXECUTION)
        request = approvals.newest(connection, execution_id)
    execution = found.execution
    playbook = parsed_playbooks.parsed(found.yaml_content)
    is_over = execution.status in OVER
    return rendering.page(
        caller,
        "execution.html",
        title=f"{execution.playbook_name}: execution {execution_id}",
        execution=execution,
        is_over=is_over,
        steps=progress(playbook, found.steps, is_over=is_over),
        is_long=is_long,
        beginning=beginning,
        request=request,
        votes=request.votes if request is not None else [],
        refusal=who.refusal(request.rules, voter_of(caller), approved=True) if request is not None else None,
    )


@door.page(router, "POST", f"{PATH}/approve", needs=Scope.WRITE)
def approved(caller: Caller, execution_id: PathId) -> Response[str]:
    """Let it go on."""
    return _decided(caller, execution_id, approves=True)


@door.page(router, "POST", f"{PATH}/reject", needs=Scope.WRITE)
def rejected(caller: Caller, execution_id: PathId) -> Response[str]:
    """End it, with nothing more done."""
    return _decided(caller, execution_id, approves=False)


@door.page(router, "POST", f"{PATH}/cancel", needs=Scope.WRITE)
def cancelled(caller: Caller, execution_id: PathId) -> Response[str]:
    """End it, whatever it waits for."""
    note = Form.of(caller.request).line("reason", LONGEST_REASON)
    with door.DATABASE.transaction() as tx:
        executions_by_people.cancel(tx, execution_id, caller.actor, note)
    said = "Cancelled. What a step has sent already cannot be called back."
    return rendering.gone_to(f"/ui/executions/{execution_id}", said)


def _decided(caller: Visitor, execution_id: int, *, approves: bool) -> Response[str]:
    reason = Form.of(caller.request).line("reason", LONGEST_REASON)
    with door.DATABASE.transaction() as tx:
        counted = approve.decide(tx, execution_id, voter_of(caller), reason, approved=approves)
    return rendering.gone_to(f"/ui/executions/{execution_id}", str(counted))
