"""The hot rows: what is believed of each service, when silence becomes a problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg.rows import class_row, scalar_row

from medic_core.domain.access.api_keys import VerifiedKey
from medic_core.domain.watching.signals import ByName, ByPingId, BySlug, Signal, Whom
from medic_core.domain.watching.states import Health, State
from medic_core.store.connection import Transaction

#: An ordinary heartbeat, whole: find the service, check the key, advance the deadline, keep the event.
#: It writes only where nothing but times changes (`settled`); all else is left to `flows.settle`.
RECORD: Final = """
WITH service AS (
    SELECT service_id, active, threshold, inspects_pings FROM medic.services WHERE name_key = %(name_key)s
    UNION ALL
    SELECT service_id, active, threshold, inspects_pings FROM medic.services WHERE ping_id = %(ping_id)s
    UNION ALL
    SELECT s.service_id, s.active, s.threshold, s.inspects_pings
      FROM medic.teams t JOIN medic.services s USING (team_id)
     WHERE t.ping_key = %(ping_key)s AND s.slug = %(slug)s
), key AS (
    SELECT CASE WHEN %(key_id)s::text IS NULL THEN NULL
                WHEN k.api_key_id IS NULL THEN 'invalid_key'
                WHEN k.revoked_at <= now() THEN 'revoked_key'
                WHEN LEAST(k.expires_at, secret.valid_until) <= now() THEN 'expired_key'
                WHEN k.api_key_id <> %(api_key_id)s OR k.version <> %(key_version)s THEN 'changed_key'
           END AS refusal
      FROM (VALUES (1)) AS always
      LEFT JOIN medic.api_key_secrets secret ON secret.key_id = %(key_id)s
      LEFT JOIN medic.api_keys k USING (api_key_id)
), heard AS (
    UPDATE medic.service_state st
       SET last_heartbeat_at = GREATEST(now(), st.last_heartbeat_at),
           recent_heartbeats = (GREATEST(now(), st.last_heartbeat_at) || st.recent_heartbeats)[1:service.threshold],
           alert_after = (GREATEST(now(), st.last_heartbeat_at) || st.recent_heartbeats)[service.threshold]
                         + st.silence_allowed
      FROM service, key
     WHERE st.service_id = service.service_id AND service.active AND key.refusal IS NULL
       AND st.settled AND st.health = %(health)s AND NOT (%(is_ping)s AND service.inspects_pings)
    RETURNING st.service_id
), event AS (
    INSERT INTO medic.heartbeat_events
           (service_id, received_at, signal_id, kind, exit_status, body, remote_address, user_agent)
    SELECT service_id, now(), %(signal_id)s, %(kind)s, %(exit_status)s, %(body)s, %(remote_address)s, %(user_agent)s
      FROM heard
)
SELECT key.refusal, service.service_id, service.active, heard.service_id IS NOT NULL AS recorded
  FROM key LEFT JOIN service ON true LEFT JOIN heard ON true
"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the one statement found. `recorded` is False where a signal needs more than it does."""

    refusal: str | None
    service_id: int | None
    active: bool | None
    recorded: bool


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


def identification(whom: Whom) -> dict[str, Any]:
    """The parameters that find a service; those that do not apply are NULL and match nothing."""
    return {
        "name_key": whom.name_key if isinstance(whom, ByName) else None,
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
INSERT INTO medic.service_state (service_id, health, recent_heartbeats, silence_allowed, alert_after)
VALUES (%(service_id)s, %(health)s, %(recent)s, %(silence_allowed)s, %(alert_after)s)
"""


def add(tx: Transaction, service_id: int, state: State, silence_allowed: timedelta) -> None:
    """Begin to watch a service."""
    tx.execute(ADD, {"service_id": service_id, "silence_allowed": silence_allowed, **columns(state)})


SAVE: Final = """
UPDATE medic.service_state
   SET health = %(health)s, last_heartbeat_at = %(last_heartbeat_at)s, recent_heartbeats = %(recent)s,
       silence_allowed = %(silence_allowed)s, alert_after = %(alert_after)s, down_at = %(down_at)s,
       degraded = %(degraded)s, extensions = %(extensions)s, consecutive_failures = %(failures)s
 WHERE service_id = %(service_id)s
"""


def save(tx: Transaction, service_id: int, state: State, silence_allowed: timedelta) -> None:
    """Write a state that was decided under the row's lock."""
    tx.execute(SAVE, {"service_id": service_id, "silence_allowed": silence_allowed, **columns(state)})


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
    }


