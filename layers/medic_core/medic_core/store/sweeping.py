"""What the monitor asks of the hot rows: who is due, whose runs take too long, who has stopped flapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from psycopg.rows import class_row, dict_row, scalar_row

from medic_core.domain.alerting.alerts import Watched
from medic_core.domain.alerting.flapping import MOST_CHANGES
from medic_core.domain.watching.health import Health
from medic_core.domain.watching.states import Trouble
from medic_core.store import watched
from medic_core.store.connection import Transaction

#: Claims at most `batch` rows by service_state_due_idx; other monitors skip what we hold.
CLAIM_DUE: Final = (
    watched.SELECT  # noqa: S608 - two constants
    + """, st.health, st.alert_after, st.last_heartbeat_at
  FROM medic.service_state st JOIN medic.services s USING (service_id)
 WHERE st.alert_after <= %(now)s
 ORDER BY st.alert_after
 LIMIT %(batch)s
   FOR UPDATE OF st SKIP LOCKED
"""
)


@dataclass(frozen=True, slots=True)
class Due:
    """A service whose deadline has passed."""

    service: Watched
    health: Health
    alert_after: datetime
    last_heartbeat_at: datetime | None


def claim_due(tx: Transaction, now: datetime, batch: int) -> list[Due]:
    """The next services whose silence is a problem, oldest first."""
    with tx.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(CLAIM_DUE, {"now": now, "batch": batch}).fetchall()
    return [Due(watched.read(row), Health(row["health"]), row["alert_after"], row["last_heartbeat_at"]) for row in rows]


#: A service that was never heard stays new, which is no change of its health.
MARK_SILENT: Final = """
UPDATE medic.service_state st
   SET health = CASE WHEN health = 'new' THEN 'new' ELSE 'down' END, alert_after = NULL,
       troubles = array_append(st.troubles, silent.kind),
       health_changes = CASE WHEN health = 'new' THEN st.health_changes
                             ELSE (now() || st.health_changes)[1:%(most_changes)s::int] END,
       flapping_until = silent.flapping_until
  FROM unnest(%(service_ids)s::bigint[], %(kinds)s::text[], %(flapping)s::timestamptz[])
       AS silent (service_id, kind, flapping_until)
 WHERE st.service_id = silent.service_id
"""


@dataclass(frozen=True, slots=True)
class Silent:
    """A service that fell silent: its trouble, and until when it flaps if it does."""

    service_id: int
    trouble: Trouble
    flapping_until: datetime | None


def mark_silent(tx: Transaction, found: Sequence[Silent]) -> None:
    """Note the trouble of claimed services whose alerts open in this transaction."""
    tx.execute(
        MARK_SILENT,
        {
            "service_ids": [one.service_id for one in found],
            "kinds": [one.trouble for one in found],
            "flapping": [one.flapping_until for one in found],
            "most_changes": MOST_CHANGES + 1,
        },
    )


PUT_OFF: Final = """
UPDATE medic.service_state st SET alert_after = held.until
  FROM unnest(%(service_ids)s::bigint[], %(untils)s::timestamptz[]) AS held (service_id, until)
 WHERE st.service_id = held.service_id
"""


def put_off(tx: Transaction, untils: Mapping[int, datetime]) -> None:
    """Wait for claimed services until then: their silence is expected."""
    tx.execute(PUT_OFF, {"service_ids": list(untils), "untils": list(untils.values())})


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
       (SELECT max(last_heartbeat_at) FROM due) AS due_heard_at,
       (SELECT opened_at FROM medic.alerts
         WHERE kind = 'ingest_silent' AND service_id IS NULL AND resolved_at IS NULL) AS silent_since
"""


@dataclass(frozen=True, slots=True)
class DueCount:
    """How many that have reported are due, how many are not (up to one more), and when a due one was last heard.

    `silent_since` is since when the alert is open that nothing is heard from anyone.
    """

    due: int
    others: int
    due_heard_at: datetime | None
    silent_since: datetime | None


