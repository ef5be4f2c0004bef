"""Triggers of playbooks, what came of them, and batches that wait for a decision."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body, Query

import door
from door import Caller, Visitor
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.repair import triggers
from medic_core.domain.repair.triggers import Trigger
from medic_core.errors import NotFound
from medic_core.flows import edit_playbooks, edit_triggers, executions_by_people
from medic_core.store import firings, repair_batches
from medic_core.store.firings import TRIGGERS, FiringDecision, TriggerRow, Wanted
from medic_core.store.repair_batches import BatchStatus
from models.fields import DEFAULT_LIMIT, Cursor, Envelope, Limit, Nothing, Page, PathId, QueryId, Text
from models.pages import id_cursor, page, read_id_cursor
from models.triggers import (
    ChangedTrigger,
    DecidedBatch,
    Match,
    NewTrigger,
    ReadBatch,
    ReadFiring,
    ReadTrigger,
    WinningTrigger,
)

router = Router()  # type: ignore[no-untyped-call]
TAG = "triggers"
Service = Annotated[Text, Query(min_length=1, max_length=200, description="The service's name")]
FailureCount = Annotated[int, Query(ge=1, le=1_000_000, description="Failures in a row")]


@door.route(
    router, "POST", "/v2/playbooks/<playbook_id>/triggers", needs=Scope.WRITE, status=HTTPStatus.CREATED, tag=TAG
)
def created(
    caller: Caller, playbook_id: PathId, wanted: Annotated[NewTrigger, Body()]
) -> Response[Envelope[ReadTrigger]]:
    """Have alerts of some services start this playbook."""
    with door.DATABASE.transaction() as tx:
        trigger = edit_triggers.create(tx, playbook_id, wanted.columns(), caller.actor)
    return _shown(trigger, "Trigger made.", HTTPStatus.CREATED)


@door.route(router, "GET", "/v2/playbooks/<playbook_id>/triggers", needs=Scope.READ, tag=TAG)
def listed(
    playbook_id: PathId, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response[Envelope[Page[ReadTrigger]]]:
    """A playbook's triggers, a page at a time."""
    with door.DATABASE.autocommit() as connection:
        edit_playbooks.existing(connection, playbook_id)
        rows = TRIGGERS.listed(connection, read_id_cursor(cursor) or 0, limit + 1, playbook_id=playbook_id)
    return door.answer(page(rows, limit, ReadTrigger.model_validate, lambda row: id_cursor(row.trigger_id)))


@door.route(router, "GET", "/v2/playbooks/<playbook_id>/triggers/<trigger_id>", needs=Scope.READ, tag=TAG)
def read(playbook_id: PathId, trigger_id: PathId) -> Response[Envelope[ReadTrigger]]:
    """One trigger."""
    with door.DATABASE.autocommit() as connection:
        return _shown(edit_triggers.read(connection, playbook_id, trigger_id))


@door.route(router, "PATCH", "/v2/playbooks/<playbook_id>/triggers/<trigger_id>", needs=Scope.WRITE, tag=TAG)
def changed(
    caller: Caller, playbook_id: PathId, trigger_id: PathId, wanted: Annotated[ChangedTrigger, Body()]
) -> Response[Envelope[ReadTrigger]]:
    """Change the fields that are sent."""
    with door.DATABASE.transaction() as tx:
        trigger = edit_triggers.change(tx, playbook_id, trigger_id, wanted.columns(), caller.version, caller.actor)
    return _shown(trigger, "Trigger changed.")


@door.route(router, "DELETE", "/v2/playbooks/<playbook_id>/triggers/<trigger_id>", needs=Scope.WRITE, tag=TAG)
def deleted(caller: Caller, playbook_id: PathId, trigger_id: PathId) -> Response[Envelope[Nothing]]:
    """Delete a trigger. What it has started goes on."""
    with door.DATABASE.transaction() as tx:
        edit_triggers.delete(tx, playbook_id, trigger_id, caller.version, caller.actor)
    return door.answer(message="Trigger deleted.")


@door.route(router, "GET", "/v2/playbooks/<playbook_id>/match", needs=Scope.READ, tag=TAG)
def matched(playbook_id: PathId, service: Service, failures: FailureCount = 1) -> Response[Envelope[Match]]:
    """Whether one of this playbook's triggers means a service, and whether it would be the one that fires."""
    with door.DATABASE.autocommit() as connection:
        edit_playbooks.existing(connection, playbook_id)
        enabled = firings.enabled(connection)
    own = [one for one in enabled if one.playbook_id == playbook_id]
    return door.answer(_match(own, enabled, service, failures))


