"""An ordinary heartbeat is written: what the hot path needs of the store, and no more than that."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg.errors import UndefinedFunction

from medic_core.domain.access.api_keys import VerifiedKey
from medic_core.domain.watching.health import Health
from medic_core.domain.watching.signals import ById, ByName, ByPingId, BySlug, Signal, Whom
from medic_core.errors import Unavailable
from medic_core.store.connection import Transaction

#: An ordinary heartbeat, whole: check the key, find the service, advance the deadline, keep the event. It writes only
#: where nothing but times changes; all else is left to `flows.settle`, and a cron schedule to `ADVANCE`. A function of
#: the database (migration 13), so that its plans are kept where nothing can be prepared: ADR 27.
RECORD: Final = """
SELECT * FROM medic.record_heartbeat(
    %(name_key)s, %(ping_id)s, %(service_id)s, %(ping_key)s, %(slug)s, %(key_id)s, %(api_key_id)s, %(key_version)s,
    %(health)s, %(is_ping)s, %(signal_id)s, %(kind)s, %(exit_status)s, %(body)s, %(remote_address)s, %(user_agent)s
)
"""


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

    `health` is the one in which this signal changes nothing but times, None where it always changes more. Raises
    Unavailable where the schema is older than this code: the signal can wait until it is not.
    """
    values = identification(signal.whom) | heard(signal)
    values |= {
        "key_id": key.key_id if key else None,
        "api_key_id": key.api_key_id if key else None,
        "key_version": key.version if key else None,
        "health": health,
        "is_ping": signal.is_ping,
    }
    try:
        found = tx.execute(RECORD, values).fetchone()
    except UndefinedFunction as error:
        raise Unavailable from error
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
