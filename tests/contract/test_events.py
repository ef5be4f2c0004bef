"""The recorded events for `sam local` are ones that the handlers take."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from medic_core.adapters.sealing import sealer
from medic_core.domain.repair.orders import ScriptReport, Verdict
from medic_core.store.connection import Database
from tests.builders import a_service, rows
from tests.contract.test_template import FUNCTIONS
from tests.fixtures.functions import ADMIN_KEY, Functions, LambdaContext

EVENTS = Path(__file__).parents[2] / "events"
NAMES = {"ingest": "heartbeat"}


def recorded(module: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{NAMES.get(module, module)}.json").read_text())
    if "x-api-key" in event.get("headers", {}):
        event["headers"]["x-api-key"] = ADMIN_KEY
    return event


def test_each_function_has_one_and_there_are_no_others() -> None:
    modules = {properties["Handler"].split(".")[0] for properties in FUNCTIONS.values()}
    assert {path.stem for path in EVENTS.glob("*.json")} == {NAMES.get(module, module) for module in modules}


def test_they_are_taken(functions: Functions, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    a_service(database)
    context = LambdaContext()
    assert functions.module("ingest").handler(recorded("ingest"), context)["statusCode"] == 201
    assert functions.module("management_api").handler(recorded("management_api"), context)["statusCode"] == 200
    assert functions.module("notifications").handler(recorded("notifications"), context) == {"batchItemFailures": []}
    assert functions.module("replay").handler(recorded("replay"), context) == {"batchItemFailures": []}
    assert functions.module("housekeeping").handler(recorded("housekeeping"), context)["partitions_dropped"] == 0
    assert rows(database, "SELECT count(*) FROM medic.heartbeat_events") == [(2,)]


def test_those_of_the_state_machine_are_taken_and_sent_away_where_there_is_no_such_execution(
    functions: Functions,
) -> None:
    context = LambdaContext()
    assert functions.module("advance").handler(recorded("advance"), context)["kind"] == "fail"
    assert functions.module("webhook_step").handler(recorded("webhook_step"), context) == {"reported": False}
    assert functions.module("ask_approval").handler(recorded("ask_approval"), context) == {}
    assert functions.module("mark_failed").handler(recorded("mark_failed"), context) == {}


def test_the_order_of_a_script_opens_with_the_key_of_the_example_alone(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = json.loads((EVENTS.parent / "env.json.example").read_text())
    monkeypatch.setenv("MEDIC_ORDERS_KEY", example["Parameters"]["MEDIC_ORDERS_KEY"])
    answer = functions.module("script_step").handler(recorded("script_step"), LambdaContext())
    context = {"purpose": "script-report", "execution": "1", "seq": "1"}
    sealed = base64.b64decode(answer["report"])
    report = ScriptReport.from_bytes(sealer(example["Parameters"]["MEDIC_ORDERS_KEY"], (), "").open(sealed, context))
    assert (report.verdict, report.output) == (Verdict.DONE, "hello nightly-backup\n")


def test_a_tick_sweeps(functions: Functions, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIC_SWEEP_SECONDS", "60")
    assert functions.module("tick").handler(recorded("tick"), LambdaContext())["held"] == ""
    assert rows(database, "SELECT last_sweep_at IS NOT NULL FROM medic.monitor_state") == [(True,)]