@door.route(router, "GET", "/v2/triggers/match", needs=Scope.READ, tag=TAG)
def matched_of_all(service: Service, failures: FailureCount = 1) -> Response[Envelope[Match]]:
    """Which trigger would fire for a service after so many failures in a row."""
    with door.DATABASE.autocommit() as connection:
        enabled = firings.enabled(connection)
    return door.answer(_match(enabled, enabled, service, failures))


def _match(asked: Sequence[Trigger], enabled: Sequence[Trigger], service: str, failures: int) -> Match:
    found, winner = (triggers.chosen(some, service, failures) for some in (asked, enabled))
    if found is None:
        because = "no enabled trigger means this service at so many failures"
    elif winner is found:
        because = "it is the most demanding one that matches"
    else:
        because = "another one is more demanding, or older, and fires instead"
    return Match(matches=found is not None, trigger=_winning(found), winner=_winning(winner), because=because)


def _winning(trigger: Trigger | None) -> WinningTrigger | None:
    return WinningTrigger.model_validate(trigger) if trigger is not None else None


@door.route(router, "GET", "/v2/triggers/firings", needs=Scope.READ, tag=TAG)
def firings_listed(
    trigger_id: QueryId = None,
    alert_id: QueryId = None,
    batch_id: QueryId = None,
    decision: Annotated[FiringDecision | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response[Envelope[Page[ReadFiring]]]:
    """What came of triggers, newest first."""
    wanted = Wanted(trigger_id, alert_id, batch_id, decision)
    with door.DATABASE.autocommit() as connection:
        rows = firings.listed(connection, wanted, read_id_cursor(cursor), limit + 1)
    return door.answer(page(rows, limit, ReadFiring.model_validate, lambda row: id_cursor(row.firing_id)))


@door.route(router, "GET", "/v2/repair-batches", needs=Scope.READ, tag=TAG)
def batches_listed(
    status: Annotated[BatchStatus | None, Query()] = None, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response[Envelope[Page[ReadBatch]]]:
    """Repairs that were held because many services failed at once, newest first."""
    with door.DATABASE.autocommit() as connection:
        rows = repair_batches.listed(connection, status=status, before=read_id_cursor(cursor), limit=limit + 1)
    return door.answer(page(rows, limit, ReadBatch.model_validate, lambda row: id_cursor(row.batch_id)))


@door.route(router, "GET", "/v2/repair-batches/<batch_id>", needs=Scope.READ, tag=TAG)
def batch_read(batch_id: PathId) -> Response[Envelope[ReadBatch]]:
    """One batch; its firings are at /v2/triggers/firings."""
    with door.DATABASE.autocommit() as connection:
        found = repair_batches.listed(connection, batch_id)
    if not found:
        raise NotFound("No batch has this id.")
    return door.answer(ReadBatch.model_validate(found[0]))


@door.route(router, "POST", "/v2/repair-batches/<batch_id>/approve", needs=Scope.WRITE, tag=TAG)
def batch_approved(caller: Caller, batch_id: PathId) -> Response[Envelope[DecidedBatch]]:
    """Start the repairs of a batch whose services are still down."""
    return _decided(caller, batch_id, approved=True)


@door.route(router, "POST", "/v2/repair-batches/<batch_id>/reject", needs=Scope.WRITE, tag=TAG)
def batch_rejected(caller: Caller, batch_id: PathId) -> Response[Envelope[DecidedBatch]]:
    """Drop the repairs of a batch."""
    return _decided(caller, batch_id, approved=False)


def _decided(caller: Visitor, batch_id: int, *, approved: bool) -> Response[Envelope[DecidedBatch]]:
    started = batch_decided(caller, batch_id, approved=approved)
    status = BatchStatus.APPROVED if approved else BatchStatus.REJECTED
    return door.answer(DecidedBatch(batch_id=batch_id, status=status, started=started), f"Batch {status}.")


def batch_decided(caller: Visitor, batch_id: int, *, approved: bool) -> int:
    """Decide about a batch; how many of its repairs have started. Raises NotFound, Conflict."""
    most = door.SETTINGS.breaker_executions
    with door.DATABASE.transaction() as tx:
        return executions_by_people.decide_batch(tx, batch_id, caller.actor, most, approved=approved)


def _shown(trigger: TriggerRow, message: str = "", status: int = HTTPStatus.OK) -> Response[Envelope[ReadTrigger]]:
    return door.answer(ReadTrigger.model_validate(trigger), message, status, version=trigger.version)
