"""What the alarms and the dashboard look at is there, and whoever is woken finds out what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from local.template import FUNCTION, Template
from medic_core.telemetry import Metric
from tests.conftest import ROOT

ALARMS = Template(ROOT / "infra" / "alarms.yaml").content
MEDIC = Template(ROOT / "infra" / "template.yaml").content["Resources"]
FUNCTIONS = {name: one["Properties"] for name, one in MEDIC.items() if one["Type"] == FUNCTION}
QUEUES = {name for name, one in MEDIC.items() if one["Type"] == "AWS::SQS::Queue"}
PARAMETERS = set(ALARMS["Parameters"])
ALARM = {
    name: one["Properties"] for name, one in ALARMS["Resources"].items() if one["Type"] == "AWS::CloudWatch::Alarm"
}
RUNBOOK = (ROOT / "docs" / "operations.md").read_text()
#: One sentence, and where to read on.
DESCRIPTION = re.compile(r"[A-Z][^.!?]+\. \$\{Runbook\}#([a-z0-9-]+)\s*")
PAGES = {"Fn::If": ["MakeTopic", {"Ref": "Topic"}, {"Ref": "AlarmTopicArn"}]}
TICKETS = {"Fn::If": ["OwnTickets", {"Ref": "TicketTopicArn"}, PAGES]}
GRID = 24
#: What a widget can be drawn of: its own metrics, and those of AWS.
KNOWN_NAMESPACES = {"AWS/Lambda", "AWS/SQS", "AWS/ApiGateway", "AWS/States", "AWS/RDS"}


def metrics_of(alarm: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The metrics that an alarm looks at, by themselves or in an expression."""
    if "Metrics" not in alarm:
        yield alarm
    for one in alarm.get("Metrics", []):
        if "MetricStat" in one:
            yield one["MetricStat"]["Metric"]


def dimensions(metric: dict[str, Any]) -> dict[str, Any]:
    """By name; what is a parameter of the template is its name."""
    values = {one["Name"]: one["Value"] for one in metric.get("Dimensions", [])}
    return {name: value["Ref"] if isinstance(value, dict) else value for name, value in values.items()}


def looked_at(namespace: str, metric_name: str, dimension: str) -> set[str]:
    """Whose metric of that name some alarm looks at."""
    return {
        dimensions(metric)[dimension]
        for alarm in ALARM.values()
        for metric in metrics_of(alarm)
        if (metric["Namespace"], metric["MetricName"]) == (namespace, metric_name)
    }


def section(alarm: dict[str, Any]) -> str:
    match = DESCRIPTION.fullmatch(alarm["AlarmDescription"]["Fn::Sub"])
    assert match is not None, alarm["AlarmDescription"]
    return match[1]


def name(alarm: dict[str, Any]) -> str:
    """An alarm's name without the stack's."""
    full: str = alarm["AlarmName"]["Fn::Sub"]
    assert full.startswith("${Stack}-")
    return full.removeprefix("${Stack}-")


