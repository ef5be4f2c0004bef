"""A notification reaches its targets: the router's own handler, a real queue, stand-ins that check what they get."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from medic_core.domain.watching.signals import SignalKind
from medic_core.flows import deliver
from medic_core.flows.plan_deliveries import plan_notification
from medic_core.flows.relay import relay_forgotten
from medic_core.flows.sweep import sweep
from medic_core.store import deliveries
from medic_core.store.connection import Database
from tests.builders import a_service, hears, rows, time_passes
from tests.fixtures.functions import Functions
from tests.fixtures.receivers import Receivers
from tests.stand_ins.receivers import Answer

SECOND = timedelta(seconds=1)
CADENCE = timedelta(seconds=15)


@pytest.fixture
def told(standing_in: Receivers, environment: Any, monkeypatch: pytest.MonkeyPatch) -> Receivers:
    """The stand-ins are the default channel."""
    for name, value in standing_in.environment.items():
        monkeypatch.setenv(name, value)
    return standing_in


def falls_silent(database: Database, name: str = "nightly-backup") -> None:
    a_service(database, name)
    hears(database, name)
    time_passes(database, 61 * SECOND)
    sweep(database, 0, CADENCE)


def relayed(functions: Functions) -> None:
    """What waits in the outbox goes to the queue and from there through the router, until nothing is left."""
    tick = functions.module("tick")
    tick.relay(tick.DATABASE, tick.NOTIFICATIONS)
    while functions.route_notifications():
        pass


def statuses(database: Database) -> dict[str, str]:
    return dict(rows(database, "SELECT target_key, status FROM medic.notification_deliveries ORDER BY delivery_id"))


def test_each_target_hears_of_a_silence_once_and_of_its_end_once(
    told: Receivers, functions: Functions, database: Database
) -> None:
    falls_silent(database)
    relayed(functions)
    relayed(functions)
    assert [len(receiver.received) for receiver in told.all] == [1, 1, 1]
    functions.heartbeat({"heartbeat_name": "nightly-backup", "status": "UP"})
    relayed(functions)
    assert [len(receiver.received) for receiver in told.all] == [3, 2, 2]
    trigger, resolve = (received.content for received in told.pagerduty.received)
    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"] == "medic-nightly-backup"
    opened, edited, ended = (received.content for received in told.slack.received)
    assert edited["ts"] == ended["thread_ts"] == "1790000000.000000"
    assert "thread_ts" not in opened
    assert [received.content["type"] for received in told.webhook.received] == ["alert.opened", "alert.resolved"]
    assert rows(database, "SELECT count(*) FROM medic.outbox WHERE done_at IS NULL") == [(0,)]


def test_a_heartbeat_that_ends_an_alert_sends_the_news_itself(
    told: Receivers, functions: Functions, database: Database
) -> None:
    falls_silent(database)
    relayed(functions)
    functions.heartbeat({"heartbeat_name": "nightly-backup", "status": "UP"})
    assert functions.route_notifications() == 1
    assert told.webhook.received[-1].content["type"] == "alert.resolved"


def test_a_message_that_comes_twice_is_delivered_once(
    told: Receivers, functions: Functions, database: Database
) -> None:
    falls_silent(database)
    ((event_id,),) = rows(database, "SELECT subject_id FROM medic.outbox")
    record = {"messageId": "m", "receiptHandle": "r", "body": f'{{"notification": {event_id}}}', "attributes": {}}
    router = functions.module("notifications")
    for _ in range(3):
        assert router.handler({"Records": [record, record]}, None) == {"batchItemFailures": []}
    assert [len(receiver.received) for receiver in told.all] == [1, 1, 1]


def test_a_broken_target_is_tried_after_1_5_and_30_seconds_then_given_up(
    told: Receivers, functions: Functions, database: Database
) -> None:
    told.webhook.answers = [Answer(500, {"error": "broken"})] * 4
    falls_silent(database)
    relayed(functions)
    waits = []
    due = "SELECT delivery_id, extract(epoch FROM due_at - last_attempt_at) FROM medic.notification_deliveries"
    while waiting := rows(database, f"{due} WHERE due_at IS NOT NULL"):
        ((delivery_id, wait),) = waiting
        waits.append(round(wait))
        time_passes(database, timedelta(seconds=int(wait) + 1))
        functions.notifications.drain()
        router = functions.module("notifications")
        deliver.make_deliveries(router.DATABASE, [delivery_id], functions.module("notifications").quick())
    assert waits == [1, 5, 30]
    assert len(told.webhook.received) == 4
    assert len({received.headers["webhook-id"] for received in told.webhook.received}) == 1
    assert statuses(database) == {
        "default:slack": "success",
        "default:pagerduty": "success",
        "default:webhook": "failed",
    }
    kept = "SELECT response_code, response_body FROM medic.notification_deliveries WHERE status = 'failed'"
    assert rows(database, kept) == [(500, '{"error": "broken"}')]


def test_retry_after_is_honoured(told: Receivers, functions: Functions, database: Database) -> None:
    told.slack.answers = [Answer(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "17"})]
    falls_silent(database)
    relayed(functions)
    wait = "SELECT round(extract(epoch FROM due_at - last_attempt_at)) FROM medic.notification_deliveries"
    assert rows(database, f"{wait} WHERE status = 'retrying'") == [(17,)]


def test_a_queue_that_is_away_stops_no_other_delivery(
    told: Receivers, functions: Functions, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    told.webhook.answers = [Answer(500)]
    falls_silent(database)
    ((event_id,),) = rows(database, "SELECT subject_id FROM medic.outbox")
    record = {"messageId": "m", "receiptHandle": "r", "body": f'{{"notification": {event_id}}}', "attributes": {}}
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert functions.module("notifications").handler({"Records": [record]}, None) == {"batchItemFailures": []}
    expected = {"default:slack": "success", "default:pagerduty": "success", "default:webhook": "retrying"}
    assert statuses(database) == expected


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_not_repeated(told: Receivers, functions: Functions, database: Database, status: int) -> None:
    told.pagerduty.answers = [Answer(status)]
    falls_silent(database)
    relayed(functions)
    assert statuses(database)["default:pagerduty"] == "failed"
    assert len(told.pagerduty.received) == 1


def test_slacks_no_with_a_200_is_a_no(told: Receivers, functions: Functions, database: Database) -> None:
    told.slack.answers = [Answer(200, {"ok": False, "error": "channel_not_found"})]
    falls_silent(database)
    relayed(functions)
    error = "SELECT status, error FROM medic.notification_deliveries WHERE target_key = 'default:slack'"
    assert rows(database, error) == [("failed", "Slack said channel_not_found")]


def test_a_slow_target_delays_no_other(told: Receivers, functions: Functions, database: Database) -> None:
    def have_heard() -> bool:
        return all(receiver.received for receiver in (told.pagerduty, told.webhook))

    told.slack.answers = [Answer(once=have_heard, body={"ok": True, "ts": "1"})]
    falls_silent(database)
    relayed(functions)
    assert set(statuses(database).values()) == {"success"}


def test_nobody_hears_of_an_end_before_its_beginning(told: Receivers, functions: Functions, database: Database) -> None:
    told.webhook.answers = [Answer(503)]
    falls_silent(database)
    relayed(functions)
    hears(database)
    relayed(functions)
    assert [received.content["type"] for received in told.webhook.received] == ["alert.opened"]
    time_passes(database, 2 * SECOND)
    functions.notifications.drain()
    router = functions.module("notifications")
    ((waiting,),) = rows(
        database, "SELECT delivery_id FROM medic.notification_deliveries WHERE status = 'retrying' AND due_at <= now()"
    )
    deliver.make_deliveries(router.DATABASE, [waiting], functions.module("notifications").quick())
    types = [received.content["type"] for received in told.webhook.received]
    assert types == ["alert.opened", "alert.opened", "alert.resolved"]


def test_nor_where_the_queue_turns_them_round(told: Receivers, functions: Functions, database: Database) -> None:
    falls_silent(database)
    hears(database)
    first, second = (event for (event,) in rows(database, "SELECT subject_id FROM medic.outbox ORDER BY 1"))
    router = functions.module("notifications")
    for event_id in (second, first, second):
        record = {"messageId": "m", "receiptHandle": "r", "body": f'{{"notification": {event_id}}}'}
        assert router.handler({"Records": [record]}, None) == {"batchItemFailures": []}
    for receiver in (told.pagerduty, told.webhook):
        said = [one.content.get("event_action") or one.content["type"] for one in receiver.received]
        assert said in (["trigger", "resolve"], ["alert.opened", "alert.resolved"])
    assert set(statuses(database).values()) == {"success"}


def test_a_router_that_died_with_a_delivery_in_hand_leaves_it_to_the_next(
    told: Receivers, functions: Functions, database: Database
) -> None:
    falls_silent(database)
    router = functions.module("notifications")
    ((event_id,),) = rows(database, "SELECT subject_id FROM medic.outbox")
    ids = plan_notification(database, event_id, router.SETTINGS.defaults, 5).now
    with database.transaction() as tx:
        assert all(deliveries.claim(tx, delivery_id, deliver.LEASE) for delivery_id in ids)
    assert relay_forgotten(database, router.QUEUE) == 0
    time_passes(database, deliver.LEASE + timedelta(seconds=21))
    assert relay_forgotten(database, router.QUEUE) == 3
    assert relay_forgotten(database, router.QUEUE) == 0
    while functions.route_notifications():
        pass
    assert [len(receiver.received) for receiver in told.all] == [1, 1, 1]
    assert set(statuses(database).values()) == {"success"}


def test_a_queue_that_loses_a_message_loses_no_notification(
    told: Receivers, functions: Functions, database: Database
) -> None:
    falls_silent(database)
    tick = functions.module("tick")
    assert tick.relay(tick.DATABASE, tick.NOTIFICATIONS) == 1
    functions.notifications.drain()
    assert tick.relay(tick.DATABASE, tick.NOTIFICATIONS) == 0
    time_passes(database, 31 * SECOND)
    relayed(functions)
    assert [len(receiver.received) for receiver in told.all] == [1, 1, 1]


def test_nothing_configured_shows(functions: Functions, database: Database) -> None:
    falls_silent(database)
    relayed(functions)
    found = rows(database, "SELECT target_key, status, error FROM medic.notification_deliveries")
    assert found == [("nobody", "failed", "nobody can be told: no default channel is configured")]


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"notification": "x"}', '{"delivery": true}', '{"other": 1}'])
def test_a_poison_message_fails_alone(told: Receivers, functions: Functions, database: Database, body: str) -> None:
    falls_silent(database)
    ((event_id,),) = rows(database, "SELECT subject_id FROM medic.outbox")
    good = {"messageId": "good", "receiptHandle": "r", "body": f'{{"notification": {event_id}}}', "attributes": {}}
    answer = functions.module("notifications").handler(
        {"Records": [{**good, "messageId": "bad", "body": body}, good]}, None
    )
    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert [len(receiver.received) for receiver in told.all] == [1, 1, 1]


def test_a_name_cannot_mention_anyone_on_slack(told: Receivers, functions: Functions, database: Database) -> None:
    a_service(database, "<!channel> & <http://evil|x>")
    hears(database, "<!channel> & <http://evil|x>", SignalKind.DOWN)
    relayed(functions)
    assert "<!channel>" not in str(told.slack.received[0].content)


def test_a_webhook_to_the_inside_is_refused(
    told: Receivers, functions: Functions, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDIC_ALLOWED_WEBHOOK_HOSTS", "")
    falls_silent(database)
    relayed(functions)
    error = "SELECT status, error FROM medic.notification_deliveries WHERE target_key = 'default:webhook'"
    assert rows(database, error) == [("failed", "Invalid webhook URL")]
    assert told.webhook.received == []
