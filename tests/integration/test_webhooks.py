"""Signatures, the log, secrets, and targets that are tried."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from medic_core.domain.routing.targets import Channel
from medic_core.domain.watching.signals import SignalKind
from medic_core.flows import try_target
from medic_core.store.connection import Database
from tests.builders import a_service, hears, rows, time_passes
from tests.fixtures.functions import Functions
from tests.fixtures.receivers import Receivers
from tests.fixtures.routing import (
    HOUR,
    MINUTE,
    a_webhook_target,
    deliveries,
    falls_silent,
    gives_up,
    relayed,
)
from tests.stand_ins.receivers import Answer, Receiver


class TestWebhooks:
    def test_the_specifications_library_verifies_what_comes(
        self, told: Receivers, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        body = {"url": f"{others[0].url}/hook", "headers": {"X-Team": "infra"}}
        first = functions.api("POST", "/v2/webhooks", body).json["results"]["secret"]
        second = functions.api("POST", "/v2/webhooks/1/rotate-secret").json["results"]["secret"]
        target = a_webhook_target_of_a_service(functions, database, others[1])
        hears(database, kind=SignalKind.DOWN)
        relayed(functions)
        (received,) = others[0].received
        for secret in (first, second):
            assert Webhook(secret).verify(received.body, received.headers) == received.content
        assert received.headers["x-team"] == "infra"
        (received,) = others[1].received
        assert Webhook(target["secret"]).verify(received.body, received.headers)
        time_passes(database, timedelta(days=2))
        functions.api("POST", "/v2/deliveries/1/redeliver")
        relayed(functions)

    def test_the_default_webhook_is_signed_where_there_is_a_secret(
        self, told: Receivers, functions: Functions, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        secret = "whsec_" + "QUJD" * 8
        monkeypatch.setenv("MEDIC_WEBHOOK_SECRET", secret)
        falls_silent(functions, database)
        (received,) = told.webhook.received
        assert Webhook(secret).verify(received.body, received.headers)

    def test_with_what_is_no_secret_it_is_not_sent_and_the_others_are_told(
        self, told: Receivers, functions: Functions, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MEDIC_WEBHOOK_SECRET", "any text at all")
        falls_silent(functions, database)
        assert (len(told.webhook.received), len(told.pagerduty.received)) == (0, 1)
        failed = functions.api("GET", "/v2/deliveries?status=failed").json["results"]["items"]
        assert [(one["target_key"], one["error"][:15]) for one in failed] == [("default:webhook", "not signed, not")]

    def test_the_log_says_what_came_of_it_and_sends_it_again_under_the_same_id(
        self, told: Receivers, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        a_service(database)
        functions.api("POST", "/v2/webhooks", {"url": f"{others[0].url}/hook", "service_id": 1})
        others[0].answers = [Answer(422, {"error": "what?"})]
        hears(database, kind=SignalKind.DOWN)
        relayed(functions)
        (logged,) = functions.api("GET", "/v2/webhooks/1/deliveries").json["results"]["items"]
        assert (logged["status"], logged["response_code"], logged["attempts"]) == ("failed", 422, 1)
        assert (logged["response_body"], logged["event"]) == ('{"error": "what?"}', "opened")
        path = f"/v2/webhooks/1/deliveries/{logged['delivery_id']}/redeliver"
        assert functions.api("POST", path).json["results"]["status"] == "pending"
        assert functions.api("POST", path).status == 409
        relayed(functions)
        ids = {one.headers["webhook-id"] for one in others[0].received}
        assert (len(others[0].received), len(ids)) == (2, 1)
        (logged,) = functions.api("GET", "/v2/webhooks/1/deliveries?status=success").json["results"]["items"]
        assert logged["error"] is None
        assert functions.api("POST", "/v2/webhooks/1/deliveries/999/redeliver").status == 404
        assert functions.api("GET", "/v2/webhooks/9/deliveries").status == 404
        everything = functions.api("GET", "/v2/deliveries?alert_id=1").json["results"]["items"]
        assert len(everything) == 4
        assert functions.api("POST", "/v2/deliveries/999/redeliver").status == 404

    def test_one_that_is_gone_is_disabled_at_once_and_that_is_told(
        self, told: Receivers, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        a_service(database)
        functions.api("POST", "/v2/webhooks", {"url": f"{others[0].url}/hook"})
        others[0].answers = [Answer(410)]
        hears(database, kind=SignalKind.DOWN)
        relayed(functions)
        relayed(functions)
        webhook = functions.api("GET", "/v2/webhooks/1").json["results"]
        assert (webhook["enabled"], webhook["disabled_because"]) == (False, "its receiver says that it is gone")
        assert "Webhook 1 was disabled" in [one.content["text"] for one in told.slack.received]
        hears(database)
        relayed(functions)
        assert len(others[0].received) == 1
        enabled = functions.api("PATCH", "/v2/webhooks/1", {"enabled": True}).json["results"]
        assert (enabled["enabled"], enabled["disabled_because"]) == (True, None)

    def test_one_that_fails_for_days_is_disabled_and_one_that_fails_for_an_hour_is_told_of(
        self, told: Receivers, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        a_service(database)
        functions.api("POST", "/v2/webhooks", {"url": f"{others[0].url}/hook"})
        others[0].answers = [Answer(404)] * 5
        for by in (timedelta(0), 30 * MINUTE, 2 * HOUR, 2 * HOUR, timedelta(days=5)):
            time_passes(database, by)
            hears(database, kind=SignalKind.DOWN)
            ((alert_id,),) = rows(database, "SELECT alert_id FROM medic.alerts WHERE resolved_at IS NULL")
            functions.api("POST", f"/v2/alerts/{alert_id}/resolve")
            relayed(functions)
            relayed(functions)
        kinds = [kind for (kind,) in rows(database, "SELECT kind FROM medic.notices ORDER BY notice_id")]
        assert kinds == ["target_failing", "webhook_disabled"]
        assert functions.api("GET", "/v2/webhooks/1").json["results"]["enabled"] is False


def a_webhook_target_of_a_service(functions: Functions, database: Database, receiver: Receiver) -> dict[str, Any]:
    a_service(database)
    return a_webhook_target(functions, receiver)


@contextmanager
def routing(functions: Functions) -> Iterator[None]:
    """The router works in the background, as it does."""
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            functions.route_notifications()

    functions.module("notifications")
    worker = threading.Thread(target=work)
    worker.start()
    with pytest.MonkeyPatch.context() as patient:
        # The answer may come late where the machine is busy.
        patient.setattr(try_target, "LONGEST", MINUTE)
        yield
    done.set()
    worker.join()


class TestSecrets:
    def test_of_urls_and_headers_are_in_no_log_whatever_becomes_of_them(
        self,
        told: Receivers,
        others: list[Receiver],
        functions: Functions,
        database: Database,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "DEBUG")
        caplog.set_level("INFO")
        a_service(database)
        headers = {"Authorization": "Bearer S3cret"}
        host = others[0].url
        for url in (
            f"{host}/S3cretS3cretS3cret?token=S3cret",
            "http://127.0.0.9:8080/?S3cret",
            f"{others[1].url}/S3cretS3cretS3cret",
        ):
            body = {"service_id": 1, "type": "webhook", "config": {"url": url, "headers": headers}}
            functions.api("POST", "/v2/targets", body)
        wanted = {"service_id": 1, "type": "apprise", "config": {"url": "jsons://u:S3cret@127.0.0.1:1/S3cret"}}
        assert functions.api("POST", "/v2/targets", wanted).status == 201
        with database.transaction() as tx:
            config = '{"url": "http://127.0.0.9:8080/?S3cret", "headers": {}}'
            tx.execute(
                "INSERT INTO medic.notification_targets (service_id, type, config, secret)"
                f" VALUES (1, 'webhook', '{config}', 'whsec_S3cret')"
            )
        gives_up(functions, Channel.WEBHOOK)
        others[1].answers = [Answer(500), Answer(after_seconds=30)]
        hears(database, kind=SignalKind.DOWN)
        relayed(functions)
        assert {status for _, status in deliveries(database)} == {"success", "failed", "retrying"}
        written = capfd.readouterr()
        logged = written.out + written.err + caplog.text
        answers = functions.api("GET", "/v2/deliveries").body + functions.api("GET", "/v2/targets").body
        assert "S3cret" not in logged + answers


class TestTrying:
    def test_a_test_really_goes_there_and_says_what_happened(
        self, told: Receivers, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        a_service(database)
        a_webhook_target(functions, others[0])
        a_webhook_target(functions, others[1])
        pagerduty = {"service_id": 1, "type": "pagerduty", "config": {"service_key": "R" * 32}}
        functions.api("POST", "/v2/targets", pagerduty)
        functions.api("POST", "/v2/targets", {"service_id": 1, "type": "slack", "config": {"channel_id": "C9"}})
        functions.api("POST", "/v2/webhooks", {"url": f"{others[2].url}/hook"})
        others[1].answers = [Answer(403, {"error": "no"})]
        with routing(functions):
            arrived = functions.api("POST", "/v2/targets/1/test", x_actor="ann")
            refused = functions.api("POST", "/v2/targets/2/test")
            assert functions.api("POST", "/v2/targets/3/test").json["results"]["status"] == "success"
            assert functions.api("POST", "/v2/targets/4/test").json["results"]["status"] == "success"
            assert functions.api("POST", "/v2/webhooks/1/test").json["results"]["status"] == "success"
        assert (arrived.status, arrived.json["message"]) == (200, "The test arrived.")
        assert "Asked for by ann" in others[0].received[0].content["data"]["because"]
        assert (refused.json["results"]["status"], refused.json["results"]["response_code"]) == ("failed", 403)
        assert refused.json["message"] == "The test did not arrive: answered 403."
        assert told.slack.received[-1].content["channel"] == "C9"
        assert told.pagerduty.received[-1].content["payload"]["severity"] == "info"
        functions.api("PATCH", "/v2/targets/1", {"enabled": False})
        assert functions.api("POST", "/v2/targets/1/test").status == 409
        assert functions.api("POST", "/v2/targets/9/test").status == 404

    def test_apprise_reaches_whatever_it_knows_but_nothing_inside(
        self, told: Receivers, others: list[Receiver], functions: Functions, database: Database
    ) -> None:
        a_service(database)
        host = others[0].url.removeprefix("http://")
        others[0].check = lambda _: ""
        for url in (
            f"json://{host}/x",
            "json://127.0.0.1:1/x",
            "json://localhost:1/",
            "nonsense://x",
            "json://0x7f.1:1/",
        ):
            body = {"service_id": 1, "type": "apprise", "config": {"url": url}}
            assert functions.api("POST", "/v2/targets", body).status == 201
        with routing(functions):
            found = [functions.api("POST", f"/v2/targets/{n}/test").json["results"] for n in range(1, 5)]
        assert [one["status"] for one in found] == ["success", "retrying", "retrying", "failed"]
        assert others[1].received == []
        assert others[0].received[0].content["title"] == "Medic: This is a test"
        assert all(host not in json.dumps(one) for one in found)
