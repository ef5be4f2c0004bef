"""The audit log is read, filtered, taken away as a table, and forgotten in time."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import quote

import pytest

from medic_core.adapters import hashing
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.repair.audit import AuditAction
from medic_core.flows import keys
from medic_core.flows.housekeep import AUDIT_DAYS, housekeep
from medic_core.store import audit_log
from medic_core.store.audit_log import Entry
from medic_core.store.connection import Database
from tests.builders import a_service, rows, time_passes
from tests.fixtures.functions import Functions

PATH = "/v2/audit-logs"
COLUMNS = ["log_id", "execution_id", "playbook_id", "service_id", "action_type", "actor", "timestamp", "details"]


def noted(database: Database, *entries: Entry) -> None:
    with database.transaction() as tx:
        audit_log.add(tx, entries)


def listed(functions: Functions, query: str = "") -> list[int]:
    reply = functions.api("GET", f"{PATH}{query}")
    assert reply.status == 200, reply.body
    return [entry["log_id"] for entry in reply.json["results"]["items"]]


def as_table(
    functions: Functions, query: str = "", accept: str = "text/csv"
) -> tuple[list[list[str]], Mapping[str, str]]:
    reply = functions.api("GET", f"{PATH}{query}", accept=accept)
    assert reply.status == 200, reply.body
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(reply.body))), reply.headers


@pytest.fixture
def log(functions: Functions, database: Database) -> Functions:
    """Four entries about two executions of two playbooks for one service."""
    a_service(database)
    noted(
        database,
        Entry(AuditAction.EXECUTION_STARTED, "ann", 7, 3, 1, {"playbook_name": "restart"}),
        Entry(AuditAction.STEP_COMPLETED, None, 7, 3, 1, {"step_index": 0}),
        Entry(AuditAction.EXECUTION_STARTED, "bob", 8, 4, 1),
        Entry(AuditAction.KILL_SWITCH_THROWN, "ann"),
    )
    return functions


def test_entries_come_newest_first_and_whole(log: Functions) -> None:
    page = log.api("GET", PATH).json["results"]
    assert [entry["log_id"] for entry in page["items"]] == [4, 3, 2, 1]
    assert (page["has_more"], page["cursor"]) == (False, None)
    oldest = page["items"][-1]
    assert oldest.pop("timestamp").endswith("Z")
    assert oldest == {
        "log_id": 1,
        "execution_id": 7,
        "playbook_id": 3,
        "service_id": 1,
        "action_type": "execution_started",
        "details": {"playbook_name": "restart"},
        "actor": "ann",
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?execution_id=7", [2, 1]),
        ("?playbook_id=4", [3]),
        ("?service_id=1", [3, 2, 1]),
        ("?service_id=1&execution_id=8", [3]),
        ("?action_type=execution_started", [3, 1]),
        ("?action_type=execution_started&action_type=kill_switch_thrown", [4, 3, 1]),
        ("?actor=ann", [4, 1]),
        ("?actor=ANN", []),
        ("?actor=ann&action_type=execution_started", [1]),
        ("?execution_id=9", []),
        ("?start_date=2020-01-01T00:00:00Z&end_date=2020-01-02T00:00:00Z", []),
    ],
)
def test_filters(log: Functions, query: str, found: list[int]) -> None:
    assert listed(log, query) == found


def test_dates_are_inclusive(log: Functions, database: Database) -> None:
    moments = [f"now() - interval '{days} days'" for days in (4, 3, 2, 1)]
    for number, moment in enumerate(moments, 1):
        rows(database, f"UPDATE medic.remediation_audit_log SET at = {moment} WHERE log_id = {number} RETURNING 1")
    written = {entry["log_id"]: quote(entry["timestamp"]) for entry in log.api("GET", PATH).json["results"]["items"]}
    assert listed(log, f"?start_date={written[2]}&end_date={written[3]}") == [3, 2]
    assert listed(log, f"?start_date={written[4]}") == [4]
    assert listed(log, f"?end_date={written[1]}") == [1]


@pytest.mark.parametrize(
    "query",
    [
        "?action_type=nonsense",
        "?execution_id=0",
        "?execution_id=x",
        "?start_date=yesterday",
        "?start_date=1700000000",
        "?start_date=2026-01-02T00:00:00Z&end_date=2026-01-01T00:00:00Z",
        "?limit=251",
        "?cursor=x",
        "?offset=5",
        "?actor=a%00b",
    ],
)
def test_what_is_wrong_is_refused_as_a_page_and_as_a_table(log: Functions, query: str) -> None:
    for accept in ("application/json", "text/csv"):
        assert log.api("GET", f"{PATH}{query}", accept=accept).status == 400


def test_a_page_at_a_time_each_entry_comes_once(functions: Functions, database: Database) -> None:
    noted(database, *(Entry(AuditAction.STEP_COMPLETED, None, number) for number in range(1, 8)))
    found, query = [], "?limit=3"
    while query:
        page = functions.api("GET", PATH + query).json["results"]
        found += [entry["execution_id"] for entry in page["items"]]
        query = f"?limit=3&cursor={page['cursor']}" if page["has_more"] else ""
        # What comes meanwhile is newer, and moves nothing.
        noted(database, Entry(AuditAction.STEP_COMPLETED, None, 99))
    assert found == [7, 6, 5, 4, 3, 2, 1]


def test_as_a_table(log: Functions) -> None:
    table, headers = as_table(log)
    assert table[0] == COLUMNS
    assert [line[0] for line in table[1:]] == ["4", "3", "2", "1"]
    assert table[1][1:6] == ["", "", "", "kill_switch_thrown", "ann"]
    assert table[4][1:6] == ["7", "3", "1", "execution_started", "ann"]
    assert json.loads(table[4][7]) == {"playbook_name": "restart"}
    assert headers["Content-Disposition"] == 'attachment; filename="audit_logs.csv"'
    assert (headers["X-Has-More"], "X-Cursor" in headers) == ("false", False)


def test_a_table_goes_on_where_it_ended(log: Functions) -> None:
    first, headers = as_table(log, "?limit=3", "text/html, text/csv;q=0.9")
    assert (len(first), headers["X-Has-More"]) == (4, "true")
    second, headers = as_table(log, f"?limit=3&cursor={headers['X-Cursor']}")
    assert ([line[0] for line in second[1:]], headers["X-Has-More"]) == (["1"], "false")


@pytest.mark.parametrize("actor", ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://x","y")', "\tx", " =1+1"])
def test_no_cell_is_computed_by_a_spreadsheet(functions: Functions, database: Database, actor: str) -> None:
    noted(database, Entry(AuditAction.APPROVED, actor, details={"reason": 'a,"b"\n=1+1'}))
    table, _ = as_table(functions)
    (line,) = table[1:]
    assert line[5].endswith(actor)
    assert line[5].lstrip(" ")[:1] not in "=+-@\t\r"
    assert json.loads(line[7]) == {"reason": 'a,"b"\n=1+1'}
    assert functions.api("GET", PATH).json["results"]["items"][0]["actor"] == actor


def test_a_service_that_is_deleted_leaves_its_entries(log: Functions, database: Database) -> None:
    assert log.api("DELETE", "/v2/services/1").status == 200
    assert listed(log, "?service_id=1") == []
    assert listed(log, "?execution_id=7") == [2, 1]


def test_who_may(functions: Functions, database: Database) -> None:
    with database.transaction() as tx:
        reader, sender = (
            keys.create(tx, one.value, {one}, None, {}, hashing).text for one in (Scope.READ, Scope.HEARTBEAT)
        )
    assert functions.api("GET", PATH, key=reader).status == 200
    assert functions.api("GET", PATH, key=reader, accept="text/csv").status == 200
    for key, status in ((sender, 403), (None, 401)):
        assert functions.api("GET", PATH, key=key, accept="text/csv").status == status


def test_it_is_forgotten_in_time(log: Functions, database: Database) -> None:
    time_passes(database, timedelta(days=AUDIT_DAYS - 1))
    noted(database, Entry(AuditAction.STEP_FAILED, None, 9))
    housekeep(database)
    assert listed(log) == [5, 4, 3, 2, 1]
    time_passes(database, timedelta(days=2))
    housekeep(database)
    assert listed(log) == [5]
