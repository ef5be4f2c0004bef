"""A person changes a service: its words, its schedule, whether it is watched, whether people hear of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

from medic_core.domain.watching.signals import ByPingId, Signal, SignalKind
from medic_core.domain.watching.states import still_in_trouble, watched_again
from medic_core.errors import NotFound
from medic_core.store import alerts, connection, service_states, services, settling
from medic_core.store.connection import Transaction
from medic_core.store.services import Service
from medic_core.store.settling import Locked

#: A mute without an end of its own.
DEFAULT_MUTE = timedelta(hours=24)
#: Changing one of these changes when the service is expected next.
OF_THE_SCHEDULE = frozenset({"every_seconds", "threshold", "grace_period_seconds", "alert_when_never_reported"})


def change(tx: Transaction, service_id: int, changes: Mapping[str, Any], actor: str | None) -> Service:
    """Change a service's configuration and all that follows from it, under its lock.

    A new schedule or an activation begins the watch anew from now. Deactivating ends its alerts and those who
    were told are told. A changed mute makes the next sweep look at its open alerts. Raises NotFound.
    """
    before = settling.lock(tx, service_id)
    if before is None:
        raise NotFound("No service is registered under that name.")
    services.update(tx, service_id, changes)
    after = settling.lock(tx, service_id)
    assert after is not None
    if before.service.active and not after.service.active:
        _stop_watching(tx, after, actor)
    elif after.service.active and (not before.service.active or OF_THE_SCHEDULE & set(changes)):
        _watch_anew(tx, after)
    if "muted_until" in changes:
        alerts.look_soon(tx, service_id)
    return services.read(tx, service_id=service_id)[0]


def _stop_watching(tx: Transaction, locked: Locked, actor: str | None) -> None:
    service_id = locked.service.service_id
    service_states.unwatch(tx, [service_id])
    alerts.resolve(tx, service_id, locked.troubles, "the service was deactivated", actor)
    service_states.forget_troubles(tx, service_id, sorted(locked.troubles))


def _watch_anew(tx: Transaction, locked: Locked) -> None:
    """Open alerts stay open until the service is heard; only those without one wait for a new deadline."""
    if locked.troubles:
        state = still_in_trouble(locked.state, locked.expects)
    else:
        state = watched_again(locked.state, locked.now, locked.expects)
    service_states.save(tx, locked.service.service_id, state, locked.expects.schedule.silence_allowed)


def mute(tx: Transaction, *, for_long: timedelta = DEFAULT_MUTE, reason: str | None = None) -> dict[str, Any]:
    """The changes that mute a service."""
    now = connection.now(tx)
    return {"muted_at": now, "muted_until": now + for_long, "mute_reason": reason}


def unmute() -> dict[str, Any]:
    """The changes that end a mute."""
    return {"muted_at": None, "muted_until": None, "mute_reason": None}


def said_by_a_person(service: Service, *, down: bool) -> Signal:
    """A person's word that a service is down or up again, as the signal that it would have sent."""
    kind = SignalKind.DOWN if down else SignalKind.UP
    return Signal(uuid4(), ByPingId(service.ping_id), kind, user_agent="a person, over the API")
