"""What is done to a service: muted, paused, given another ping URL, or many at once."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body

import door
from door import Caller, Visitor
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.watching.snapshots import Action
from medic_core.errors import MedicError, Unavailable
from medic_core.flows import change
from medic_core.flows.change import By
from medic_core.store.connection import Transaction
from models.bulk import Bulk, BulkEdit, BulkMute, BulkPause, BulkResult, BulkResults
from models.fields import Envelope, PathId
from models.services import Mute, Pause, ReadService
from routes.v2_services import TAG, check_working_hours, shown, team_of

router = Router()  # type: ignore[no-untyped-call]


@door.route(router, "POST", "/v2/services/<service_id>/mute", needs=Scope.WRITE, tag=TAG)
def muted(
    caller: Caller, service_id: PathId, wanted: Annotated[Mute, Body()] = Mute()
) -> Response[Envelope[ReadService]]:
    """Have nobody hear of a service's alerts for a while.

    They open silently; what is still open when the mute ends is told then. A recovery ends the mute.
    """
    with door.DATABASE.transaction() as tx:
        service = change.change(tx, service_id, change.mute(tx, wanted.until, wanted.reason), caller.by())
    return shown(caller, service, "Service muted.")


@door.route(router, "POST", "/v2/services/<service_id>/unmute", needs=Scope.WRITE, tag=TAG)
def unmuted(caller: Caller, service_id: PathId) -> Response[Envelope[ReadService]]:
    """End a mute; what is open is told with the next sweep."""
    with door.DATABASE.transaction() as tx:
        service = change.change(tx, service_id, change.unmute(), caller.by())
    return shown(caller, service, "Service unmuted.")


@door.route(router, "POST", "/v2/services/<service_id>/pause", needs=Scope.WRITE, tag=TAG)
def paused(
    caller: Caller, service_id: PathId, wanted: Annotated[Pause, Body()] = Pause()
) -> Response[Envelope[ReadService]]:
    """Stop watching a service. Its heartbeats are taken, its alerts end."""
    with door.DATABASE.transaction() as tx:
        changes = change.pause(tx, resume_on_heartbeat=wanted.resume_on_heartbeat)
        service = change.change(tx, service_id, changes, caller.by())
    return shown(caller, service, "Service paused.")


@door.route(router, "POST", "/v2/services/<service_id>/resume", needs=Scope.WRITE, tag=TAG)
def resumed(caller: Caller, service_id: PathId) -> Response[Envelope[ReadService]]:
    """Watch a service again, from now on, whether it was paused or inactive."""
    with door.DATABASE.transaction() as tx:
        service = change.change(tx, service_id, change.resume(), caller.by())
    return shown(caller, service, "Service resumed.")


@door.route(router, "POST", "/v2/services/<service_id>/rotate-ping-key", needs=Scope.WRITE, tag=TAG)
def ping_key_rotated(caller: Caller, service_id: PathId) -> Response[Envelope[ReadService]]:
    """Give a service another ping URL. The one that it had ends at once."""
    with door.DATABASE.transaction() as tx:
        service = change.change(tx, service_id, change.new_ping_url(), caller.by())
    return shown(caller, service, "The service has a new ping URL.")


@door.route(router, "POST", "/v2/services/bulk", needs=Scope.WRITE, tag=TAG)
def many_changed(caller: Caller, wanted: Annotated[Bulk, Body()]) -> Response[Envelope[BulkResults]]:
    """Do the same to many services; each is done or not by itself, and the answer says which."""
    results = done_to_many(caller, wanted)
    return door.answer(results, f"{results.succeeded} of {len(results.items)} services done.")


def done_to_many(caller: Visitor, wanted: Bulk) -> BulkResults:
    """What became of each service."""
    # In the order of their ids, so that two requests for the same services wait for one another and not in a circle.
    done = {service_id: _done(caller, wanted, service_id) for service_id in sorted(set(wanted.service_ids))}
    items = [done[service_id] for service_id in dict.fromkeys(wanted.service_ids)]
    succeeded = sum(item.success for item in items)
    return BulkResults(items=items, succeeded=succeeded, failed=len(items) - succeeded)


def _done(caller: Visitor, wanted: Bulk, service_id: int) -> BulkResult:
    try:
        with door.DATABASE.transaction() as tx:
            if wanted.action == "delete":
                change.delete(tx, service_id, By(caller.actor))
            else:
                action = Action.BULK_EDIT if wanted.action == "edit" else None
                change.change(tx, service_id, _columns(tx, wanted), By(caller.actor, action=action))
    except Unavailable:
        raise
    except MedicError as error:
        return BulkResult(service_id=service_id, success=False, message=error.message)
    return BulkResult(service_id=service_id, success=True, message="")


def _columns(tx: Transaction, wanted: Bulk) -> dict[str, Any]:
    match wanted:
        case BulkEdit(changes=changes):
            check_working_hours(tx, changes.working_hours_id)
            columns = changes.columns()
            return columns | {"team_id": team_of(tx, changes)} if changes.changes_team else columns
        case BulkMute(until=until, reason=reason):
            return change.mute(tx, until, reason)
        case BulkPause(resume_on_heartbeat=resume_on_heartbeat):
            return change.pause(tx, resume_on_heartbeat=resume_on_heartbeat)
        case _:
            return change.unmute() if wanted.action == "unmute" else change.resume()
