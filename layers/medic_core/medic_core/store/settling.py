"""A signal that changes more than times: its service under lock, and all its consequences in one statement."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg.rows import class_row, dict_row, scalar_row

from medic_core.domain.alerting.alerts import Watched
from medic_core.domain.alerting.flapping import Steadiness
from medic_core.domain.watching.deadlines import Extension, Reason, in_force
from medic_core.domain.watching.health import Health
from medic_core.domain.watching.signals import PingFilter, Signal, Unmatched
from medic_core.domain.watching.states import Expectations, State, Trouble
from medic_core.store import recording, service_states, watched
from medic_core.store.connection import Transaction

COLUMNS: Final = (
    watched.SELECT
    + """, now() AS now, st.health, st.last_heartbeat_at, st.recent_heartbeats, st.alert_after, st.down_at, st.degraded,
       st.extensions, st.extension_reasons, st.consecutive_failures, st.troubles, st.unnamed_run,
       st.paused AS is_paused, s.resume_on_heartbeat, s.version, s.failure_tolerance, s.alert_when_never_reported,
       s.max_duration_ms * interval '1 millisecond' AS max_duration, s.post_only, s.success_keywords,
       s.failure_keywords, s.start_keywords, s.unmatched_body
"""
)
SELECT: Final = COLUMNS + " FROM medic.service_state st JOIN medic.services s USING (service_id)"
#: The row lock makes what it returns the newest truth; facts of other tables are repeated in the row for that reason.
LOCK: Final = SELECT + " WHERE st.service_id = %(service_id)s FOR UPDATE OF st FOR KEY SHARE OF s"
#: In the order of their ids: who locks several waits for another who does, and not in a circle.
LOCK_ALL: Final = (
    SELECT
    + """ WHERE st.service_id = ANY(%(service_ids)s::bigint[])
 ORDER BY st.service_id FOR UPDATE OF st FOR KEY SHARE OF s"""
)


@dataclass(frozen=True, slots=True)
class Locked:
    """A service that nobody else changes until the transaction ends, and the database's time.

    `accepts` says whether its heartbeats are taken, `service.active` whether it is watched: paused, it is not.
    """

    now: datetime
    service: Watched
    state: State
    troubles: frozenset[Trouble]
    unnamed_run: str | None
    expects: Expectations
    wanted: PingFilter
    accepts: bool
    paused: bool
    resume_on_heartbeat: bool
    version: int


def lock(tx: Transaction, service_id: int) -> Locked | None:
    """Lock a service's row and read it; None where it does not exist (any more)."""
    with tx.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(LOCK, {"service_id": service_id}).fetchone()
    return read(row) if row else None


def lock_all(tx: Transaction, service_ids: Sequence[int]) -> dict[int, Locked]:
    """Lock several services' rows and read them; those that do not exist (any more) are missing."""
    with tx.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(LOCK_ALL, {"service_ids": list(service_ids)}).fetchall()
    return {row["service_id"]: read(row) for row in found}


def read(row: Mapping[str, Any]) -> Locked:
    """The service of a row that has these columns."""
    service = watched.read(row)
    return Locked(
        now=row["now"],
        service=service,
        state=_state(row),
        troubles=frozenset(Trouble(kind) for kind in row["troubles"]),
        unnamed_run=row["unnamed_run"],
        expects=Expectations(
            schedule=service.schedule,
            failure_tolerance=row["failure_tolerance"],
            max_duration=row["max_duration"],
            alert_when_never_reported=row["alert_when_never_reported"],
        ),
        wanted=PingFilter(
            post_only=row["post_only"],
            success_keywords=tuple(row["success_keywords"]),
            failure_keywords=tuple(row["failure_keywords"]),
            start_keywords=tuple(row["start_keywords"]),
            unmatched=Unmatched(row["unmatched_body"]),
        ),
        accepts=row["active"],
        paused=row["is_paused"],
        resume_on_heartbeat=row["resume_on_heartbeat"],
        version=row["version"],
    )


def _state(row: Mapping[str, Any]) -> State:
    pairs = zip(row["extensions"][::2], row["extensions"][1::2], row["extension_reasons"], strict=True)
    return State(
        health=Health(row["health"]),
        recent=tuple(row["recent_heartbeats"]),
        last_heartbeat_at=row["last_heartbeat_at"],
        alert_after=row["alert_after"],
        down_at=row["down_at"],
        failures=row["consecutive_failures"],
        degraded=row["degraded"],
        extensions=in_force(
            (Extension(since, until, Reason(reason)) for since, until, reason in pairs), row["last_heartbeat_at"]
        ),
    )


