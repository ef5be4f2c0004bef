"""Many signals in one request. The ordinary ones are one statement; the others are settled one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum

from medic_core.domain.access.api_keys import VerifiedKey
from medic_core.domain.watching.signals import Signal, Taken
from medic_core.errors import BadRequest, MedicError, NotFound, Unavailable
from medic_core.flows import settle
from medic_core.flows.record import refused
from medic_core.store import batches
from medic_core.store.batches import Found
from medic_core.store.connection import Database


class Spooled(Enum):
    """The database was away: the signal waits."""

    SPOOLED = "spooled"


Outcome = Taken | MedicError | Spooled


def record_many(
    database: Database, sent: Sequence[Signal | BadRequest], key: VerifiedKey, spool: Callable[[list[Signal]], None]
) -> list[Outcome]:
    """What became of each of a batch, in its order; what is no signal stays the problem that it is.

    A service all of whose signals are ordinary is done in the one statement, any other settled in the order sent, so
    that a start comes before its end. Signals for which the database is away are spooled. Raises as `record_signal`
    does for the key, and Unavailable where nothing could be kept.
    """
    signals = {position: one for position, one in enumerate(sent) if isinstance(one, Signal)}
    outcomes: dict[int, Outcome] = {position: one for position, one in enumerate(sent) if isinstance(one, BadRequest)}
    found: dict[int, Found] = {}
    is_away = False
    try:
        with database.autocommit() as connection:
            refusal, found = batches.record(connection, signals, key)
        refused(refusal)
    except Unavailable:
        is_away = True
    for position, signal in signals.items():
        if not is_away:
            try:
                outcomes[position] = _outcome(database, signal, found[position])
                continue
            except Unavailable:
                is_away = True
        outcomes[position] = Spooled.SPOOLED
    waiting = [signals[position] for position, outcome in outcomes.items() if outcome is Spooled.SPOOLED]
    if waiting:
        spool(waiting)
    return [outcomes[position] for position in range(len(sent))]


def _outcome(database: Database, signal: Signal, found: Found) -> Outcome:
    if found.service_id is None:
        return NotFound(settle.nobody(signal.whom))
    if found.recorded and found.heartbeat_name is not None:
        return Taken(found.service_id, found.heartbeat_name, signal.kind)
    if not found.active:
        return BadRequest(settle.INACTIVE)
    try:
        return settle.settle_signal(database, found.service_id, signal)
    except NotFound as error:
        return error
