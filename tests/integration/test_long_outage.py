"""An outage that outlasts a queue's patience: what is good is kept, and what comes in late undoes nothing."""

from __future__ import annotations

import json
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest

from local.template import Template
from medic_core.adapters.spool import to_text
from medic_core.domain.watching.signals import ById, SignalKind
from medic_core.store.connection import Database
from tests.builders import a_service, a_signal, away, hears, now_of, rows
from tests.conftest import ROOT
from tests.fixtures.functions import Functions, as_record

ROUNDS = 40
SECOND = timedelta(seconds=1)
HEARD = "SELECT count(*), count(DISTINCT signal_id) FROM medic.heartbeat_events"
SPOOL = Template(ROOT / "infra" / "template.yaml").content["Resources"]["SpoolQueue"]["Properties"]
MOST_RECEIVES: int = SPOOL["RedrivePolicy"]["maxReceiveCount"]


class HangsUp:
    """Takes connections and hangs up at once, as a server does that is starting; counts them."""

    def __init__(self) -> None:
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"postgresql://medic@127.0.0.1:{self._listener.getsockname()[1]}/none"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        # Whoever waits in accept() is woken, which closing alone does not do.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                connection.close()


@pytest.fixture
def starting() -> Iterator[HangsUp]:
    found = HangsUp()
    yield found
    found.close()


def test_forty_rounds_without_a_database_put_nothing_away_and_ask_once_a_batch(
    functions: Functions, database: Database, starting: HangsUp
) -> None:
    a_service(database)
    queue = functions.spool
    may_come_back(functions, MOST_RECEIVES)
    moments = [now_of(database) - number * SECOND for number in range(10)]
    functions.module("ingest").SPOOL.keep([a_signal(received_at=at) for at in moments], None)
    replay = functions.module("replay")
    with away(replay.DATABASE, starting.url):
        for _ in range(ROUNDS):
            messages = queue.receive()
            # The time for which nobody asks again after an answer like that is over.
            replay.DATABASE._avoid_until = 0.0
            answer = replay.handler({"Records": [as_record(message) for message in messages]}, None)
            assert len(answer["batchItemFailures"]) == len(messages) == len(moments)
            # And so is that for which they are put off.
            for message in messages:
                handle = message["ReceiptHandle"]
                queue.client.change_message_visibility(QueueUrl=queue.url, ReceiptHandle=handle, VisibilityTimeout=0)
    print(f"\n{len(moments)} heartbeats, {ROUNDS} batches of them, {starting.connections} connections")
    assert starting.connections == ROUNDS
    assert functions.dead_letters.waiting() == 0
    while functions.replay_spool():
        pass
    kept = rows(database, "SELECT received_at FROM medic.heartbeat_events ORDER BY 1 DESC")
    assert kept == [(at,) for at in moments]


#: Of each heartbeat that is recorded; a function of the database that is slow, and answers.
SLOWLY = """
    CREATE FUNCTION medic.dawdle() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN PERFORM pg_sleep(0.6); RETURN NEW; END $$;
    CREATE TRIGGER dawdle BEFORE INSERT ON medic.heartbeat_events FOR EACH ROW EXECUTE FUNCTION medic.dawdle()
"""
AT_ONCE = "DROP FUNCTION medic.dawdle CASCADE"


def test_what_a_slow_database_cannot_take_within_the_functions_time_is_not_begun(
    functions: Functions, database: Database
) -> None:
    a_service(database)
    moments = [now_of(database) - number * SECOND for number in range(10)]
    functions.module("ingest").SPOOL.keep([a_signal(received_at=at) for at in moments], None)
    with database.autocommit() as connection:
        connection.execute(SLOWLY)
    messages = functions.spool.receive()
    records = [as_record(message) for message in messages]
    left = functions.module("replay").handler({"Records": records}, None)["batchItemFailures"]
    ((kept, *_),) = rows(database, HEARD)
    print(f"\n10 heartbeats of 0.6 s each: {kept} recorded, {len(left)} put off")
    assert kept + len(left) == 10
    assert 0 < kept < 10
    with database.autocommit() as connection:
        connection.execute(AT_ONCE)
    answer = functions.module("replay").handler({"Records": records}, None)
    assert answer == {"batchItemFailures": []}
    assert rows(database, HEARD) == [(10, 10)]


def may_come_back(functions: Functions, most: int) -> None:
    """The queue puts a message away that was received more often than that."""
    dead = {"QueueUrl": functions.dead_letters.url, "AttributeNames": ["QueueArn"]}
    arn = functions.dead_letters.client.get_queue_attributes(**dead)["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": str(most)})
    functions.spool.client.set_queue_attributes(QueueUrl=functions.spool.url, Attributes={"RedrivePolicy": policy})


def test_what_comes_in_late_and_shuffled_undoes_nothing_that_is_newer(functions: Functions, database: Database) -> None:
    target = a_service(database, failure_tolerance=1)
    hears(database)
    state = "SELECT health, last_heartbeat_at, alert_after, troubles, consecutive_failures FROM medic.service_state"
    before = rows(database, state)
    dice = random.Random(20261127)
    now = now_of(database)
    kinds = [SignalKind.UP, SignalKind.DOWN, SignalKind.FAILED, SignalKind.COMPLETED, SignalKind.DEGRADED]
    texts = [
        to_text(a_signal(kind=dice.choice(kinds), whom=ById(target), received_at=now - (number + 1) * SECOND))
        for number in range(500)
    ]
    dice.shuffle(texts)
    records = [{"messageId": str(number), "receiptHandle": "", "body": text} for number, text in enumerate(texts)]
    replay = functions.module("replay")
    for first in range(0, len(records), 10):
        assert replay.handler({"Records": records[first : first + 10]}, None) == {"batchItemFailures": []}
    after = rows(database, state)
    alerts = rows(database, "SELECT count(*) FROM medic.alerts")
    print(f"\n{len(texts)} older signals, shuffled: {alerts[0][0]} alerts, the state is the same: {after == before}")
    assert rows(database, HEARD) == [(501, 501)]
    assert (after, alerts) == (before, [(0,)])
