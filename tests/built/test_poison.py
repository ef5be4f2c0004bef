"""One message of ten is poison: it alone fails or is put away, and the other nine are done once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from medic_core.adapters.spool import to_text
from medic_core.domain.routing import queue_messages
from medic_core.flows.sweep import sweep
from medic_core.store.connection import Database
from tests.builders import a_service, a_signal, hears, rows, time_passes
from tests.built.driving import Start
from tests.fixtures.receivers import Receivers

POISON = "{not a message"
HEARD = "SELECT count(*) FROM medic.heartbeat_events"


def a_batch(good: list[str]) -> dict[str, Any]:
    """A batch of SQS with the poison in the middle."""
    half = len(good) // 2
    bodies = [*good[:half], POISON, *good[half:]]
    attributes = {"ApproximateReceiveCount": "1"}
    return {
        "Records": [
            {"messageId": f"message-{number}", "receiptHandle": f"{number}", "body": body, "attributes": attributes}
            for number, body in enumerate(bodies)
        ]
    }


def heartbeats(count: int) -> list[str]:
    return [to_text(a_signal(received_at=datetime.now(UTC) - timedelta(seconds=number))) for number in range(count)]


def test_replay_puts_it_away_and_takes_the_others_once(
    start: Start, database: Database, queues: dict[str, Any]
) -> None:
    a_service(database)
    function, batch = start("ReplayFunction"), a_batch(heartbeats(9))
    assert function.invoke(batch).payload == {"batchItemFailures": []}
    assert queues["MEDIC_SPOOL_DEAD_LETTER_URL"].drain() == [POISON]
    assert rows(database, HEARD) == [(9,)]
    assert function.invoke(batch).payload == {"batchItemFailures": []}
    assert rows(database, HEARD) == [(9,)]


def test_replay_gives_it_back_where_the_dead_letters_cannot_be_reached(
    start: Start, database: Database, queues: dict[str, Any]
) -> None:
    a_service(database)
    nowhere = f"{queues['MEDIC_SPOOL_DEAD_LETTER_URL'].url}-nowhere"
    function = start("ReplayFunction", MEDIC_SPOOL_DEAD_LETTER_URL=nowhere)
    answer = function.invoke(a_batch(heartbeats(9))).payload
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-4"}]}
    assert rows(database, HEARD) == [(9,)]


def test_the_router_gives_it_back_and_tells_the_others_once(
    start: Start, database: Database, standing_in: Receivers
) -> None:
    for number in range(9):
        a_service(database, f"job-{number}")
        hears(database, f"job-{number}")
    time_passes(database, timedelta(hours=1))
    sweep(database, 0, timedelta(minutes=1))
    event_ids = [event_id for (event_id,) in rows(database, "SELECT alert_event_id FROM medic.alert_events")]
    batch = a_batch([queue_messages.notification(event_id) for event_id in event_ids])
    assert len(batch["Records"]) == 10
    only_webhook = {"SLACK_API_TOKEN": "", "PAGERDUTY_ROUTING_KEY": "", "MEDIC_GROUP_ALERTS_FROM": "1000"}
    webhook = {name: standing_in.environment[name] for name in ("MEDIC_WEBHOOK_URL", "MEDIC_ALLOWED_WEBHOOK_HOSTS")}
    function = start("RouterFunction", **webhook, **only_webhook)
    for _ in range(2):
        assert function.invoke(batch).payload == {"batchItemFailures": [{"itemIdentifier": "message-4"}]}
        assert len(standing_in.webhook.received) == 9
    delivered = "SELECT status, count(*) FROM medic.notification_deliveries GROUP BY status"
    assert rows(database, delivered) == [("success", 9)]