def sections() -> dict[str, str]:
    """The runbook's sections about alarms."""
    (chapter,) = re.findall(r"^## Alarms\n(.*?)^## ", RUNBOOK, re.MULTILINE | re.DOTALL)
    parts = re.split(r"^### (.+)\n", chapter, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def widgets() -> list[dict[str, Any]]:
    """The dashboard's, with those that are there only where a database is named."""
    text, given = ALARMS["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    _, with_database, without = given["Database"]["Fn::If"]
    assert without == ""
    assert json.loads(text.replace("${Database}", ""))
    found: list[dict[str, Any]] = json.loads(text.replace("${Database}", with_database["Fn::Sub"]))["widgets"]
    return found


def written() -> set[tuple[str, str]]:
    """(service, metric) of every metric that a function writes, as its handler's folder says it."""
    found = set()
    for path in (ROOT / "functions").rglob("*.py"):
        text = path.read_text()
        services = set(re.findall(r'(?:Counts|telemetry\.count)\("([a-z-]+)"', text))
        members = set(re.findall(r'(?:\bMetric\.|_count\(")([A-Z_]+)\b', text))
        found |= {(f"medic-{service}", Metric[member].value) for service in services for member in members}
    return found


def ours() -> set[tuple[str, str]]:
    """(service, metric) of every metric of ours that is looked at."""
    own = {"Ref": "MetricsNamespace"}
    in_alarms = {
        (dimensions(metric)["service"], metric["MetricName"])
        for alarm in ALARM.values()
        for metric in metrics_of(alarm)
        if metric["Namespace"] == own
    }
    rows = [row for widget in widgets() for row in widget["properties"].get("metrics", [])]
    return in_alarms | {(row[3], row[1]) for row in rows if row[0] == "${MetricsNamespace}"}


def test_there_is_something_to_look_at() -> None:
    assert len(ALARM) > 40
    assert len(widgets()) > 20
    assert len(written()) > 15


def test_every_alarm_has_its_section_and_every_section_an_alarm() -> None:
    assert {section(alarm) for alarm in ALARM.values()} == set(sections())


@pytest.mark.parametrize("logical_id", sorted(ALARM))
def test_whoever_is_woken_finds_the_alarm_by_its_name(logical_id: str) -> None:
    alarm = ALARM[logical_id]
    assert f"`{name(alarm)}`" in sections()[section(alarm)]


def test_sections_name_no_alarm_that_is_not_there() -> None:
    named = {one for text in sections().values() for one in re.findall(r"`((?:page|ticket)-[a-z-]+)`", text)}
    assert named == {name(alarm) for alarm in ALARM.values()}


@pytest.mark.parametrize("title", sorted(sections()))
def test_every_section_says_what_it_means_where_to_look_and_what_to_do(title: str) -> None:
    said = re.findall(r"^\*\*(\w+)\.\*\*", sections()[title], re.MULTILINE)
    assert said == ["Means", "Look", "Do"]


@pytest.mark.parametrize("logical_id", sorted(ALARM))
def test_a_page_goes_where_pages_go_and_so_does_its_end(logical_id: str) -> None:
    alarm = ALARM[logical_id]
    wanted = [PAGES if name(alarm).startswith("page-") else TICKETS]
    assert alarm["AlarmActions"] == alarm["OKActions"] == wanted


def test_what_must_happen_is_missed_when_it_is_absent_and_nothing_else_is() -> None:
    breaching = {logical_id for logical_id, alarm in ALARM.items() if alarm["TreatMissingData"] != "notBreaching"}
    assert breaching == {"SweepMissed"}
    assert ALARM["SweepMissed"]["TreatMissingData"] == "breaching"


def test_every_metric_of_ours_is_one_that_the_function_writes() -> None:
    assert {metric for _, metric in ours()} <= set(Metric)
    assert ours() <= written()


def test_every_metric_that_is_written_is_shown() -> None:
    rows = json.dumps(widgets())
    assert {metric for _, metric in written() if metric not in rows} == set()


def test_every_function_is_watched_for_errors_and_refusals() -> None:
    for metric_name in ("Errors", "Throttles"):
        assert looked_at("AWS/Lambda", metric_name, "FunctionName") == set(FUNCTIONS)


def test_calls_are_near_their_end_before_they_are_cut_off() -> None:
    slow = {
        dimensions(alarm)["FunctionName"]: alarm["Threshold"]
        for logical_id, alarm in ALARM.items()
        if logical_id.endswith("Slow")
    }
    assert len(slow) == 6
    for function, milliseconds in slow.items():
        assert 0.8 <= milliseconds / 1000 / FUNCTIONS[function]["Timeout"] < 0.95, function


def test_every_queue_is_watched() -> None:
    dead_letters = {
        match for text in re.findall(r'"(?:deadLetterTargetArn|Arn)": (\{[^}]*\})', json.dumps(MEDIC))
        for match in re.findall(r'"(\w+DeadLetterQueue)"', text)
    }  # fmt: skip
    assert dead_letters < QUEUES
    of_depth = looked_at("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName")
    of_age = looked_at("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName")
    assert dead_letters <= of_depth
    assert of_age == QUEUES - dead_letters


def test_it_is_given_every_function_and_queue_by_its_name_in_the_template() -> None:
    assert set(FUNCTIONS) | QUEUES | {"PlaybookMachine", "ApiId"} <= PARAMETERS


def test_every_parameter_is_used() -> None:
    text = json.dumps({part: ALARMS[part] for part in ("Conditions", "Resources", "Outputs")})
    unused = {one for one in PARAMETERS if f'{{"Ref": "{one}"}}' not in text and f"${{{one}}}" not in text}
    assert unused == set()


def test_widgets_fit_and_do_not_cover_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in widgets():
        columns = range(widget["x"], widget["x"] + widget["width"])
        cells = {(x, y) for x in columns for y in range(widget["y"], widget["y"] + widget["height"])}
        assert columns.stop <= GRID
        assert not taken & cells, widget
        taken |= cells


def test_widgets_show_what_there_is() -> None:
    for widget in widgets():
        for row in widget["properties"].get("metrics", []):
            if isinstance(row[0], str):
                assert row[0] in KNOWN_NAMESPACES | {"${MetricsNamespace}"}
    named = set(re.findall(r"\$\{([\w:.]+)\}", json.dumps(widgets())))
    arns = {f"{logical_id}.Arn" for logical_id in ALARM}
    assert named <= PARAMETERS | {"AWS::Region"} | arns
    assert arns <= named


def test_nothing_of_the_topic_is_open_to_others() -> None:
    key = ALARMS["Resources"]["TopicKey"]["Properties"]["KeyPolicy"]["Statement"]
    assert [next(iter(one["Principal"])) for one in key] == ["AWS", "Service"]
    allows, denies = ALARMS["Resources"]["TopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert allows["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert "aws:SourceArn" in allows["Condition"]["ArnLike"]
    assert denies["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