#: Claims at most `batch` rows by service_state_due_idx; other monitors skip what we hold.
CLAIM_DUE: Final = """
SELECT st.service_id, st.health, st.alert_after, st.last_heartbeat_at, s.heartbeat_name, s.priority, s.threshold,
       s.every_seconds * interval '1 second' AS every,
       s.reminder_interval_seconds * interval '1 second' AS reminder_interval,
       s.active AND NOT st.paused AS active, s.muted_until
  FROM medic.service_state st JOIN medic.services s USING (service_id)
 WHERE st.alert_after <= %(now)s
 ORDER BY st.alert_after
 LIMIT %(batch)s
   FOR UPDATE OF st SKIP LOCKED
"""


@dataclass(frozen=True, slots=True)
class Due:
    """A service whose deadline has passed."""

    service_id: int
    health: str
    alert_after: datetime
    last_heartbeat_at: datetime | None
    heartbeat_name: str
    priority: str
    threshold: int
    every: timedelta
    reminder_interval: timedelta | None
    active: bool
    muted_until: datetime | None


def claim_due(tx: Transaction, now: datetime, batch: int) -> list[Due]:
    """The next services whose silence is a problem, oldest first."""
    with tx.cursor(row_factory=class_row(Due)) as cursor:
        return cursor.execute(CLAIM_DUE, {"now": now, "batch": batch}).fetchall()


MARK_SILENT: Final = """
UPDATE medic.service_state st
   SET health = CASE WHEN health = 'new' THEN 'new' ELSE 'down' END, alert_after = NULL,
       troubles = array_append(st.troubles, silent.kind)
  FROM unnest(%(service_ids)s::bigint[], %(kinds)s::text[]) AS silent (service_id, kind)
 WHERE st.service_id = silent.service_id
"""


def mark_silent(tx: Transaction, found: Sequence[tuple[int, str]]) -> None:
    """Note the trouble of claimed services whose alerts open in this transaction: (service_id, kind) each."""
    ids, kinds = [service_id for service_id, _ in found], [kind for _, kind in found]
    tx.execute(MARK_SILENT, {"service_ids": ids, "kinds": kinds})


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


FORGET_TROUBLES: Final = """
UPDATE medic.service_state
   SET troubles = ARRAY(SELECT kind FROM unnest(troubles) AS kind WHERE NOT kind = ANY(%(kinds)s::text[]))
 WHERE service_id = %(service_id)s
"""


def forget_troubles(tx: Transaction, service_id: int, kinds: Sequence[str]) -> None:
    """Note the end of troubles whose alerts are resolved in this transaction."""
    tx.execute(FORGET_TROUBLES, {"service_id": service_id, "kinds": list(kinds)})


#: Both counts stop early: the due ones at `enough`, the others at one more than the due ones.
COUNT_DUE: Final = """
WITH due AS (
    SELECT last_heartbeat_at FROM medic.service_state
     WHERE alert_after <= %(now)s AND health <> 'new' ORDER BY alert_after LIMIT %(enough)s
), others AS (
    SELECT 1 FROM medic.service_state
     WHERE alert_after > %(now)s AND health <> 'new' ORDER BY alert_after LIMIT (SELECT count(*) + 1 FROM due)
)
SELECT (SELECT count(*) FROM due) AS due, (SELECT count(*) FROM others) AS others,
       (SELECT max(last_heartbeat_at) FROM due) AS due_heard_at
"""


@dataclass(frozen=True, slots=True)
class DueCount:
    """How many that have reported are due, how many are not (up to one more), and when a due one was last heard."""

    due: int
    others: int
    due_heard_at: datetime | None


def count_due(tx: Transaction, now: datetime, enough: int = 100_000) -> DueCount:
    """Compare those that fell silent with those that did not, in time proportional to the former."""
    with tx.cursor(row_factory=class_row(DueCount)) as cursor:
        found = cursor.execute(COUNT_DUE, {"now": now, "enough": enough}).fetchone()
    assert found is not None
    return found


SHIFT: Final = """
UPDATE medic.service_state SET alert_after = alert_after + %(by)s
 WHERE alert_after > %(since)s AND alert_after <= %(since)s + %(by)s::interval
RETURNING service_id
"""


def shift(tx: Transaction, since: datetime, by: timedelta) -> int:
    """Move the deadlines within `by` after a moment ahead by as much; returns how many."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return len(cursor.execute(SHIFT, {"since": since, "by": by}).fetchall())


RESTART: Final = """
UPDATE medic.service_state SET alert_after = %(now)s + silence_allowed WHERE alert_after <= %(now)s
RETURNING service_id
"""


def restart(tx: Transaction, now: datetime) -> int:
    """Give all that are due one more full interval from now; returns how many."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return len(cursor.execute(RESTART, {"now": now}).fetchall())