#: A signal is kept once: a repetition conflicts, finds no `event` and changes nothing.
SETTLE: Final = """
WITH event AS (
    INSERT INTO medic.heartbeat_events
           (service_id, received_at, signal_id, kind, run_id, exit_status, body, remote_address, user_agent)
    VALUES (%(service_id)s, %(received_at)s, %(signal_id)s, %(kind)s, %(run_id)s, %(exit_status)s, %(body)s,
            %(remote_address)s, %(user_agent)s)
    ON CONFLICT DO NOTHING
    RETURNING service_id
), state AS (
    UPDATE medic.service_state st
       SET health = %(health)s, last_heartbeat_at = %(last_heartbeat_at)s, recent_heartbeats = %(recent)s,
           alert_after = %(alert_after)s, down_at = %(down_at)s, degraded = %(degraded)s,
           extensions = %(extensions)s, extension_reasons = %(extension_reasons)s,
           consecutive_failures = %(failures)s, troubles = %(troubles)s, unnamed_run = %(unnamed_run)s,
           health_changes = %(health_changes)s, flapping_until = %(flapping_until)s
      FROM event WHERE st.service_id = event.service_id
), resolved AS (
    UPDATE medic.alerts a
       SET status = 'resolved', resolved_at = now(), next_look_at = NULL, remind_at = NULL,
           recovery_held = %(flapping)s AND told_at IS NOT NULL
      FROM event
     WHERE a.service_id = event.service_id AND a.kind = ANY(%(ends)s::text[]) AND a.resolved_at IS NULL
    RETURNING a.alert_id, a.told_at, a.consecutive_failures
), unmuted AS (
    UPDATE medic.services s SET muted_at = NULL, muted_until = NULL, mute_reason = NULL
     WHERE s.service_id = %(service_id)s AND s.muted_until IS NOT NULL
       AND %(health)s <> 'down' AND EXISTS (SELECT FROM resolved)
    RETURNING s.service_id
), told_soon AS (
    UPDATE medic.alerts a SET next_look_at = now()
      FROM unmuted
     WHERE a.service_id = unmuted.service_id AND a.resolved_at IS NULL AND NOT a.kind = ANY(%(ends)s::text[])
), history AS (
    INSERT INTO medic.alert_events (alert_id, event, at, because, consecutive_failures)
    SELECT alert_id, 'resolved', now(), %(because)s, consecutive_failures FROM resolved
    RETURNING alert_event_id, alert_id
), told AS (
    INSERT INTO medic.outbox (topic, subject_id)
    SELECT 'notification', alert_event_id FROM history JOIN resolved USING (alert_id)
     WHERE told_at IS NOT NULL AND NOT %(flapping)s
    RETURNING subject_id
)
SELECT (SELECT count(*) FROM event) = 1 AS recorded, (SELECT count(*) FROM told) AS told
"""


@dataclass(frozen=True, slots=True)
class Settled:
    """Whether the signal was new, and how many notifications its consequences made."""

    recorded: bool
    told: int


@dataclass(frozen=True, slots=True)
class Change:
    """What a signal changes, decided under its service's lock."""

    state: State
    troubles: Collection[str]
    unnamed_run: str | None
    steadiness: Steadiness
    ends: Collection[str] = ()
    because: str = ""


def settle(tx: Transaction, locked: Locked, signal: Signal, received_at: datetime, change: Change) -> Settled:
    """Write a signal and all it changes under the service's lock: event, state, ended alerts, what people hear.

    While it flaps, people do not hear of ended alerts: that is told when it has been stable (`alerts.tell_held`).
    """
    with tx.cursor(row_factory=class_row(Settled)) as cursor:
        found = cursor.execute(
            SETTLE,
            {
                "service_id": locked.service.service_id,
                "received_at": received_at,
                "run_id": signal.run_id,
                **recording.heard(signal),
                **service_states.columns(change.state),
                "troubles": sorted(change.troubles),
                "unnamed_run": change.unnamed_run,
                "health_changes": list(change.steadiness.changes),
                "flapping_until": change.steadiness.flapping_until,
                "flapping": change.steadiness.is_flapping(locked.now),
                "ends": sorted(change.ends),
                "because": change.because,
            },
        ).fetchone()
    assert found is not None
    return found


#: How far the gateway's clock may be from the database's for a repetition to be found.
CLOCKS_AGREE_WITHIN: Final = timedelta(minutes=15)
KNOWN: Final = """
SELECT EXISTS (
    SELECT FROM medic.heartbeat_events
     WHERE service_id = %(service_id)s AND signal_id = %(signal_id)s
       AND received_at BETWEEN %(earliest)s AND %(latest)s
)
"""


def is_known(tx: Transaction, service_id: int, signal: Signal, received_at: datetime) -> bool:
    """Whether a spooled signal had been recorded after all: its answer was lost, not the signal."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(
            KNOWN,
            {
                "service_id": service_id,
                "signal_id": signal.signal_id,
                "earliest": received_at - CLOCKS_AGREE_WITHIN,
                "latest": received_at + CLOCKS_AGREE_WITHIN,
            },
        ).fetchone()
    return bool(found)


COUNT_FAILURES: Final = """
SELECT count(DISTINCT COALESCE(run_id, signal_id::text)) FROM medic.heartbeat_events
 WHERE service_id = %(service_id)s AND received_at > %(since)s AND kind = 'FAILED'
"""


def count_failures(tx: Transaction, service_id: int, since: datetime) -> int:
    """Failed runs heard after a moment: asked only when a signal came late."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(COUNT_FAILURES, {"service_id": service_id, "since": since}).fetchone()
    assert isinstance(found, int)
    return found
