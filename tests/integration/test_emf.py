"""What the functions write for CloudWatch: names, units, namespace, and that an alarm can count on them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from medic_core import telemetry
from medic_core.store.connection import Database
from medic_core.telemetry import Metric
from tests.builders import a_service, away, hears, time_passes
from tests.fixtures.functions import Functions

MINUTE = timedelta(minutes=1)


def emitted(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The EMF lines since the last time."""
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith("{")]
    return [line for line in map(json.loads, lines) if "_aws" in line]


def of_the_monitor(functions: Functions, capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    emitted(capfd)
    functions.module("tick").handler({}, None)
    (line,) = [line for line in emitted(capfd) if "SweepsCompleted" in line]
    return line


def units(line: dict[str, Any]) -> dict[str, str]:
    ((declared,),) = [line["_aws"]["CloudWatchMetrics"]]
    return {metric["Name"]: metric["Unit"] for metric in declared["Metrics"]}


def test_a_sweep_says_that_it_was_there_and_how_late_it_was(
    functions: Functions, database: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    a_service(database)
    hears(database)
    quiet = of_the_monitor(functions, capfd)
    assert (quiet["SweepsCompleted"], quiet["DeadlineLag"], quiet["service"]) == ([1], [0], "medic-monitor")
    assert units(quiet) == {
        "SweepsCompleted": "Count",
        "DeadlineLag": "Seconds",
        "SweepDuration": "Milliseconds",
    }
    time_passes(database, 3 * MINUTE)
    late = of_the_monitor(functions, capfd)
    assert late["ServicesDue"] == [1]
    assert 120 <= late["DeadlineLag"][0] < 180


def test_a_sweep_that_is_held_was_there_too(
    functions: Functions, database: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    a_service(database)
    hears(database)
    functions.module("tick").SPOOL.send(["something that waits"])
    time_passes(database, 2 * MINUTE)
    held = of_the_monitor(functions, capfd)
    assert (held["SweepsCompleted"], held["SweepsHeld"]) == ([1], [1])
    assert "AlertsOpened" not in held


def test_a_sweep_that_was_none_is_not_written(
    functions: Functions, database: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    with away(functions.module("tick").DATABASE):
        functions.module("tick").handler({}, None)
    assert [line for line in emitted(capfd) if "SweepsCompleted" in line] == []


def test_requests_with_their_latency_and_those_that_failed(
    functions: Functions, capfd: pytest.CaptureFixture[str]
) -> None:
    functions.api("GET", "/v2/services")
    (line,) = [line for line in emitted(capfd) if "Requests" in line]
    assert units(line) == {"Requests": "Count", "RequestLatency": "Milliseconds"}
    assert line["RequestLatency"][0] > 0
    with away(functions.module("door").DATABASE):
        assert functions.api("GET", "/v2/services").status == 503
    (line,) = [line for line in emitted(capfd) if "Requests" in line]
    assert line["RequestsFailed"] == [1]


@pytest.mark.parametrize(("set_to", "namespace"), [(None, "Medic"), ("", "Medic"), ("medic-staging", "medic-staging")])
def test_the_namespace_is_the_stacks_own(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, set_to: str | None, namespace: str
) -> None:
    monkeypatch.delenv("POWERTOOLS_METRICS_NAMESPACE", raising=False)
    if set_to is not None:
        monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", set_to)
    telemetry.Counts("heartbeat").write({Metric.SPOOLED: 1})
    telemetry.count("heartbeat", Metric.AUTHENTICATION_FAILURES, reason="missing_key")
    lines = emitted(capfd)
    assert [line["_aws"]["CloudWatchMetrics"][0]["Namespace"] for line in lines] == [namespace] * 2
    assert {line["service"] for line in lines} == {"medic-heartbeat"}


def test_what_is_zero_is_written_only_where_it_was_measured(capfd: pytest.CaptureFixture[str]) -> None:
    counts = telemetry.Counts("monitor")
    counts.write({Metric.SERVICES_DUE: 0})
    assert emitted(capfd) == []
    counts.write({Metric.SERVICES_DUE: 0}, {Metric.DEADLINE_LAG: 0.0})
    (line,) = emitted(capfd)
    assert units(line) == {"DeadlineLag": "Seconds"}
