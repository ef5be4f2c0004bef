"""Batches whose signals change more than times: many are settled in one commit, and each still stands for itself."""

from __future__ import annotations

from functools import partial

import psycopg
import pytest

from medic_core.adapters import hashing
from medic_core.domain.access.api_keys import VerifiedKey
from medic_core.domain.watching.signals import Signal, SignalKind, Taken
from medic_core.errors import NotFound, Unavailable
from medic_core.flows.keys import ensure_admin_key
from medic_core.flows.record_many import TOGETHER, Outcome, record_many
from medic_core.flows.settle import settle_together
from medic_core.store import api_keys
from medic_core.store.connection import Database
from tests.builders import a_service, a_signal, at_once, rows, watch_statements
from tests.fixtures.functions import ADMIN_KEY, Functions, Reply, key_header

#: One more than are settled together.
NAMES = [f"service-{number:03}" for number in range(TOGETHER + 1)]


@pytest.fixture
def services(database: Database) -> list[int]:
    return [a_service(database, name) for name in NAMES]


@pytest.fixture
def key(database: Database) -> VerifiedKey:
    ensure_admin_key(database, ADMIN_KEY, hashing)
    with database.transaction() as tx:
        stored = api_keys.find(tx, ADMIN_KEY.split("_")[1])
    assert stored is not None
    return stored.verified()


def batch(functions: Functions, *signals: tuple[str, str]) -> Reply:
    body = {"heartbeats": [{"heartbeat_name": name, "status": status} for name, status in signals]}
    return functions.http("ingest", "POST", "/v2/heartbeats", body, **key_header(ADMIN_KEY))


def spool_nothing(signals: list[Signal], because: Unavailable) -> None:
    raise AssertionError(f"{len(signals)} signals were not recorded") from because


def healths(database: Database) -> list[str]:
    return [health for (health,) in rows(database, "SELECT health FROM medic.service_state ORDER BY service_id")]


@pytest.mark.usefixtures("services")
def test_many_changes_of_state_are_few_commits(functions: Functions, database: Database) -> None:
    functions.heartbeat({"heartbeat_name": NAMES[0], "status": "UP"})
    statements = watch_statements(functions.module("ingest").DATABASE)
    reply = batch(functions, *((name, "COMPLETED") for name in reversed(NAMES)))
    assert reply.json["results"]["succeeded"] == len(NAMES)
    assert statements.count("COMMIT") == 2
    assert rows(database, "SELECT count(*) FROM medic.job_runs") == [(len(NAMES),)]
    assert [item["heartbeat_name"] for item in reply.json["results"]["items"]] == NAMES[::-1]


@pytest.mark.usefixtures("services")
def test_signals_of_one_service_are_settled_in_the_order_sent(functions: Functions, database: Database) -> None:
    first, second, third = NAMES[:3]
    sent = [
        (third, "DOWN"),
        (first, "DOWN"),
        (second, "STARTED"),
        (first, "UP"),
        (second, "COMPLETED"),
        (first, "DOWN"),
    ]
    reply = batch(functions, *sent)
    assert [item["success"] for item in reply.json["results"]["items"]] == [True] * 6
    assert healths(database)[:3] == ["down", "up", "down"]
    events = """SELECT s.heartbeat_name, e.kind FROM medic.heartbeat_events e JOIN medic.services s USING (service_id)
                 ORDER BY e.service_id, e.received_at"""
    assert rows(database, events) == sorted(sent, key=lambda one: one[0])


def test_a_batch_that_loses_its_database_spools_what_was_not_committed(
    functions: Functions, database: Database, services: list[int], database_url: str
) -> None:
    with psycopg.connect(database_url) as holder:
        # The last is in a transaction of its own, and its row is somebody else's for longer than a heartbeat waits.
        holder.execute("SELECT FROM medic.service_state WHERE service_id = %s FOR UPDATE", [services[-1]])
        reply = batch(functions, *((name, "DOWN") for name in NAMES))
        assert (reply.status, reply.json["results"]["succeeded"]) == (202, len(NAMES))
        assert healths(database) == ["down"] * TOGETHER + ["new"]
    assert functions.replay_spool() == 1
    assert healths(database) == ["down"] * len(NAMES)
    assert rows(database, "SELECT count(*), count(DISTINCT service_id) FROM medic.heartbeat_events") == [
        (len(NAMES), len(NAMES))
    ]


@pytest.mark.usefixtures("services")
def test_batches_in_opposite_orders_do_not_wait_in_a_circle(database: Database, key: VerifiedKey) -> None:
    def send(names: list[str], own: Database) -> list[Outcome]:
        outcomes = list[Outcome]()
        for kind in (SignalKind.DOWN, SignalKind.COMPLETED) * 3:
            outcomes += record_many(own, [a_signal(name, kind) for name in names], key, spool_nothing)
        return outcomes

    sent = at_once(database, [partial(send, NAMES), partial(send, NAMES[::-1])])
    assert {type(outcome) for outcomes in sent for outcome in outcomes} == {Taken}
    assert rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(12 * len(NAMES),)]


def test_a_service_that_is_gone_when_its_turn_comes_is_missed_alone(database: Database, services: list[int]) -> None:
    sent = [(service_id, a_signal(kind=SignalKind.DOWN)) for service_id in (services[0], 999, services[1])]
    first, missed, last = settle_together(database, sent)
    assert isinstance(first, Taken)
    assert isinstance(missed, NotFound)
    assert isinstance(last, Taken)
    assert healths(database)[:3] == ["down", "down", "new"]
