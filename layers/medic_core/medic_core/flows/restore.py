"""A service is put back to what it was, or made again where it was deleted."""

from __future__ import annotations

from medic_core.domain.watching.snapshots import Action
from medic_core.domain.watching.states import Expectations, registered
from medic_core.errors import Conflict, NotFound
from medic_core.flows.change import By, change
from medic_core.store import connection, service_states, services, snapshots, teams
from medic_core.store.connection import Transaction
from medic_core.store.services import Service
from medic_core.store.snapshots import Snapshot
from medic_core.store.working_hours import SCHEDULES

#: What a person decides. Names and ping URLs are how others reach a service: they are not turned back.
RESTORED = services.EDITABLE - {"heartbeat_name", "name_key", "slug", "ping_id"}


def restore(tx: Transaction, snapshot_id: int, actor: str) -> Service:
    """Put a service back, after a snapshot of what it is now. A deleted one gets its old ids and ping URL again.

    Raises NotFound, Conflict where that was done before, or its name is another's by now.
    """
    found = snapshots.read(tx, snapshot_id=snapshot_id)
    if not found:
        raise NotFound("No snapshot has this id.")
    if not snapshots.mark_restored(tx, snapshot_id, actor):
        raise Conflict("This snapshot was restored already. What it replaced has a snapshot of its own.")
    now = snapshots.as_it_is(tx, found[0].service_id)
    if now is None:
        return _make_again(tx, found[0])
    was = found[0].snapshot_data
    was["team_id"] = teams.existing(tx, was["team_id"])
    schedule_id = was.get("working_hours_id")
    if schedule_id is not None and SCHEDULES.read(tx, schedule_id) is None:
        was["working_hours_id"] = None
    changes = {name: was[name] for name in RESTORED if name in was and was[name] != now[name]}
    return change(tx, found[0].service_id, changes, By(actor, action=Action.RESTORE))


def _make_again(tx: Transaction, snapshot: Snapshot) -> Service:
    made, was = snapshots.make_again(tx, snapshot.snapshot_id), snapshot.snapshot_data
    if made is None:
        raise Conflict(f"{snapshot.heartbeat_name!r} cannot be made again: another service has its name or its slug.")
    service_id, schedule = made
    now = connection.now(tx)
    expects = Expectations(schedule, alert_when_never_reported=was["alert_when_never_reported"])
    service_states.add(tx, service_id, registered(now, expects), schedule, now)
    service_states.mark_paused(tx, service_id, paused=was["paused_at"] is not None)
    if was["paused_at"] is not None or not was["active"]:
        service_states.unwatch(tx, [service_id])
    return services.read(tx, service_id=service_id)[0]
