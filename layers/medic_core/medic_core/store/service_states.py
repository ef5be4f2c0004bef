"""The hot rows: what is believed of each service, when silence becomes a problem. What is due: `sweeping`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from medic_core.domain.watching.deadlines import silence_allowed
from medic_core.domain.watching.schedules import Schedule
from medic_core.domain.watching.states import State
from medic_core.store import schedules
from medic_core.store.connection import Transaction

ADD: Final = """
INSERT INTO medic.service_state (service_id, health, recent_heartbeats, silence_allowed, cron, alert_after, extensions,
                                 extension_reasons)
VALUES (%(service_id)s, %(health)s, %(recent)s, %(silence_allowed)s, %(cron)s, %(alert_after)s, %(extensions)s,
        %(extension_reasons)s)
"""


def add(tx: Transaction, service_id: int, state: State, schedule: Schedule, now: datetime) -> None:
    """Begin to watch a service."""
    tx.execute(ADD, {"service_id": service_id, **repeated(schedule, now), **columns(state)})


SAVE: Final = """
UPDATE medic.service_state
   SET health = %(health)s, last_heartbeat_at = %(last_heartbeat_at)s, recent_heartbeats = %(recent)s,
       silence_allowed = %(silence_allowed)s, cron = %(cron)s, alert_after = %(alert_after)s, down_at = %(down_at)s,
       degraded = %(degraded)s, extensions = %(extensions)s, extension_reasons = %(extension_reasons)s,
       consecutive_failures = %(failures)s
 WHERE service_id = %(service_id)s
"""


def save(tx: Transaction, service_id: int, state: State, schedule: Schedule, now: datetime) -> None:
    """Write a state that was decided under the row's lock."""
    tx.execute(SAVE, {"service_id": service_id, **repeated(schedule, now), **columns(state)})


def repeated(schedule: Schedule, now: datetime) -> dict[str, Any]:
    """What the hot row repeats of the schedule."""
    return {"silence_allowed": silence_allowed(schedule, now), "cron": schedules.as_text(schedule)}


def columns(state: State) -> dict[str, Any]:
    """A state as the parameters of the statements that write it."""
    return {
        "health": state.health,
        "last_heartbeat_at": state.last_heartbeat_at,
        "recent": list(state.recent),
        "alert_after": state.alert_after,
        "down_at": state.down_at,
        "failures": state.failures,
        "degraded": state.degraded,
        "extensions": [moment for one in state.extensions for moment in (one.since, one.until)],
        "extension_reasons": [one.reason for one in state.extensions],
    }


UNWATCH: Final = """
UPDATE medic.service_state SET alert_after = NULL WHERE service_id = ANY(%(service_ids)s::bigint[])
"""


def unwatch(tx: Transaction, service_ids: Sequence[int]) -> None:
    """Wait for nothing from these any more."""
    tx.execute(UNWATCH, {"service_ids": list(service_ids)})


MARK_PAUSED: Final = "UPDATE medic.service_state SET paused = %(paused)s WHERE service_id = %(service_id)s"


def mark_paused(tx: Transaction, service_id: int, *, paused: bool) -> None:
    """Repeat in the hot row that a service is paused, or is not any more."""
    tx.execute(MARK_PAUSED, {"service_id": service_id, "paused": paused})


STOP_FLAPPING: Final = """
UPDATE medic.service_state SET health_changes = '{}',
       flapping_until = CASE WHEN flapping_until IS NOT NULL THEN LEAST(flapping_until, now()) END
 WHERE service_id = %(service_id)s AND (flapping_until IS NOT NULL OR health_changes <> '{}')
"""


def stop_flapping(tx: Transaction, service_id: int) -> None:
    """Forget how often it went down and came back; what was held is told with the next sweep."""
    tx.execute(STOP_FLAPPING, {"service_id": service_id})


FORGET_TROUBLES: Final = """
UPDATE medic.service_state
   SET troubles = ARRAY(SELECT kind FROM unnest(troubles) AS kind WHERE NOT kind = ANY(%(kinds)s::text[]))
 WHERE service_id = %(service_id)s
"""


def forget_troubles(tx: Transaction, service_id: int, kinds: Sequence[str]) -> None:
    """Note the end of troubles whose alerts are resolved in this transaction."""
    tx.execute(FORGET_TROUBLES, {"service_id": service_id, "kinds": list(kinds)})
