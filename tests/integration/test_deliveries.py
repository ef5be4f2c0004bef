"""Who hears of what follows, chains, groups, and targets that are ill."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from medic_core.domain.routing.targets import Channel
from medic_core.domain.watching.signals import SignalKind
from medic_core.flows.sweep import sweep
from medic_core.store.connection import Database
from tests.builders import a_service, hears, rows, time_passes
from tests.fixtures.functions import Functions
from tests.fixtures.receivers import Receivers
from tests.fixtures.routing import (
    MINUTE,
    SECOND,
    a_webhook_target,
    deliveries,
    falls_silent,
    gives_up,
    later,
    relayed,
)
from tests.stand_ins.receivers import Answer, Received, Receiver


class TestWhoHearsOfWhatFollows:
    def test_only_who_was_told_of_the_beginning(
        self, told: Receivers, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        a_service(database)
        hears(database)
        a_webhook_target(functions, others[0])
        time_passes(database, 61 * SECOND)
        sweep(database, 0, timedelta(seconds=15))
        relayed(functions)
        a_webhook_target(functions, others[1], priority=0)
        hears(database)
        relayed(functions)
        assert [one.content["type"] for one in others[0].received] == ["alert.opened", "alert.resolved"]
        assert others[1].received == told.slack.received == []

    def test_not_who_could_not_be_reached(
        self, told: Receivers, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        a_service(database)
        hears(database)
        for receiver in others[:2]:
            a_webhook_target(functions, receiver)
        others[0].answers = [Answer(404)]
        time_passes(database, 61 * SECOND)
        sweep(database, 0, timedelta(seconds=15))
        relayed(functions)
        hears(database)
        relayed(functions)
        assert [one.content["type"] for one in others[0].received] == ["alert.opened"]
        assert [one.content["type"] for one in others[1].received] == ["alert.opened", "alert.resolved"]

    def test_in_another_period_too(
        self, told: Receivers, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        a_service(database)
        hears(database)
        a_webhook_target(functions, others[0], period="during_hours")
        time_passes(database, 61 * SECOND)
        sweep(database, 0, timedelta(seconds=15))
        relayed(functions)
        functions.api("POST", "/v2/schedules", {"name": "never", "hours": {}})
        functions.api("PATCH", "/v2/services/1", {"working_hours_id": 1})
        hears(database)
        relayed(functions)
        assert [one.content["type"] for one in others[0].received] == ["alert.opened", "alert.resolved"]


class TestUntilOneSucceeds:
    @pytest.fixture
    def chain(self, told: Receivers, others: list[Receiver], functions: Functions, database: Database) -> None:
        a_service(database)
        hears(database)
        functions.api("PATCH", "/v2/services/1", {"notification_mode": "notify_until_success"})
        for place, receiver in enumerate(others):
            a_webhook_target(functions, receiver, priority=place)
        time_passes(database, 61 * SECOND)
        sweep(database, 0, timedelta(seconds=15))

    @pytest.mark.usefixtures("chain")
    def test_the_first_that_takes_it_is_the_last_that_is_told(
        self, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        relayed(functions)
        assert [len(receiver.received) for receiver in others] == [1, 0, 0]
        assert [status for _, status in deliveries(database)] == ["success", "skipped", "skipped"]

    @pytest.mark.usefixtures("chain")
    def test_one_that_refuses_makes_way_and_the_end_goes_to_who_took_it(
        self, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        others[0].answers = [Answer(404)]
        relayed(functions)
        assert [len(receiver.received) for receiver in others] == [1, 1, 0]
        hears(database)
        relayed(functions)
        assert [len(receiver.received) for receiver in others] == [1, 2, 0]
        assert others[1].received[-1].content["type"] == "alert.resolved"

    @pytest.mark.usefixtures("chain")
    def test_one_that_is_broken_makes_way_after_its_tries(
        self, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        others[0].answers = [Answer(500)] * 4
        relayed(functions)
        for wait in (25, 30, 60):
            later(functions, database, timedelta(seconds=wait))
        assert [len(receiver.received) for receiver in others] == [4, 1, 0]

    @pytest.mark.usefixtures("chain")
    def test_all_that_fail_are_all_tried(
        self, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        for receiver in others:
            receiver.answers = [Answer(403)]
        relayed(functions)
        assert [status for _, status in deliveries(database)] == ["failed"] * 3

    @pytest.mark.usefixtures("chain")
    def test_one_that_wants_to_be_left_alone_for_long_makes_way_at_once(
        self, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        with database.transaction() as tx:
            tx.execute(
                "INSERT INTO medic.target_health (target_key, throttled_until)"
                " VALUES ('target:1', now() + interval '1 hour')"
            )
        others[1].answers = [Answer(429, {}, {"Retry-After": "600"})]
        relayed(functions)
        assert [len(receiver.received) for receiver in others] == [0, 1, 1]
        assert [status for _, status in deliveries(database)] == ["failed", "failed", "success"]

    @pytest.mark.usefixtures("chain")
    def test_one_that_was_deleted_meanwhile_makes_way_too(
        self, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        router = functions.module("notifications")
        ((event_id,),) = rows(database, "SELECT max(alert_event_id) FROM medic.alert_events")
        router.plan_notification(database, event_id, router.SETTINGS.defaults, 5)
        functions.api("DELETE", "/v2/targets/1")
        functions.api("PATCH", "/v2/targets/2", {"enabled": False})
        later(functions, database, MINUTE)
        assert [len(receiver.received) for receiver in others] == [0, 0, 1]
        assert [status for _, status in deliveries(database)] == ["failed", "failed", "success"]


class TestGroups:
    AT_ONCE = 10

    def names(self, count: int) -> tuple[str, ...]:
        return tuple(f"s{number:02}" for number in range(count))

    def test_many_at_once_are_one_message_on_slack_and_one_each_elsewhere(
        self, told: Receivers, functions: Functions, database: Database
    ) -> None:
        # As many as come with one message from the queue: all are planned before any is sent.
        falls_silent(functions, database, *self.names(self.AT_ONCE))
        time.sleep(1.1)
        later(functions, database, MINUTE)
        (grouped,) = told.slack.received
        assert grouped.content["text"] == f"{self.AT_ONCE} services need attention"
        lines = "\n".join(block["text"]["text"] for block in grouped.content["blocks"])
        assert all(f"{name} has missed its heartbeat" in lines for name in self.names(self.AT_ONCE))
        assert [len(one.received) for one in (told.pagerduty, told.webhook)] == [self.AT_ONCE] * 2
        assert set(deliveries(database)) == {
            ("default:slack", "success"), ("default:pagerduty", "success"), ("default:webhook", "success")
        }  # fmt: skip
        hears(database, "s03")
        relayed(functions)
        reply = told.slack.received[-1].content
        assert (reply["thread_ts"], reply["text"].startswith("s03 has recovered")) == ("1790000000.000000", True)

    def test_a_few_are_told_one_by_one(self, told: Receivers, functions: Functions, database: Database) -> None:
        falls_silent(functions, database, *self.names(4))
        assert len(told.slack.received) == 4

    def test_a_few_of_many_for_a_target_of_their_own_are_told_one_by_one(
        self, told: Receivers, functions: Functions, database: Database
    ) -> None:
        for number, name in enumerate(self.names(8), 1):
            a_service(database, name)
            hears(database, name)
            if number <= 2:
                slack = {"type": "slack", "config": {"channel_id": "C-own"}, "service_id": number}
                functions.api("POST", "/v2/targets", slack)
        time_passes(database, 61 * SECOND)
        sweep(database, 0, timedelta(seconds=15))
        relayed(functions)
        later(functions, database, MINUTE)
        texts = sorted((one.content["channel"], one.content["text"]) for one in told.slack.received)
        assert ("C-own", "s00 has missed its heartbeat") in texts
        assert [channel for channel, _ in texts].count("C-own") == 2
        assert ("C0123456789", "6 services need attention") in texts

    def test_hundreds_fit_into_a_message(self, told: Receivers, functions: Functions, database: Database) -> None:
        falls_silent(functions, database, *(f"service-{number:04}-{'x' * 100}" for number in range(120)))
        later(functions, database, 2 * MINUTE)
        grouped = [one for one in told.slack.received if one.content["text"].endswith("need attention")]
        alone = len(told.slack.received) - len(grouped)
        assert sum(int(one.content["text"].split()[0]) for one in grouped) + alone == 120
        assert (len(grouped) <= 3, alone < 5) == (True, True)

    def test_a_group_that_is_refused_is_tried_again_and_nobody_is_lost(
        self, told: Receivers, functions: Functions, database: Database
    ) -> None:
        told.slack.answers = [Answer(500, {"ok": False, "error": "fatal_error"})]
        falls_silent(functions, database, *self.names(6))
        later(functions, database, 2 * MINUTE)
        later(functions, database, 2 * MINUTE)
        slack = [status for key, status in deliveries(database) if key == "default:slack"]
        assert slack == ["success"] * 6


class TestTargetsThatAreIll:
    def test_one_that_hangs_goes_to_the_slow_lane_and_is_waited_for_there(
        self, told: Receivers, functions: Functions, database: Database
    ) -> None:
        gives_up(functions, Channel.SLACK)
        told.slack.answers = [Answer(after_seconds=7, body={"ok": True, "ts": "1"})] * 2
        a_service(database)
        hears(database, kind=SignalKind.DOWN)
        tick = functions.module("tick")
        tick.relay(tick.DATABASE, tick.NOTIFICATIONS)
        assert functions._route(functions.notifications) == 1
        assert dict(deliveries(database))["default:slack"] == "retrying"
        assert rows(database, "SELECT slow_until > now() FROM medic.target_health") == [(True,)]
        time.sleep(1.1)
        assert functions._route(functions.slow) == 1
        assert dict(deliveries(database))["default:slack"] == "success"
        a_service(database, "other")
        hears(database, "other", SignalKind.DOWN)
        tick.relay(tick.DATABASE, tick.NOTIFICATIONS)
        began = len(told.slack.received)
        functions._route(functions.notifications)
        assert len(told.slack.received) == began, "it is not even tried beside the others"
        assert functions._route(functions.slow) == 1
        assert {status for _, status in deliveries(database)} == {"success"}

    def test_one_that_hangs_keeps_no_incident_waiting(
        self, told: Receivers, functions: Functions, database: Database
    ) -> None:
        """Slack hangs, and PagerDuty hears of all at once; what Slack was to hear waits in a lane of its own."""
        gives_up(functions, Channel.SLACK)
        told.slack.answers = [Answer(after_seconds=30)] * 500
        for number in range(60):
            a_service(database, f"s{number}")
            hears(database, f"s{number}", SignalKind.DOWN)
        tick = functions.module("tick")
        tick.relay(tick.DATABASE, tick.NOTIFICATIONS)
        while functions._route(functions.notifications):
            pass
        found = rows(database, "SELECT target_key, status, count(*) FROM medic.notification_deliveries GROUP BY 1, 2")
        waiting = {status: count for key, status, count in found if key == "default:slack"}
        assert sum(waiting.values()) == 60
        assert "success" not in waiting
        assert len(told.slack.received) <= 10, "the first batch found out; the others did not even try"
        arrived = sorted(one.at for one in told.pagerduty.received)
        print(f"\n60 incidents within {arrived[-1] - arrived[0]:.2f} s while Slack hangs")
        assert (len(arrived), len({one.content["dedup_key"] for one in told.pagerduty.received})) == (60, 60)

    def test_one_that_asks_to_be_left_alone_is_and_loses_nothing(
        self, told: Receivers, functions: Functions, database: Database
    ) -> None:
        told.webhook.answers = [Answer(429, {}, {"Retry-After": "40"})] * 3
        for name in ("a", "b", "c", "d"):
            a_service(database, name)
        for name in ("a", "b", "c", "d"):
            hears(database, name, SignalKind.DOWN)
            relayed(functions)
        assert len(told.webhook.received) == 1, "the others wait without asking"
        for _ in range(6):
            later(functions, database, 61 * SECOND)
        assert {status for _, status in deliveries(database)} == {"success"}
        taken = {one.headers["webhook-id"] for one in told.webhook.received}
        assert len(taken) == 4


class TestAFlood:
    A_MINUTE = 25

    def test_it_is_grouped_or_paced_and_nobody_is_lost(
        self, told: Receivers, functions: Functions, database: Database
    ) -> None:
        """A hundred fall silent in one sweep, and PagerDuty takes twenty-five events a minute."""
        names = [f"s{number:03}" for number in range(100)]
        asked: list[list[str]] = [[]]

        def limited(received: Received) -> Answer:
            asked[-1].append(received.content["dedup_key"])
            is_too_many = len(asked[-1]) > self.A_MINUTE
            return Answer(429, {}, {"Retry-After": "60"}) if is_too_many else Answer(202, {"status": "success"})

        told.pagerduty.usual = limited
        falls_silent(functions, database, *names)
        unfinished = "SELECT count(*) FROM medic.notification_deliveries WHERE due_at IS NOT NULL"
        while rows(database, unfinished) != [(0,)]:
            asked.append([])
            later(functions, database, 61 * SECOND)
            assert len(asked) < 20
        taken = [key for minute in asked for key in minute[: self.A_MINUTE]]
        hooks = [one.headers["webhook-id"] for one in told.webhook.received]
        said = str([one.content for one in told.slack.received])
        minutes = [len(minute) for minute in asked if minute]
        print(
            f"\n100 at once: {len(told.slack.received)} Slack messages, {len(hooks)} webhooks, PagerDuty asked"
            f" {sum(minutes)} times over {len(minutes)} minutes for {len(taken)} incidents"
        )
        assert sorted(taken) == [f"medic-{name}" for name in names]
        assert (len(hooks), len(set(hooks))) == (100, 100)
        assert [name for name in names if name not in said] == []
        assert {status for _, status in deliveries(database)} == {"success"}
        assert len(told.slack.received) <= len(asked) + 1
        # Whoever is told to wait does, with all that is for the same receiver, but for what is on its way already.
        assert max(minutes) <= self.A_MINUTE + 10
