"""DESIGN section 10, with real processes stopped and killed: promises 1, 2, 3, 6 and 8. (4: test_outages.py.)"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from medic_core.domain.watching.signals import SignalKind
from medic_core.store import connection
from medic_core.store.connection import Database
from tests.builders import a_service, a_signal, away, hears, ping_id, rows, time_passes
from tests.fixtures.aws import QueueOnEmulator
from tests.fixtures.clients import Clients, kept, replay_until_empty
from tests.fixtures.functions import Functions, as_record
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.processes import Processes
from tests.fixtures.receivers import Receivers

MINUTE = timedelta(minutes=1)


EVENTS = "SELECT alert_event_id FROM medic.alert_events"
#: As registering and a heartbeat leave them, written at once.
SILENT = """
WITH made AS (
    INSERT INTO medic.services (heartbeat_name, name_key, service_name, slug, ping_id, priority, every_seconds)
    SELECT 'job-' || n, 'job-' || n, 'job-' || n, 'job-' || n, gen_random_uuid(), 'p3', 60
      FROM generate_series(1, %(count)s) AS n
    RETURNING service_id)
INSERT INTO medic.service_state (service_id, health, last_heartbeat_at, recent_heartbeats, silence_allowed,
                                 alert_after, troubles)
SELECT service_id, 'up', heard, ARRAY[heard], interval '1 minute', heard + interval '1 minute', '{}'
  FROM made CROSS JOIN (SELECT now() - interval '2 minutes' AS heard) AS past
