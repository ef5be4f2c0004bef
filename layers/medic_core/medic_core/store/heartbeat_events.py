"""What was heard, a partition a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import psycopg
from psycopg import sql
from psycopg.rows import class_row, scalar_row

from medic_core.store.connection import Transaction

LIST: Final = """
SELECT e.heartbeat_id, s.heartbeat_name, s.service_name, e.received_at, e.kind, e.run_id, t.name AS team, s.priority
  FROM medic.heartbeat_events e JOIN medic.services s USING (service_id) LEFT JOIN medic.teams t USING (team_id)
 WHERE (%(name_key)s::text IS NULL OR s.name_key = %(name_key)s)
   AND (%(service_name)s::text IS NULL OR s.service_name = %(service_name)s)
 ORDER BY e.received_at DESC, e.heartbeat_id DESC
 LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class HeartbeatRow:
    """A heartbeat as it is listed."""

    heartbeat_id: int
    heartbeat_name: str
    service_name: str
    received_at: datetime
    kind: str
    run_id: str | None
    team: str | None
    priority: str


def listed(tx: Transaction, name_key: str | None, service_name: str | None, limit: int) -> list[HeartbeatRow]:
    """Heartbeats, newest first."""
    with tx.cursor(row_factory=class_row(HeartbeatRow)) as cursor:
        return cursor.execute(LIST, {"name_key": name_key, "service_name": service_name, "limit": limit}).fetchall()


OF_SERVICE: Final = """
SELECT heartbeat_id, kind AS status, received_at, run_id, exit_status, remote_address, user_agent
  FROM medic.heartbeat_events
 WHERE service_id = %(service_id)s
   AND (%(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s))
   AND (%(before_id)s::bigint IS NULL
        OR (received_at, heartbeat_id) < (%(before_at)s::text::timestamptz, %(before_id)s))
 ORDER BY received_at DESC, heartbeat_id DESC
 LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class ServiceHeartbeat:
    """A heartbeat of a service that is known."""

    heartbeat_id: int
    status: str
    received_at: datetime
    run_id: str | None
    exit_status: int | None
    remote_address: str | None
    user_agent: str | None


def of_service(
    tx: Transaction, service_id: int, kinds: Sequence[str] | None, before: tuple[str, int] | None, limit: int
) -> list[ServiceHeartbeat]:
    """A service's heartbeats, newest first, from the one before (received_at, id). Raises ValueError for no time."""
    values = {
        "service_id": service_id,
        "kinds": kinds,
        "before_at": before[0] if before else None,
        "before_id": before[1] if before else None,
        "limit": limit,
    }
    try:
        with tx.cursor(row_factory=class_row(ServiceHeartbeat)) as cursor:
            return cursor.execute(OF_SERVICE, values).fetchall()
    except psycopg.DataError as error:
        raise ValueError("not a time") from error


OF_RUN: Final = """
SELECT kind AS status, received_at, exit_status, body FROM medic.heartbeat_events
 WHERE service_id = %(service_id)s AND run_id = %(run_id)s
 ORDER BY received_at DESC, heartbeat_id DESC
 LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class RunSignal:
    """What was said during a run, with what it sent along."""

    status: str
    received_at: datetime
    exit_status: int | None
    body: bytes | None


def of_run(tx: Transaction, service_id: int, run_id: str, limit: int) -> list[RunSignal]:
    """The newest signals of a run, in the order of their receipt."""
    with tx.cursor(row_factory=class_row(RunSignal)) as cursor:
        values = {"service_id": service_id, "run_id": run_id, "limit": limit}
        return cursor.execute(OF_RUN, values).fetchall()[::-1]


NEWEST: Final = """
SELECT max(received_at) FROM medic.heartbeat_events WHERE received_at > now() - interval '7 days'
"""


def newest(tx: Transaction) -> datetime | None:
    """When anything was last heard from anyone, in the last week."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(NEWEST).fetchone()


#: Stops at `enough`: whether there were that many is all that is asked.
COUNT: Final = """
SELECT count(*) FROM (
    SELECT FROM medic.heartbeat_events WHERE received_at > %(start)s AND received_at <= %(end)s LIMIT %(enough)s
) AS counted
"""


def count(tx: Transaction, start: datetime, end: datetime, enough: int = 1_000_000) -> int:
    """How many heartbeats were received in a stretch of time, `enough` at most."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(COUNT, {"start": start, "end": end, "enough": enough}).fetchone()
    assert isinstance(found, int)
    return found


PARTITIONS: Final = """
SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
 WHERE inhparent = 'medic.heartbeat_events'::regclass AND child.relname ~ '_[0-9]{8}$'
 ORDER BY child.relname
"""
PREFIX: Final = "heartbeat_events_"


def partitions(tx: Transaction) -> list[date]:
    """The days (UTC) that have a partition of their own."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        names = cursor.execute(PARTITIONS).fetchall()
    return [date.fromisoformat(name.removeprefix(PREFIX)) for name in names]


#: Held to the end of the transaction by who makes partitions: a deploy and housekeeping may do so at once.
CLAIM_PARTITIONS: Final = "SELECT pg_advisory_xact_lock(hashtext('medic.partitions'))"
#: Rows that came while the partition was missing wait in the default one; they move over with its making.
MAKE_PARTITION: Final = (
    "CREATE TABLE medic.{name} (LIKE medic.heartbeat_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
    """WITH strays AS (
           DELETE FROM medic.heartbeat_events_default WHERE received_at >= {start} AND received_at < {end} RETURNING *
       ) INSERT INTO medic.{name} SELECT * FROM strays""",
    "ALTER TABLE medic.heartbeat_events ATTACH PARTITION medic.{name} FOR VALUES FROM ({start}) TO ({end})",
)


def make_partition(tx: Transaction, day: date) -> bool:
    """Make the partition of a day (UTC), unless somebody has; returns whether it was missing."""
    tx.execute(CLAIM_PARTITIONS)
    if day in partitions(tx):
        return False
    parts = {
        "name": sql.Identifier(f"{PREFIX}{day:%Y%m%d}"),
        "start": sql.Literal(f"{day.isoformat()} 00:00:00+00"),
        "end": sql.Literal(f"{(day + timedelta(days=1)).isoformat()} 00:00:00+00"),
    }
    for statement in MAKE_PARTITION:
        tx.execute(sql.SQL(statement).format(**parts))
    return True


DROP_PARTITION: Final = "DROP TABLE medic.{name}"


def drop_partition(tx: Transaction, day: date) -> None:
    """Drop a day with all that was heard on it."""
    tx.execute(sql.SQL(DROP_PARTITION).format(name=sql.Identifier(f"{PREFIX}{day:%Y%m%d}")))
