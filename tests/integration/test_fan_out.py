"""One notification to forty targets, some of them broken in every way: nobody keeps anybody waiting."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from medic_core.domain.routing.targets import Channel
from medic_core.domain.watching.signals import SignalKind
from medic_core.store.connection import Database
from tests.builders import a_service, hears, rows
from tests.fixtures.functions import Functions
from tests.fixtures.receivers import Receivers
from tests.fixtures.routing import gives_up
from tests.stand_ins import receivers
from tests.stand_ins.receivers import Answer, Receiver

TARGETS = 40
HANGING, THROTTLED, REDIRECTING = 0, 2, 3
#: So long that none of the others comes that late, however busy the machine is.
GIVEN_UP_AFTER_SECONDS = 10
REFUSING = "http://127.0.0.1:1/hook"


@pytest.fixture
def forty(monkeypatch: pytest.MonkeyPatch, standing_in: Receivers, environment: Any) -> Iterator[list[Receiver]]:
    found = [receivers.webhook() for _ in range(TARGETS - 1)]
    hosts = [receiver.url.removeprefix("http://") for receiver in found]
    monkeypatch.setenv("MEDIC_ALLOWED_WEBHOOK_HOSTS", ",".join([*hosts, "127.0.0.1:1"]))
    found[HANGING].answers = [Answer(after_seconds=30)]
    found[THROTTLED].answers = [Answer(429, {}, {"Retry-After": "60"})]
    found[REDIRECTING].answers = [Answer(302, {}, {"Location": "http://169.254.169.254/latest/meta-data/"})]
    yield found
    for receiver in found:
        receiver.close()
        assert receiver.wrong == []


def test_a_hanging_a_refusing_a_throttling_and_a_redirecting_target_keep_none_of_the_others_waiting(
    forty: list[Receiver], functions: Functions, database: Database
) -> None:
    a_service(database)
    for url in [*(f"{receiver.url}/hook" for receiver in forty), REFUSING]:
        body = {"service_id": 1, "type": "webhook", "config": {"url": url}}
        assert functions.api("POST", "/v2/targets", body).status == 201
    hears(database, kind=SignalKind.DOWN)
    gives_up(functions, Channel.WEBHOOK, GIVEN_UP_AFTER_SECONDS)
    tick = functions.module("tick")
    tick.relay(tick.DATABASE, tick.NOTIFICATIONS)
    began = time.monotonic()
    assert functions._route(functions.notifications) == 1
    took = time.monotonic() - began
    well = [receiver for number, receiver in enumerate(forty) if number not in {HANGING, THROTTLED, REDIRECTING}]
    arrived = sorted(receiver.received[0].at for receiver in well)
    print(f"\n{len(well)} targets within {arrived[-1] - arrived[0]:.3f} s of the first; the batch took {took:.1f} s")
    assert len(well) == 36
    # All of them while the first was waited for.
    assert arrived[-1] < forty[HANGING].received[0].at + GIVEN_UP_AFTER_SECONDS
    assert [len(receiver.received) for receiver in well] == [1] * 36
    ids = {receiver.received[0].headers["webhook-id"] for receiver in forty}
    assert len(ids) == 1
    logged = functions.api("GET", "/v2/deliveries?alert_id=1&limit=100").json["results"]["items"]
    assert len(logged) == TARGETS
    assert Counter(one["status"] for one in logged) == {"success": 36, "retrying": 4}
    of = {one["target_key"]: one for one in logged}
    assert of["target:1"]["error"] == "there was no answer in time"
    assert of["target:3"]["response_code"] == 429
    assert (of["target:4"]["response_code"], of["target:4"]["error"]) == (302, "answered 302")
    assert of["target:40"]["error"] == "the connection failed (NewConnectionError)"
    assert all(one["attempts"] == 1 and one["last_attempt_at"] for one in logged)
    assert rows(database, "SELECT count(*) FROM medic.outbox WHERE done_at IS NULL") == [(0,)]
    assert "169.254" not in json.dumps(logged)
