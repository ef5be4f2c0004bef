"""A person changes a service: what it was is kept, then it is changed with all that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from medic_core.domain.watching.schedules import Cron
from medic_core.domain.watching.signals import ByPingId, Signal, SignalKind
from medic_core.domain.watching.snapshots import Action, action_of
from medic_core.domain.watching.states import OF_RUNS, still_in_trouble, watched_again
from medic_core.errors import BadRequest, NotFound, Stale
from medic_core.store import alerts, connection, job_runs, service_states, services, settling, snapshots
from medic_core.store.connection import Transaction
from medic_core.store.services import Service
from medic_core.store.settling import Locked

#: A mute without an end of its own, and the longest one.
DEFAULT_MUTE = timedelta(hours=24)
LONGEST_MUTE = timedelta(days=366)
#: Changing one of these changes when the service is expected next.
OF_THE_SCHEDULE = frozenset(
    {
        "every_seconds", "threshold", "grace_period_seconds", "alert_when_never_reported", "cron_expression",
        "timezone", "early_tolerance_seconds",
    }
)  # fmt: skip
#: Changing one of these changes what counts as flapping.
OF_FLAPPING = frozenset({"flapping_max_changes", "flapping_window_seconds"})


@dataclass(frozen=True, slots=True)
class By:
    """Who changes something, the version that they have seen, and what the change is called if not by what it does."""

    actor: str
    version: int | None = None
    action: Action | None = None


def change(tx: Transaction, service_id: int, changes: Mapping[str, Any], by: By) -> Service:
    """Change a service's configuration and all that follows from it, under its lock. Nothing asked changes nothing.

    A new schedule, an activation or a resumption begins the watch anew from now. Deactivating or pausing ends its
    alerts, and those who were told are told. A changed mute makes the next sweep look at its open alerts.
    Raises NotFound, Stale.
    """
    before = _locked(tx, service_id, by)
    if (
        isinstance(before.service.schedule, Cron)
        and "cron_expression" not in changes
        and changes.get("threshold", 1) != 1
    ):
        raise BadRequest("threshold: a cron schedule has none. Change the schedule to an interval first.")
    if changes:
        snapshots.take(tx, service_id, by.action or action_of(changes), by.actor)
        services.update(tx, service_id, changes)
        if "paused_at" in changes:
            service_states.mark_paused(tx, service_id, paused=changes["paused_at"] is not None)
        after = settling.lock(tx, service_id)
        assert after is not None
        _watch_as_configured(tx, before, after, changes, by.actor)
    return services.read(tx, service_id=service_id)[0]


def delete(tx: Transaction, service_id: int, by: By) -> None:
    """Remove a service; its alerts end, and those who were told are told. Raises NotFound, Stale."""
    locked = _locked(tx, service_id, by)
    snapshots.take(tx, service_id, Action.DELETE, by.actor)
    _stop_watching(tx, locked, "the service was deleted", by.actor)
    services.delete(tx, service_id)


def _locked(tx: Transaction, service_id: int, by: By) -> Locked:
    locked = settling.lock(tx, service_id)
    if locked is None:
        raise NotFound("No service has this id.")
    if by.version is not None and by.version != locked.version:
        raise Stale
    return locked


def _watch_as_configured(
    tx: Transaction, before: Locked, after: Locked, changes: Mapping[str, Any], actor: str
) -> None:
    if before.service.active and not after.service.active:
        _stop_watching(tx, after, "the service was paused" if after.accepts else "the service was deactivated", actor)
    elif after.service.active and (not before.service.active or OF_THE_SCHEDULE & set(changes)):
        watch_anew(tx, after)
    if after.service.active and "max_duration_ms" in changes:
        job_runs.limit(tx, after.service.service_id, after.expects.max_duration)
    if OF_FLAPPING & set(changes):
        service_states.stop_flapping(tx, after.service.service_id)
    if "muted_until" in changes:
        alerts.look_soon(tx, after.service.service_id)


def _stop_watching(tx: Transaction, locked: Locked, because: str, actor: str) -> None:
    service_id = locked.service.service_id
    service_states.unwatch(tx, [service_id])
    alerts.resolve(tx, service_id, locked.troubles, because, actor)
    service_states.forget_troubles(tx, service_id, sorted(locked.troubles))
    job_runs.limit(tx, service_id, None)


def watch_anew(tx: Transaction, locked: Locked) -> None:
    """Open alerts stay open until the service is heard; only those without one wait for a new deadline."""
    judged_anew = still_in_trouble if locked.troubles - OF_RUNS else watched_again
    state = judged_anew(locked.state, locked.now, locked.expects)
    service_states.save(tx, locked.service.service_id, state, locked.expects.schedule, locked.now)


def mute(tx: Transaction, until: datetime | None = None, reason: str | None = None) -> dict[str, Any]:
    """The changes that mute a service, for a day if nobody says how long. Raises BadRequest for a time that is over."""
    now = connection.now(tx)
    until = until or now + DEFAULT_MUTE
    if not now < until <= now + LONGEST_MUTE:
        raise BadRequest(f"until must lie in the future, at most {LONGEST_MUTE.days} days from now.")
    return {"muted_at": now, "muted_until": until, "mute_reason": reason}


def unmute() -> dict[str, Any]:
    """The changes that end a mute."""
    return {"muted_at": None, "muted_until": None, "mute_reason": None}


def pause(tx: Transaction, *, resume_on_heartbeat: bool) -> dict[str, Any]:
    """The changes that pause a service: it is heard, and not watched."""
    return {"paused_at": connection.now(tx), "resume_on_heartbeat": resume_on_heartbeat}


def resume() -> dict[str, Any]:
    """The changes that have a service watched again, however that was ended."""
    return {"active": True, "paused_at": None, "resume_on_heartbeat": False}


def new_ping_url() -> dict[str, Any]:
    """The changes that give a service another ping URL, and end the one it has."""
    return {"ping_id": uuid4()}


def said_by_a_person(service: Service, *, down: bool) -> Signal:
    """A person's word that a service is down or up again, as the signal that it would have sent."""
    kind = SignalKind.DOWN if down else SignalKind.UP
    return Signal(uuid4(), ByPingId(service.ping_id), kind, user_agent="a person, over the API")
