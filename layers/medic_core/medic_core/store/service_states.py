"""The hot rows: what is believed of each service, when silence becomes a problem. What is due: `sweeping`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from medic_core.domain.access.api_keys import VerifiedKey
from medic_core.domain.watching.deadlines import silence_allowed
from medic_core.domain.watching.schedules import Schedule
from medic_core.domain.watching.signals import ById, ByName, ByPingId, BySlug, Signal, Whom
from medic_core.domain.watching.states import Health, State
from medic_core.store import schedules
from medic_core.store.connection import Transaction

#: Part of a statement that comes with a key: why the key that was verified is refused, if it is.
KEY: Final = """key AS (
    SELECT CASE WHEN %(key_id)s::text IS NULL THEN NULL
                WHEN k.api_key_id IS NULL THEN 'invalid_key'
                WHEN k.revoked_at <= now() THEN 'revoked_key'
                WHEN LEAST(k.expires_at, secret.valid_until) <= now() THEN 'expired_key'
                WHEN k.api_key_id <> %(api_key_id)s OR k.version <> %(key_version)s THEN 'changed_key'
           END AS refusal
      FROM (VALUES (1)) AS always
      LEFT JOIN medic.api_key_secrets secret ON secret.key_id = %(key_id)s
      LEFT JOIN medic.api_keys k USING (api_key_id)
)"""

#: An ordinary heartbeat, whole: find the service, check the key, advance the deadline, keep the event.
#: It writes only where nothing but times changes (`settled`); all else is left to `flows.settle`, and a cron
#: schedule, which no SQL can follow, to `ADVANCE`. The length of the window shows an edit in the same instant.
RECORD: Final = (
    """
WITH service AS (
    SELECT service_id, active, threshold, inspects_pings, heartbeat_name, cron_expression, timezone,
           grace_period_seconds, early_tolerance_seconds
      FROM medic.services WHERE name_key = %(name_key)s
    UNION ALL
    SELECT service_id, active, threshold, inspects_pings, heartbeat_name, cron_expression, timezone,
           grace_period_seconds, early_tolerance_seconds
      FROM medic.services WHERE ping_id = %(ping_id)s
    UNION ALL
    SELECT service_id, active, threshold, inspects_pings, heartbeat_name, cron_expression, timezone,
           grace_period_seconds, early_tolerance_seconds
      FROM medic.services WHERE service_id = %(service_id)s
    UNION ALL
    SELECT s.service_id, s.active, s.threshold, s.inspects_pings, s.heartbeat_name, s.cron_expression, s.timezone,
           s.grace_period_seconds, s.early_tolerance_seconds
      FROM medic.teams t JOIN medic.services s USING (team_id)
     WHERE t.ping_key = %(ping_key)s AND s.slug = %(slug)s
), """  # noqa: S608 - constants
    + KEY
    + """, heard AS (
    UPDATE medic.service_state st
       SET last_heartbeat_at = GREATEST(now(), st.last_heartbeat_at),
           recent_heartbeats = (GREATEST(now(), st.last_heartbeat_at) || st.recent_heartbeats)[1:service.threshold],
           alert_after = (GREATEST(now(), st.last_heartbeat_at) || st.recent_heartbeats)[service.threshold]
                         + st.silence_allowed
      FROM service, key
     WHERE st.service_id = service.service_id AND service.active AND key.refusal IS NULL AND st.cron IS NULL
       AND st.settled AND st.health = %(health)s AND NOT (%(is_ping)s AND service.inspects_pings)
       AND cardinality(st.recent_heartbeats) = service.threshold
    RETURNING st.service_id
), event AS (
    INSERT INTO medic.heartbeat_events
           (service_id, received_at, signal_id, kind, exit_status, body, remote_address, user_agent)
    SELECT service_id, now(), %(signal_id)s, %(kind)s, %(exit_status)s, %(body)s, %(remote_address)s, %(user_agent)s
      FROM heard
)
SELECT key.refusal, heard.service_id IS NOT NULL AS recorded, service.service_id, service.heartbeat_name,
       service.active, now() AS now, service.inspects_pings, service.cron_expression, service.timezone,
       service.grace_period_seconds, service.early_tolerance_seconds
  FROM key LEFT JOIN service ON true LEFT JOIN heard ON true
"""
)


class Recorded(NamedTuple):
    """What the one statement found. `recorded` is False where a signal needs more than it does."""

    refusal: str | None
    recorded: bool
    service_id: int | None
    heartbeat_name: str | None
    active: bool | None
    now: datetime
    inspects_pings: bool | None
    cron_expression: str | None
    timezone: str | None
    grace_period_seconds: int | None
    early_tolerance_seconds: int | None


def record(tx: Transaction, signal: Signal, health: Health | None, key: VerifiedKey | None) -> Recorded:
    """Record an ordinary sign of life in one statement.

    `health` is the one in which this signal changes nothing but times, None where it always changes more.
    """
    values = identification(signal.whom) | heard(signal)
    values |= {
        "key_id": key.key_id if key else None,
        "api_key_id": key.api_key_id if key else None,
        "key_version": key.version if key else None,
        "health": health,
        "is_ping": signal.is_ping,
    }
    found = tx.execute(RECORD, values).fetchone()
    assert found is not None
    return Recorded(*found)


#: The second half of an ordinary heartbeat where a cron schedule says when the next one is due. `cron` and `settled`
#: are the row's own: whoever changes a service or its schedule in between is seen.
ADVANCE: Final = """
WITH advanced AS (
    UPDATE medic.service_state st
       SET last_heartbeat_at = GREATEST(%(at)s, last_heartbeat_at),
           recent_heartbeats = ARRAY[GREATEST(%(at)s, last_heartbeat_at)],
           alert_after = CASE WHEN %(at)s < last_heartbeat_at THEN alert_after ELSE %(deadline)s END
     WHERE service_id = %(service_id)s AND cron = %(cron)s AND settled AND health = %(health)s
       AND alert_after IS NOT NULL
    RETURNING service_id
)
INSERT INTO medic.heartbeat_events
       (service_id, received_at, signal_id, kind, exit_status, body, remote_address, user_agent)
SELECT service_id, %(at)s, %(signal_id)s, %(kind)s, %(exit_status)s, %(body)s, %(remote_address)s, %(user_agent)s
  FROM advanced
"""


def advance(
    tx: Transaction, service_id: int, signal: Signal, health: Health, cron: str, at: datetime, deadline: datetime
) -> bool:
    """Record an ordinary sign of life of a service with this cron schedule; False where it changes more than times."""
    values = {"service_id": service_id, "health": health, "cron": cron, "at": at, "deadline": deadline}
    return tx.execute(ADVANCE, values | heard(signal)).rowcount == 1


def identification(whom: Whom) -> dict[str, Any]:
    """The parameters that find a service; those that do not apply are NULL and match nothing."""
    return {
        "name_key": whom.name_key if isinstance(whom, ByName) else None,
        "service_id": whom.service_id if isinstance(whom, ById) else None,
        "ping_id": whom.ping_id if isinstance(whom, ByPingId) else None,
        "ping_key": whom.ping_key if isinstance(whom, BySlug) else None,
        "slug": whom.slug if isinstance(whom, BySlug) else None,
    }


def heard(signal: Signal) -> dict[str, Any]:
    """What is kept of a signal; what it does not say is NULL."""
    return {
        "signal_id": signal.signal_id,
        "kind": signal.kind,
        "exit_status": signal.exit_status,
        "body": signal.body or None,
        "remote_address": signal.remote_address or None,
        "user_agent": signal.user_agent or None,
    }


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
