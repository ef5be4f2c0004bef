"""Many signals in one request. The ordinary ones are one statement; the others are settled, many in one commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from itertools import groupby

from medic_core.domain.access.api_keys import VerifiedKey
from medic_core.domain.watching.signals import Signal, Taken
from medic_core.errors import BadRequest, MedicError, NotFound, Unavailable
from medic_core.flows import settle
from medic_core.flows.record import refused
from medic_core.store import batches
from medic_core.store.batches import Found
from medic_core.store.connection import Database

#: Settled in one transaction: a commit is most of what one costs, and its services wait for each other's.
TOGETHER = 50


class Spooled(Enum):
    """The database was away: the signal waits."""

    SPOOLED = "spooled"


Outcome = Taken | MedicError | Spooled
#: Keeps signals until the database is back from what is the matter with it.
Spool = Callable[[list[Signal], Unavailable], None]


def record_many(
    database: Database, sent: Sequence[Signal | BadRequest], key: VerifiedKey, spool: Spool
) -> list[Outcome]:
    """What became of each of a batch, in its order; what is no signal stays the problem that it is.

    A service all of whose signals are ordinary is done in the one statement, any other settled in the order sent, so
    that a start comes before its end. Signals for which the database is away are spooled. Raises as `record_signal`
    does for the key, and Unavailable where nothing could be kept.
    """
    signals = {position: one for position, one in enumerate(sent) if isinstance(one, Signal)}
    outcomes: dict[int, Outcome] = {position: one for position, one in enumerate(sent) if isinstance(one, BadRequest)}
    try:
        with database.autocommit() as connection:
            refusal, found = batches.record(connection, signals, key)
        refused(refusal)
        to_settle = _to_settle(found)
        at_once = [position for position in signals if position not in to_settle]
        outcomes |= {position: _at_once(signals[position], found[position]) for position in at_once}
        for group in _groups(to_settle):
            settled = settle.settle_together(database, [(to_settle[one], signals[one]) for one in group])
            outcomes |= zip(group, settled, strict=True)
    except Unavailable as error:
        waiting = [position for position in signals if position not in outcomes]
        spool([signals[position] for position in waiting], error)
        outcomes |= dict.fromkeys(waiting, Spooled.SPOOLED)
    return [outcomes[position] for position in range(len(sent))]


def _at_once(signal: Signal, found: Found) -> Outcome:
    """What became of one that the statement recorded, or that nobody can take."""
    if found.service_id is None or found.heartbeat_name is None:
        return NotFound(settle.nobody(signal.whom))
    if found.recorded:
        return Taken(found.service_id, found.heartbeat_name, signal.kind)
    return BadRequest(settle.INACTIVE)


def _to_settle(found: Mapping[int, Found]) -> dict[int, int]:
    """The services of those that change more than times, by position."""
    return {
        position: one.service_id
        for position, one in found.items()
        if one.service_id is not None and one.active and not one.recorded
    }


def _groups(services: Mapping[int, int]) -> Iterator[list[int]]:
    """Positions that are settled together, group after group: each service at most once in a group, in the order sent.

    Within a group services come in the order of their ids: two batches wait for one another and not in a circle.
    """
    turns, seen = dict[int, int](), Counter[int]()
    for position, service_id in services.items():
        turns[position] = seen[service_id]
        seen[service_id] += 1
    ordered = sorted(services, key=lambda position: (turns[position], services[position]))
    for _, turn in groupby(ordered, key=turns.__getitem__):
        positions = list(turn)
        yield from (positions[start : start + TOGETHER] for start in range(0, len(positions), TOGETHER))