"""


def many_silent(database: Database, count: int) -> None:
    """So many services whose deadline has passed, and one that was just heard."""
    with database.transaction() as tx:
        tx.execute(SILENT, {"count": count})
    a_service(database, "alive", every_seconds=86_400)
    hears(database, "alive")


class TestAnAcknowledgedHeartbeatIsNeverLost:
    def test_while_postgres_is_stopped_and_started_under_load(
        self, own_server: PostgresServer, own_database: Database, environment: dict[str, Any], clients: Clients
    ) -> None:
        clients.start(4)
        time.sleep(2)
        own_server.stop("immediate")
        time.sleep(3)
        own_server.start()
        clients.go_on(100)
        clients.end()
        spooled = replay_until_empty(environment["spool"])
        print(f"\n{clients.summary()}, {spooled} of them by the spool")
        recorded = kept(own_database)
        assert clients.statuses == {"200"}
        assert clients.acknowledged == set(recorded)
        assert set(recorded.values()) == {1}
        last = "SELECT last_heartbeat_at = (SELECT max(received_at) FROM medic.heartbeat_events e"
        last += " WHERE e.service_id = st.service_id AND kind = 'UP') FROM medic.service_state st"
        assert rows(own_database, last) == [(True,)] * 4

    def test_while_postgres_hangs_without_closing_a_connection(
        self, own_server: PostgresServer, own_database: Database, functions: Functions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        target = str(ping_id(own_database, a_service(own_database)))
        ingest = functions.module("ingest")
        assert functions.ping(target, "POST", "before").status == 200
        own_server.hang()
        monkeypatch.setattr(ingest.DATABASE._connection, "patience", 1.0)
        monkeypatch.setitem(connection.CONNECT, "connect_timeout", 2)
        assert [functions.ping(target, "POST", text).status for text in ("during-1", "during-2")] == [200, 200]
        own_server.go_on()
        replay_until_empty(functions.spool)
        assert kept(own_database) == {"before": 1, "during-1": 1, "during-2": 1}

    def test_it_is_not_acknowledged_where_neither_database_nor_spool_has_it(
        self, functions: Functions, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service_id = a_service(database)
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        with away(functions.module("ingest").DATABASE):
            reply = functions.ping(str(ping_id(database, service_id)))
            heartbeat = functions.heartbeat({"heartbeat_name": "nightly-backup", "status": "UP"})
        assert (reply.status, reply.body.startswith("Medic cannot reach its database")) == (503, True)
        assert (heartbeat.status, heartbeat.headers["Retry-After"]) == (503, "5")

    def test_a_spooled_heartbeat_answers_202_and_comes_in_with_its_own_time(
        self, functions: Functions, database: Database
    ) -> None:
        a_service(database)
        ingest = functions.module("ingest")
        body = {"heartbeat_name": "nightly-backup", "status": "UP"}
        assert functions.heartbeat(body).status == 201
        with away(ingest.DATABASE):
            assert functions.heartbeat(body).status == 202
        (message,) = functions.spool.receive()
        for _ in range(3):
            functions.module("replay").handler({"Records": [as_record(message)]}, None)
        received = json.loads(message["Body"])["received_at"]
        kept = rows(database, "SELECT count(*), bool_or(received_at = %(at)s) FROM medic.heartbeat_events", at=received)
        assert kept == [(2, True)]

    def test_a_heartbeat_whose_answer_was_lost_is_recorded_once(self, functions: Functions, database: Database) -> None:
        a_service(database)
        signal = a_signal()
        functions.module("ingest").record_signal(database, signal, None)
        ((at,),) = rows(database, "SELECT received_at FROM medic.heartbeat_events")
        functions.module("replay").replay_signal(database, replace(signal, received_at=at - timedelta(seconds=2)))
        assert rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(1,)]


class TestOneSilenceOneAlert:
    def test_eight_monitors_at_once_over_thousands_of_due_services(
        self, environment: dict[str, Any], database: Database, processes: Processes
    ) -> None:
        many_silent(database, 3000)
        processes.end_of([processes.start("monitor") for _ in range(8)])
        assert one_of_each(database, 3000)
        sent = [json.loads(body)["notification"] for body in environment["notifications"].drain()]
        print(f"\nalerts 3000, messages {len(sent)}, distinct {len(set(sent))}")
        assert len(sent) == len(set(sent)) == 3000


class TestSigkillLosesAndDoublesNothing:
    def test_of_a_monitor(self, environment: dict[str, Any], database: Database, processes: Processes) -> None:
        many_silent(database, 2000)
        processes.killed_again_and_again("monitor", times=12, seed=20261121)
        processes.end_of([processes.start("monitor")])
        assert one_of_each(database, 2000)
        # Rows that were leased by a monitor that died leave again when their lease is over.
        time_passes(database, timedelta(minutes=1))
        processes.end_of([processes.start("monitor")])
        sent = {json.loads(body)["notification"] for body in environment["notifications"].drain()}
        assert len(sent) == 2000

    def test_of_a_router(
        self,
        environment: dict[str, Any],
        database: Database,
        processes: Processes,
        standing_in: Receivers,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Two of them at once, killed at random instants: every target gets every notification at least once."""
        for name, value in standing_in.environment.items():
            monkeypatch.setenv(name, value)
        count = 1000
        many_silent(database, count)
        processes.end_of([processes.start("monitor")])
        url = environment["notifications"].url
        other = processes.start("router", url)
        processes.killed_again_and_again("router", url, times=20, seed=20261121)
        other.kill()
        time_passes(database, timedelta(minutes=2))
        routers = [processes.start("router", url) for _ in range(2)]
        wait_until_delivered(database, environment["notifications"], seconds=400)
        for router in routers:
            router.kill()
        statuses = "SELECT target_key, status, count(*) FROM medic.notification_deliveries GROUP BY 1, 2 ORDER BY 1"
        keys = ("default:pagerduty", "default:slack", "default:webhook")
        assert rows(database, statuses) == [(key, "success", count) for key in keys]
        ids = Counter(received.headers["webhook-id"] for received in standing_in.webhook.received)
        incidents = Counter(received.content["dedup_key"] for received in standing_in.pagerduty.received)
        said = "".join(json.dumps(received.content) for received in standing_in.slack.received)
        names = [name for (name,) in rows(database, "SELECT heartbeat_name FROM medic.alerts")]
        print(
            f"\nnotifications {count}, webhook requests {ids.total()}, repeated {ids.total() - len(ids)}; "
            f"PagerDuty events {incidents.total()}; Slack messages {len(standing_in.slack.received)}"
        )
        assert set(ids) == {f"evt_{number}" for (number,) in rows(database, EVENTS)}
        assert set(incidents) == {f"medic-{name}" for name in names}
        assert [name for name in names if f"{name} has " not in said] == []


