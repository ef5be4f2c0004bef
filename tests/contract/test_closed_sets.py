"""Closed sets are spelled in the domain and in CHECK constraints: read back, they are the same."""

from __future__ import annotations

import re
from enum import StrEnum

import pytest

from medic_core.domain.access.api_keys import Scope
from medic_core.domain.alerting.alerts import INGEST_SILENT, AlertEvent, AlertStatus, Priority
from medic_core.domain.routing.targets import Channel
from medic_core.domain.watching.runs import RunStatus
from medic_core.domain.watching.signals import SignalKind, Unmatched
from medic_core.domain.watching.states import Health, Trouble
from medic_core.store.connection import Database
from medic_core.store.outbox import Topic
from tests.builders import rows

SETS: dict[tuple[str, str], set[str]] = {
    ("services", "priority"): set(Priority),
    ("services", "unmatched_body"): set(Unmatched),
    ("service_state", "health"): set(Health),
    ("heartbeat_events", "kind"): set(SignalKind),
    ("job_runs", "status"): set(RunStatus),
    ("alerts", "kind"): {*Trouble, INGEST_SILENT},
    ("alerts", "status"): set(AlertStatus),
    ("alerts", "priority"): set(Priority),
    ("alert_events", "event"): set(AlertEvent),
    ("outbox", "topic"): set(Topic),
    ("notification_deliveries", "channel"): set(Channel),
    ("api_keys", "scopes"): set(Scope),
}


def checked(database: Database, table: str, column: str) -> set[str]:
    """The values that a column's CHECK allows."""
    query = """
        SELECT pg_get_constraintdef(c.oid) FROM pg_constraint c
          JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY(c.conkey)
         WHERE c.conrelid = %(table)s::regclass AND a.attname = %(column)s AND c.contype = 'c'
           AND array_length(c.conkey, 1) = 1
    """
    definitions = [text for (text,) in rows(database, query, table=f"medic.{table}", column=column)]
    return {value for text in definitions for value in re.findall(r"'([^']+)'::text", text)}


@pytest.mark.parametrize(("table", "column"), list(SETS))
def test_the_database_allows_what_the_domain_knows(database: Database, table: str, column: str) -> None:
    assert checked(database, table, column) == SETS[table, column]


def test_every_enum_is_looked_at() -> None:
    looked_at = {kind for values in SETS.values() for value in values for kind in [type(value)] if kind is not str}
    assert all(issubclass(kind, StrEnum) for kind in looked_at)
    assert len(looked_at) == 11
