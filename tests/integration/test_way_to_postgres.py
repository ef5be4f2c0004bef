"""What can happen between heartbeats and their database: restarts, frozen environments, silent connections, too many
of them, neither database nor spool, migrations and new code. Real processes and a Postgres of the test's own.
"""

from __future__ import annotations

import signal
import time
from contextlib import closing

import pytest

from medic_core.adapters.migrations import apply_all, roll_back
from medic_core.store import schema_lock
from medic_core.store.connection import Database
from tests.builders import a_service, away, ping_id
from tests.fixtures.aws import QueueOnEmulator
from tests.fixtures.clients import Clients, kept, replay_until_empty
from tests.fixtures.functions import Functions
from tests.fixtures.postgres import MIGRATIONS, PostgresServer
from tests.fixtures.proxy import Proxy

Queues = dict[str, QueueOnEmulator]
#: A connection that nobody used for so long is tried before it is trusted.
FROZEN_SECONDS = 60.0
#: Of a connection that has gone silent; one that has not may be slow where the machine is busy.
GIVEN_UP_AFTER_SECONDS = 2.5


def through(proxy: Proxy) -> str:
    return f"postgresql://medic@127.0.0.1:{proxy.port}/postgres"


def until_recorded(clients: Clients, database: Database) -> None:
    """Until one more is, however long the way to the database is avoided first."""
    before = kept(database).total()
    while kept(database).total() == before:
        clients.go_on()


def test_five_restarts_in_a_row_cost_no_acknowledged_heartbeat(
    own_server: PostgresServer, own_database: Database, environment: Queues, clients: Clients
) -> None:
    clients.start(3)
    for _ in range(5):
        own_server.stop("immediate")
        # The second of these began without a database.
        clients.go_on(2)
        own_server.start()
        clients.go_on()
    clients.end()
    spooled = replay_until_empty(environment["spool"])
    print(f"\n5 restarts: {clients.summary()}, {spooled} of them by the spool")
    assert clients.statuses == {"200"}
    assert spooled > 0
    assert kept(own_database) == dict.fromkeys(clients.acknowledged, 1)


def test_nothing_is_acknowledged_while_neither_database_nor_spool_is_there(
    own_server: PostgresServer, own_database: Database, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    clients.start(2)
    own_server.stop("immediate")
    clients.go_on()
    own_server.start()
    until_recorded(clients, own_database)
    clients.end()
    refused = [body for body, status, _ in clients.answers if status == "503"]
    recorded = kept(own_database)
    unheard = set(recorded) - clients.acknowledged
    print(f"\n{clients.summary()}, refused {len(refused)}, {len(unheard)} of these recorded all the same")
    assert clients.statuses == {"200", "503"}
    assert clients.acknowledged <= set(recorded)
    assert set(recorded.values()) == {1}
    # What was on its way when the server went; each was told that it was not taken.
    assert unheard <= set(refused)


class TestConnectionsThatGoSilent:
    def test_a_process_that_was_frozen_meanwhile_goes_on(
        self,
        own_server: PostgresServer,
        own_database: Database,
        environment: Queues,
        clients: Clients,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with closing(Proxy(own_server.port)) as proxy:
            with monkeypatch.context() as of_the_client:
                of_the_client.setenv("DATABASE_URL", through(proxy))
                (client,) = clients.start(1)
            client.send_signal(signal.SIGSTOP)
            proxy.drop()
            time.sleep(1)
            client.send_signal(signal.SIGCONT)
            until_recorded(clients, own_database)
            clients.end()
        spooled = replay_until_empty(environment["spool"])
        print(f"\nfrozen, its connection half-open: {clients.summary()}, {spooled} by the spool")
        assert clients.statuses == {"200"}
        assert spooled > 0
        assert kept(own_database) == dict.fromkeys(clients.acknowledged, 1)

    def test_one_that_was_idle_for_long_is_tried_before_it_is_trusted(
        self, own_server: PostgresServer, own_database: Database, functions: Functions
    ) -> None:
        target = str(ping_id(own_database, a_service(own_database)))
        ingest = functions.module("ingest")
        with closing(Proxy(own_server.port)) as proxy, away(ingest.DATABASE, through(proxy)):
            assert functions.ping(target, "POST", "before").status == 200
            ingest.DATABASE._connection.patience = GIVEN_UP_AFTER_SECONDS
            ingest.DATABASE._used_at -= FROZEN_SECONDS
            proxy.drop()
            began = time.monotonic()
            assert functions.ping(target, "POST", "after").status == 200
            print(f"\nthe first after a minute took {time.monotonic() - began:.2f} s")
        assert functions.spool.drain() == []
        assert kept(own_database) == {"before": 1, "after": 1}

    def test_a_heartbeat_that_arrived_while_its_answer_was_lost_is_recorded_once(
        self, own_server: PostgresServer, own_database: Database, functions: Functions
    ) -> None:
        target = str(ping_id(own_database, a_service(own_database)))
        ingest = functions.module("ingest")
        with closing(Proxy(own_server.port)) as proxy, away(ingest.DATABASE, through(proxy)):
            assert functions.ping(target, "POST", "before").status == 200
            ingest.DATABASE._connection.patience = GIVEN_UP_AFTER_SECONDS
            proxy.lose_answers()
            assert functions.ping(target, "POST", "unheard").status == 200
        assert kept(own_database) == {"before": 1, "unheard": 1}
        assert replay_until_empty(functions.spool) == 1
        assert kept(own_database) == {"before": 1, "unheard": 1}


def test_too_many_connections_are_a_database_that_is_away_for_those_that_get_none(
    own_server: PostgresServer, own_database: Database, environment: Queues, clients: Clients
) -> None:
    with own_database.autocommit() as connection:
        connection.execute("ALTER SYSTEM SET max_connections = 3")
        connection.execute("ALTER SYSTEM SET superuser_reserved_connections = 0")
    own_server.stop()
    own_server.start()
    a_service(own_database, "holds one itself")
    clients.start(5)
    clients.end()
    spooled = environment["spool"].waiting()
    direct = sum(kept(own_database).values())
    print(f"\n5 clients for 2 connections: {clients.summary()}, {direct} at once, {spooled} by the spool")
    # The first five are gone: who comes now gets a connection.
    clients.start(1)
    until_recorded(clients, own_database)
    clients.end()
    assert replay_until_empty(environment["spool"]) >= spooled
    assert clients.statuses == {"200"}
    assert (spooled > 0, direct > 0) == (True, True)
    assert kept(own_database) == dict.fromkeys(clients.acknowledged, 1)


def test_a_deploy_under_load_loses_nothing(
    own_server: PostgresServer, own_database: Database, environment: Queues, clients: Clients
) -> None:
    """The newest migration is applied while heartbeats come in, also to code that counts on it; then all functions are
    replaced."""
    url = own_server.url("postgres")
    (undone,) = roll_back(url, MIGRATIONS, 1)
    old = clients.start(2)
    with schema_lock.held(url):
        assert apply_all(url, MIGRATIONS) == [undone]
    clients.go_on()
    clients.start(2)
    for client in old:
        client.terminate()
        client.wait()
    clients.go_on()
    clients.end()
    spooled = replay_until_empty(environment["spool"])
    recorded = kept(own_database)
    print(f"\n{undone} under load and new code: {clients.summary()}, {spooled} by the spool")
    assert clients.statuses == {"200"}
    assert clients.acknowledged <= set(recorded)
    # What a replaced function had recorded and not answered yet.
    assert len(set(recorded) - clients.acknowledged) <= len(old)
    assert set(recorded.values()) == {1}