class TestPoisonEndsInTheDeadLetters:
    def test_of_the_spool_at_once_and_the_rest_goes_on(self, functions: Functions, database: Database) -> None:
        a_service(database)
        good = functions.module("ingest").SPOOL
        ((now,),) = rows(database, "SELECT now()")
        good.keep([a_signal(received_at=now)], None)
        poison = ["", "{", "[]", '{"signal_id": "x"}', "x" * 1000, json.dumps({"whom": 1}), "null"]
        client, url = functions.spool.client, functions.spool.url
        for body in poison:
            client.send_message(QueueUrl=url, MessageBody=body or " ")
        while functions.replay_spool():
            pass
        assert len(functions.dead_letters.drain()) == len(poison)
        assert rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(1,)]

    def test_one_that_cannot_be_taken_does_not_hold_back_the_others(
        self, functions: Functions, database: Database
    ) -> None:
        a_service(database)
        ((now,),) = rows(database, "SELECT now()")
        spool = functions.module("ingest").SPOOL
        spool.keep([a_signal(received_at=now)], None)
        spool.keep([a_signal(received_at=now, run_id="x" * 300, kind=SignalKind.FAILED)], None)
        spool.keep([a_signal(received_at=now)], None)
        messages = functions.spool.receive()
        answer = functions.module("replay").handler({"Records": [as_record(message) for message in messages]}, None)
        (failed,) = answer["batchItemFailures"]
        assert failed["itemIdentifier"] == messages[1]["MessageId"]
        assert rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(2,)]

    def test_of_the_router_after_bounded_tries(self, functions: Functions, a_queue: Any) -> None:
        dead = a_queue("dead")
        client, url = functions.notifications.client, functions.notifications.url
        arn = client.get_queue_attributes(QueueUrl=dead.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "3"})
        attributes = {"RedrivePolicy": policy, "VisibilityTimeout": "0"}
        client.set_queue_attributes(QueueUrl=url, Attributes=attributes)
        client.send_message(QueueUrl=url, MessageBody="poison")
        tries = 0
        while functions.route_notifications():
            tries += 1
        assert (tries, dead.drain()) == (3, ["poison"])


def one_of_each(database: Database, count: int) -> bool:
    queries = (
        "SELECT count(*), count(DISTINCT service_id) FROM medic.alerts WHERE resolved_at IS NULL",
        "SELECT count(*), count(DISTINCT alert_id) FROM medic.alert_events WHERE event = 'opened'",
        "SELECT count(*), count(DISTINCT subject_id) FROM medic.outbox",
    )
    return [rows(database, query)[0] for query in queries] == [(count, count)] * 3


def wait_until_delivered(database: Database, queue: QueueOnEmulator, seconds: float) -> None:
    """Let the monitor queue again what killed routers left, until every delivery is finished."""
    until = time.monotonic() + seconds
    unfinished = "SELECT count(*) FROM medic.notification_deliveries WHERE due_at IS NOT NULL"
    unplanned = "SELECT count(*) FROM medic.outbox WHERE done_at IS NULL"
    import tick  # noqa: PLC0415  (it reads the environment when it is loaded)

    while time.monotonic() < until and (rows(database, unfinished)[0][0] or rows(database, unplanned)[0][0]):
        tick.relay(database, tick.NOTIFICATIONS)
        tick.relay_forgotten(database, tick.NOTIFICATIONS)
        # Not before routers have taken what there is: what they have not would be queued again and again.
        if not queue.waiting():
            time_passes(database, timedelta(seconds=10))
        time.sleep(0.5)
