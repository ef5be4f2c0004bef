"""Traces: what a client sent goes on to what its request calls, and all about one alert is one."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from medic_core.flows import edit_triggers
from medic_core.flows.consider import Rules, consider_alerts
from medic_core.store.connection import Database
from tests.builders import a_service, hears, rows
from tests.fixtures.functions import Functions
from tests.fixtures.receivers import Receivers
from tests.fixtures.repairing import Hand, a_playbook, started
from tests.fixtures.routing import falls_silent, relayed
from tests.stand_ins.receivers import Answer, Received, Receiver

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
WELL_FORMED = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
SECRET = "x" * 43


def trace_of(received: Received) -> tuple[str, str, str]:
    """Trace, span and flags that a receiver got."""
    header = {name.lower(): value for name, value in received.headers.items()}["traceparent"]
    assert WELL_FORMED.fullmatch(header)
    _, trace_id, span_id, flags = header.split("-")
    return trace_id, span_id, flags


@pytest.fixture
def deployer() -> Iterator[Receiver]:
    """What playbooks call."""
    found = Receiver(check=lambda _: "", usual=lambda _: Answer())
    yield found
    found.close()


def a_call(database: Database, deployer: Receiver) -> int:
    return a_playbook(database, {"type": "webhook", "url": f"{deployer.url}/step"})


def called(database: Database, deployer: Receiver, execution_id: int) -> tuple[str, str, str]:
    """Take an execution to its call; the trace that this was a part of."""
    hand = Hand(database, execution_id, (deployer.url.removeprefix("http://"),))
    assert hand.turn()["kind"] == "webhook"
    assert hand.send()
    return trace_of(deployer.received[-1])


@pytest.mark.parametrize("flags", ["00", "01"])
def test_who_starts_a_playbook_sees_its_calls_in_the_same_trace(
    deployer: Receiver, functions: Functions, database: Database, flags: str
) -> None:
    playbook_id = a_call(database, deployer)
    sent = f"00-{TRACE}-{SPAN}-{flags}"
    reply = functions.api("POST", f"/v2/playbooks/{playbook_id}/execute", {}, traceparent=sent)
    trace_id, span_id, its_flags = called(database, deployer, reply.json["results"]["execution_id"])
    assert (trace_id, its_flags) == (TRACE, flags)
    assert span_id != SPAN


def test_so_does_a_program(
    deployer: Receiver, functions: Functions, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDIC_TRIGGER_SECRET", SECRET)
    playbook_id = a_call(database, deployer)
    asked = {"x_webhook_secret": SECRET, "traceparent": f"00-{TRACE}-{SPAN}-01"}
    target = f"/v2/webhooks/playbooks/{playbook_id}/trigger"
    reply = functions.api("POST", target, {}, key=None, **asked)
    assert reply.status == 201, reply.body
    trace_id, _, _ = called(database, deployer, reply.json["results"]["execution_id"])
    assert trace_id == TRACE


@pytest.mark.parametrize(
    "sent",
    [
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01",
        "'; DROP TABLE x --",
        "y" * 9000,
    ],
)
def test_what_is_no_trace_is_kept_nowhere_and_hinders_nothing(
    deployer: Receiver, functions: Functions, database: Database, sent: str
) -> None:
    playbook_id = a_call(database, deployer)
    reply = functions.api("POST", f"/v2/playbooks/{playbook_id}/execute", {}, traceparent=sent)
    assert reply.status == 201
    assert rows(database, "SELECT traceparent FROM medic.playbook_executions") == [(None,)]
    trace_id, _, _ = called(database, deployer, 1)
    assert trace_id not in {TRACE, "0" * 32}


def test_an_alert_its_webhooks_and_its_repair_are_one_trace(
    told: Receivers, deployer: Receiver, functions: Functions, database: Database
) -> None:
    with database.transaction() as tx:
        remedy = {"service_pattern": "*", "consecutive_failures": 1}
        edit_triggers.create(tx, a_call(database, deployer), remedy, "a person")
    falls_silent(functions, database)
    consider_alerts(database, Rules(5))
    of_repair, _, _ = called(database, deployer, 1)
    hears(database)
    relayed(functions)
    about_alert = [one for one in told.webhook.received if one.path == "/hook" and "alert." in one.content["type"]]
    assert [one.content["type"] for one in about_alert] == ["alert.opened", "alert.resolved"]
    spans = {trace_of(one)[1] for one in about_alert}
    assert {trace_of(one)[0] for one in about_alert} == {of_repair}
    assert len(spans) == 2


def test_without_anything_known_an_execution_is_a_trace_of_its_own(deployer: Receiver, database: Database) -> None:
    a_service(database)
    first, second = (started(database, a_call(database, deployer)) for _ in range(2))
    assert called(database, deployer, first)[0] != called(database, deployer, second)[0]
