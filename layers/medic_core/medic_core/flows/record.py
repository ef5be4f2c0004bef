"""A signal arrives. An ordinary one is one statement; the others are settled."""

from __future__ import annotations

from medic_core.domain.access.api_keys import VerifiedKey
from medic_core.domain.watching.health import Health
from medic_core.domain.watching.signals import BySlug, Signal, SignalKind, Taken
from medic_core.errors import BadRequest, NotFound, Unauthorized
from medic_core.store import recording
from medic_core.store.connection import Database

#: The health in which such a signal changes nothing but times.
ORDINARY = {SignalKind.UP: Health.UP, SignalKind.DEGRADED: Health.DEGRADED}

#: What the statement says of a key that is not the version that was verified.
KEY_CHANGED = "changed_key"


class KeyChanged(Unauthorized):
    """This API key was changed a moment ago: try again."""


def record_signal(database: Database, signal: Signal, key: VerifiedKey | None) -> Taken:
    """Record a signal as it is received; `key` is what it was sent with, None for ping URLs.

    Raises NotFound, BadRequest for an inactive service, Unauthorized for a key revoked or expired meanwhile,
    KeyChanged for one to be looked at again, Unavailable (then it may or may not have been recorded: `signal_id`
    tells).
    """
    ordinary = ORDINARY.get(signal.kind) if signal.run_id is None else None
    with database.autocommit() as connection:
        found = recording.record(connection, signal, ordinary, key)
    refused(found.refusal)
    if found.recorded and found.service_id is not None and found.heartbeat_name is not None:
        return Taken(found.service_id, found.heartbeat_name, signal.kind)
    # Only a signal that changes something, or a cron schedule, needs the rules: an ordinary one starts without them.
    from medic_core.flows import settle  # noqa: PLC0415

    if found.service_id is not None:
        if not found.active:
            raise BadRequest(settle.INACTIVE)
        taken = settle.advance_by_tick(database, found, signal, ordinary) if ordinary is not None else None
        return taken or settle.settle_signal(database, found.service_id, signal)
    if isinstance(signal.whom, BySlug) and signal.whom.create:
        return settle.create_and_settle(database, signal.whom, signal)
    raise NotFound(settle.nobody(signal.whom))


def refused(refusal: str | None) -> None:
    """Raises for what a statement says against the key: KeyChanged, Unauthorized."""
    if refusal == KEY_CHANGED:
        raise KeyChanged
    if refusal is not None:
        raise Unauthorized("This API key is not valid (any more).", reason=refusal)