def count_due(tx: Transaction, now: datetime, enough: int = 100_000) -> DueCount:
    """Compare those that fell silent with those that did not, in time proportional to the former."""
    with tx.cursor(row_factory=class_row(DueCount)) as cursor:
        found = cursor.execute(COUNT_DUE, {"now": now, "enough": enough}).fetchone()
    assert found is not None
    return found


SHIFT: Final = """
WITH runs AS (
    UPDATE medic.job_runs SET stale_after = stale_after + %(by)s
     WHERE stale_after > %(since)s AND stale_after <= %(since)s + %(by)s::interval
)
UPDATE medic.service_state SET alert_after = alert_after + %(by)s
 WHERE alert_after > %(since)s AND alert_after <= %(since)s + %(by)s::interval
RETURNING service_id
"""


def shift(tx: Transaction, since: datetime, by: timedelta) -> int:
    """Move the deadlines within `by` after a moment ahead by as much, those of runs too; returns how many services."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return len(cursor.execute(SHIFT, {"since": since, "by": by}).fetchall())


#: A week in which a weekly job may be dead is too high a price for a moment without heartbeats.
LONGEST_RESTART: Final = timedelta(days=1)
RESTART: Final = """
UPDATE medic.service_state SET alert_after = %(now)s + LEAST(silence_allowed, %(most)s)
 WHERE alert_after <= %(now)s
RETURNING service_id
"""


def restart(tx: Transaction, now: datetime) -> int:
    """Give all that are due one more full interval from now, a day at most; returns how many."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return len(cursor.execute(RESTART, {"now": now, "most": LONGEST_RESTART}).fetchall())


#: The rows of services with runs that take too long; that they still do is read again under their lock.
CLAIM_STALE: Final = (
    watched.SELECT  # noqa: S608 - two constants
    + """, st.troubles
  FROM medic.service_state st JOIN medic.services s USING (service_id)
 WHERE st.service_id IN (SELECT service_id FROM medic.job_runs WHERE stale_after < %(now)s
                          ORDER BY stale_after LIMIT %(batch)s)
   FOR UPDATE OF st SKIP LOCKED
"""
)


@dataclass(frozen=True, slots=True)
class WithStaleRuns:
    """A service that seems to have runs that take too long, and its open troubles."""

    service: Watched
    troubles: frozenset[str]


def claim_stale(tx: Transaction, now: datetime, batch: int) -> list[WithStaleRuns]:
    """Lock the next services whose runs seem to take too long; others' are skipped."""
    with tx.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(CLAIM_STALE, {"now": now, "batch": batch}).fetchall()
    return [WithStaleRuns(watched.read(row), frozenset(row["troubles"])) for row in rows]


ADD_TROUBLE: Final = """
UPDATE medic.service_state SET troubles = array_append(troubles, %(kind)s)
 WHERE service_id = ANY(%(service_ids)s::bigint[])
"""


def add_trouble(tx: Transaction, service_ids: Sequence[int], trouble: Trouble) -> None:
    """Note a trouble of claimed services whose alerts open in this transaction."""
    tx.execute(ADD_TROUBLE, {"service_ids": list(service_ids), "kind": trouble})


CLAIM_STEADY: Final = """
SELECT service_id, health FROM medic.service_state
 WHERE flapping_until <= %(now)s ORDER BY flapping_until LIMIT %(batch)s
   FOR UPDATE SKIP LOCKED
"""
CALM_DOWN: Final = """
UPDATE medic.service_state SET flapping_until = NULL WHERE service_id = ANY(%(service_ids)s::bigint[])
"""


def claim_steady(tx: Transaction, now: datetime, batch: int) -> dict[int, Health]:
    """The services that have stopped flapping, and how they are; they do not count as flapping any more."""
    found = tx.execute(CLAIM_STEADY, {"now": now, "batch": batch}).fetchall()
    tx.execute(CALM_DOWN, {"service_ids": [service_id for service_id, _ in found]})
    return {service_id: Health(health) for service_id, health in found}
