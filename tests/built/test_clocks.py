"""The gateway's clock is ten minutes off, either way: the database's decides, and the future is not believed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from medic_core.adapters.spool import from_text
from medic_core.flows.record import record_signal
from medic_core.store.connection import Database
from tests.builders import a_service, rows
from tests.built.driving import Start, beat, take
from tests.fixtures.functions import as_record, gateway_event

SKEW = timedelta(minutes=10)
STATE = """
    SELECT last_heartbeat_at <= now(), last_heartbeat_at > now() - interval '1 minute', alert_after > now()
      FROM medic.service_state
"""
HEARD = "SELECT now() - received_at FROM medic.heartbeat_events ORDER BY received_at"


@pytest.fixture
def unreachable() -> dict[str, str]:
    """What a function knows whose database is away."""
    return {"DATABASE_URL": "postgresql://127.0.0.1:1/none"}


@pytest.mark.parametrize("off", [SKEW, -SKEW])
def test_a_heartbeat_that_is_recorded_at_once_has_the_databases_time(
    off: timedelta, start: Start, database: Database
) -> None:
    a_service(database)
    assert beat(start("HeartbeatFunction"), datetime.now(UTC) + off) == 201
    assert rows(database, STATE) == [(True, True, True)]


def spooled(start: Start, database: Database, unreachable: dict[str, str], at: datetime) -> None:
    """A ping that was received `at` some moment while the database was away."""
    ((path,),) = rows(database, "SELECT '/ping/' || ping_id FROM medic.services")
    function = start("HeartbeatFunction", **unreachable)
    event = gateway_event("GET", path, None, {})
    event["requestContext"]["timeEpoch"] = int(at.timestamp() * 1000)
    assert function.invoke(event).payload["statusCode"] == 200


def test_one_from_the_future_that_was_spooled_is_not_believed_beyond_now_and_counts_once(
    start: Start, database: Database, unreachable: dict[str, str], queues: dict[str, Any]
) -> None:
    a_service(database)
    spooled(start, database, unreachable, datetime.now(UTC) + SKEW)
    replay = start("ReplayFunction")
    records = take(replay, queues["MEDIC_SPOOL_URL"])
    assert rows(database, STATE) == [(True, True, True)]
    assert replay.invoke({"Records": records}).payload == {"batchItemFailures": []}
    assert rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(1,)]


def test_one_from_the_past_that_was_spooled_keeps_its_time(
    start: Start, database: Database, unreachable: dict[str, str], queues: dict[str, Any]
) -> None:
    """A clock that is behind looks like a heartbeat that waited: it is as old as it says."""
    a_service(database)
    spooled(start, database, unreachable, datetime.now(UTC) - SKEW)
    replay = start("ReplayFunction")
    records = take(replay, queues["MEDIC_SPOOL_URL"])
    ((age,),) = rows(database, HEARD)
    assert SKEW <= age < SKEW + timedelta(minutes=1)
    assert replay.invoke({"Records": records}).payload == {"batchItemFailures": []}
    assert len(rows(database, HEARD)) == 1


@pytest.mark.parametrize("off", [SKEW, -SKEW])
def test_one_that_the_database_took_although_nobody_heard_it_is_known_by_its_id(
    off: timedelta, start: Start, database: Database, unreachable: dict[str, str], queues: dict[str, Any]
) -> None:
    """Recorded with the database's time and spooled with the gateway's, because the answer was lost."""
    a_service(database)
    spooled(start, database, unreachable, datetime.now(UTC) + off)
    (message,) = queues["MEDIC_SPOOL_URL"].receive()
    signal, _ = from_text(message["Body"])
    record_signal(database, replace(signal, received_at=None), None)
    answer = start("ReplayFunction").invoke({"Records": [as_record(message)]}).payload
    assert answer == {"batchItemFailures": []}
    assert rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(1,)]
    assert rows(database, STATE) == [(True, True, True)]
