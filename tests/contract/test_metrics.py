"""/metrics and what is said about it: the promised names, what a scrape costs, the dashboard, the document."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from medic_core.domain.observing import metrics
from medic_core.domain.observing.metrics import FAMILIES, Kind
from medic_core.domain.repair.guards import BREAKER_WINDOW
from medic_core.store import counting, gauges
from medic_core.store.connection import Database
from tests.builders import rows, watch_statements
from tests.contract.test_plans import SEED, explained, rows_read
from tests.fixtures.functions import Functions
from tests.fixtures.scraping import scraped

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "docs" / "grafana-dashboard.json").read_text())
#: What users of the reference have in their rules and dashboards: name, labels.
PROMISED = {
    "medic_heartbeats_total": "heartbeat_name,status",
    "medic_registered_services": "",
    "medic_active_services": "",
    "medic_alerts_total": "priority,team",
    "medic_alerts_active": "",
    "medic_alerts_resolved_total": "",
    "medic_worker_cycle_duration_seconds": "",
    "medic_worker_services_checked_total": "",
    "medic_auth_failures_total": "reason",
    "medic_pagerduty_requests_total": "action,status",
    "medic_slack_requests_total": "status",
    "medic_health_status": "component",
    "medic_duration_alerts_total": "alert_type",
    "medic_stale_jobs_current": "",
    "medic_circuit_breaker_trips_total": "service_id",
    "medic_circuit_breaker_open": "",
    "medic_playbook_executions_total": "playbook,status,service_name",
    "medic_playbook_execution_duration_seconds": "playbook,service_name",
    "medic_playbook_executions_pending_approval": "",
}
DECLARED = {family.name: family for family in FAMILIES}
SAMPLES = {
    name
    for family in FAMILIES
    for name in (
        [f"{family.name}_{part}" for part in ("bucket", "sum", "count")]
        if family.kind is Kind.HISTOGRAM
        else [family.name]
    )
}


def test_every_promised_name_is_there_with_its_labels(functions: Functions, database: Database) -> None:
    found = scraped(functions)
    for name, labels in PROMISED.items():
        assert name.removesuffix("_total") in found.families, name
        assert ",".join(DECLARED[name].labels) == labels, name
    assert "medic_build_info" in found.families


def test_what_is_shown_is_what_is_declared(functions: Functions, database: Database) -> None:
    found = scraped(functions)
    assert set(found.families) == {name.removesuffix("_total") for name in DECLARED}
    for name, family in DECLARED.items():
        shown = found.families[name.removesuffix("_total")]
        assert (shown.type, shown.documentation) == (family.kind.value, family.about), name


def test_a_scrape_is_the_check_of_its_key_and_two_statements(functions: Functions, database: Database) -> None:
    for _ in range(2):
        scraped(functions)
    statements = watch_statements(functions.module("door").DATABASE)
    scraped(functions)
    of_it = [one for one in statements if "medic.counters AS c (name" not in one]
    assert len(of_it) == 3
    # What this instance has answered itself is written before, where there is something.
    assert len(statements) - len(of_it) <= 1


#: 20,000 services with an hour of heartbeats that were added up, alerts that are over, executions that have ended.
HISTORY = (
    "INSERT INTO medic.heartbeat_events (service_id, received_at, signal_id, kind)"
    " SELECT n % 20000 + 1, now() - n * interval '50 milliseconds', gen_random_uuid(), 'UP'"
    " FROM generate_series(1, 60000) AS n",
    "UPDATE medic.counted SET counted_until = now() - interval '1 minute', measured_at = now(),"
    " registered_services = 20000, active_services = 20000",
    "INSERT INTO medic.counters (name, labels, service_id, value) SELECT 'medic_heartbeats_total',"
    " jsonb_build_object('heartbeat_name', 's' || n, 'status', 'UP'), n, 60 FROM generate_series(1, 1000) AS n",
    "INSERT INTO medic.alerts (service_id, heartbeat_name, kind, status, priority, because, overdue_since, opened_at,"
    " resolved_at, counted_until) SELECT n % 20000 + 1, 's' || n, 'missed_heartbeat', 'resolved', 'p3', 'x',"
    " now() - interval '1 day', now() - interval '1 day', now() - interval '1 day', now() - interval '1 day'"
    " FROM generate_series(1, 20000) AS n",
    "INSERT INTO medic.alert_events (alert_id, event, at, because, consecutive_failures)"
    " SELECT alert_id, event, opened_at, 'x', 1 FROM medic.alerts, unnest(ARRAY['opened', 'resolved']) AS event",
    "INSERT INTO medic.job_runs (service_id, run_id, named, started_at, completed_at, duration_ms, status)"
    " SELECT n, 'r', true, now(), now(), 1, 'COMPLETED' FROM generate_series(1, 20000) AS n",
    "VACUUM ANALYZE",
)


@pytest.fixture
def with_history(database: Database) -> Database:
    with database.autocommit() as connection:
        for statement in (*SEED, *HISTORY):
            connection.execute(statement)
    return database


def read_at_most(plan: list[dict[str, Any]]) -> dict[str, int]:
    """Rows that came out of each table, those thrown away included."""
    tables = {node["Relation Name"] for node in plan if "Relation Name" in node and "Scan" in node["Node Type"]}
    return {table: rows_read(plan, table) for table in tables}


def test_a_scrape_reads_what_is_new_and_what_is_open_and_no_history(with_history: Database) -> None:
    ((since,),) = rows(with_history, "SELECT counted_until FROM medic.counted")
    new = rows(with_history, "SELECT count(*) FROM medic.heartbeat_events WHERE received_at > %(since)s", since=since)
    values = {**counting.LIMITS, "since": since, "until": None, "most": metrics.SEEN_AT_ONCE}
    read = read_at_most(explained(with_history, counting.READ, **values))
    events = sum(count for table, count in read.items() if table.startswith("heartbeat_events"))
    assert events <= new[0][0] + 5
    assert (read.get("alerts", 0), read.get("alert_events", 0)) == (0, 0)
    assert read["counters"] == 1000
    # Names of 1,000 series, who is the 1,000th and the 200th, and those that were heard just now.
    assert read["services"] <= 4 * 1000 + 200

    found = explained(
        with_history,
        gauges.READ,
        few=metrics.COUNTED_AT_ONCE,
        breaker_executions=5,
        breaker_window=BREAKER_WINDOW,
    )
    read = read_at_most(found)
    assert read["services"] <= metrics.COUNTED_AT_ONCE + 1
    assert (read.get("alerts", 0), read.get("job_runs", 0), read["service_state"]) == (0, 0, 0)


def test_adding_up_reads_what_is_new_once(with_history: Database) -> None:
    ((since,),) = rows(with_history, "SELECT counted_until FROM medic.counted")
    ((until, new),) = rows(
        with_history,
        "SELECT max(received_at), count(*) FROM medic.heartbeat_events WHERE received_at > %(since)s",
        since=since,
    )
    values = {**counting.LIMITS, "since": since, "until": until, "most": None}
    read = read_at_most(explained(with_history, counting.COUNT_UP, **values))
    assert sum(count for table, count in read.items() if table.startswith("heartbeat_events")) == new
    assert read.get("alert_events", 0) == 0
    assert read["services"] <= 2 * 1000 + 200


def queries() -> list[tuple[str, str]]:
    return [(panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]


def test_the_dashboard_asks_for_nothing_that_is_not_there() -> None:
    assert len(queries()) > 15
    for title, query in queries():
        named = set(re.findall(r"\bmedic_\w+", query))
        assert named, title
        assert named <= SAMPLES, f"{title}: {named - SAMPLES}"
        for name, matchers in re.findall(r"\b(medic_\w+)\{([^}]*)\}", query):
            family = DECLARED.get(name) or DECLARED[re.sub(r"_(bucket|sum|count)$", "", name)]
            known = {*family.labels, "le", "job", "instance"}
            assert set(re.findall(r"(\w+)\s*(?:=|!=|=~|!~)", matchers)) <= known, title
        for labels in re.findall(r"\bby \(([^)]*)\)", query):
            known = {label for name in named for label in _family(name).labels} | {"le"}
            assert {one.strip() for one in labels.split(",")} <= known, title


def _family(name: str) -> metrics.Family:
    return DECLARED.get(name) or DECLARED[re.sub(r"_(bucket|sum|count)$", "", name)]


def test_the_dashboard_shows_every_number_that_was_promised() -> None:
    asked = {_family(name).name for _, query in queries() for name in re.findall(r"\bmedic_\w+", query)}
    assert set(PROMISED) - asked == set()


def test_a_panel_lies_on_no_other_and_has_a_place_to_ask() -> None:
    taken: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    for panel in DASHBOARD["panels"]:
        where = panel["gridPos"]
        cells = {(where["x"] + x, where["y"] + y) for x in range(where["w"]) for y in range(where["h"])}
        assert not cells & taken, panel["title"]
        assert where["x"] + where["w"] <= 24, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"] == {"type": "prometheus", "uid": "${source}"}, panel["title"]
            assert panel["description"], panel["title"]


def test_the_document_tells_of_every_metric_as_it_is_declared() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text()
    for family in FAMILIES:
        labels = "{" + ",".join(family.labels) + "}" if family.labels else ""
        assert f"| `{family.name}{labels}` | {family.kind.value} |" in text, family.name
    named = set(re.findall(r"`(medic_\w+)", text))
    assert named <= set(DECLARED)


def test_the_document_tells_of_every_metric_of_cloudwatch() -> None:
    from medic_core.telemetry import Metric  # noqa: PLC0415

    text = (ROOT / "docs" / "metrics.md").read_text()
    assert [metric.value for metric in Metric if f"| `{metric.value}` |" not in text] == []
