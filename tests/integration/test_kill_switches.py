"""Repairs are stopped and let go again, and who did it is noted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from medic_core.adapters import hashing
from medic_core.domain.access.api_keys import Scope
from medic_core.domain.repair.kill_switches import KillLevel
from medic_core.errors import NotFound
from medic_core.flows import keys
from medic_core.flows import kill_switches as flows
from medic_core.store.connection import Database
from tests.builders import a_service, rows
from tests.fixtures.functions import Functions
from tests.fixtures.repairing import a_playbook


@pytest.fixture
def subjects(functions: Functions, database: Database) -> Functions:
    """A service, its team, a playbook: each has the id 1."""
    a_service(database, team="infra")
    a_playbook(database, {"type": "wait", "duration": "1s"})
    rows(database, "DELETE FROM medic.remediation_audit_log RETURNING 1")
    return functions


def throw(functions: Functions, level: str, subject_id: int | None = None, **more: Any) -> Any:
    about = {} if subject_id is None else {"subject_id": subject_id}
    return functions.api("POST", "/v2/kill-switches", {"level": level, **about, **more}, x_actor="ann")


def audited(database: Database) -> list[tuple[Any, ...]]:
    query = """
        SELECT action_type, actor, playbook_id, service_id, details FROM medic.remediation_audit_log ORDER BY log_id
    """
    return rows(database, query)


def test_it_is_thrown_once_and_released(subjects: Functions, database: Database) -> None:
    made = throw(subjects, "global", reason="a release")
    assert made.status == 201
    shown = {name: value for name, value in made.json["results"].items() if name != "thrown_at"}
    assert shown == {
        "kill_switch_id": 1,
        "level": "global",
        "subject_id": None,
        "reason": "a release",
        "thrown_by": "ann",
    }
    again = subjects.api("POST", "/v2/kill-switches", {"level": "global", "reason": "other"}, x_actor="bob")
    assert (again.status, again.json["results"]) == (200, made.json["results"])
    assert subjects.api("GET", "/v2/kill-switches").json["results"]["items"] == [made.json["results"]]
    assert subjects.api("DELETE", "/v2/kill-switches/1", x_actor="cleo").status == 200
    assert subjects.api("DELETE", "/v2/kill-switches/1").status == 404
    assert subjects.api("GET", "/v2/kill-switches").json["results"]["items"] == []
    details = {"level": "global", "subject_id": None, "reason": "a release"}
    assert audited(database) == [
        ("kill_switch_thrown", "ann", None, None, details),
        ("kill_switch_released", "cleo", None, None, details),
    ]
    assert throw(subjects, "global").status == 201


def test_each_level_has_its_own(subjects: Functions, database: Database) -> None:
    for level in ("global", "team", "service", "playbook"):
        subject_id = None if level == "global" else 1
        assert throw(subjects, level, subject_id).status == 201
        assert throw(subjects, level, subject_id).status == 200
    first = subjects.api("GET", "/v2/kill-switches?limit=3").json["results"]
    second = subjects.api("GET", f"/v2/kill-switches?limit=3&cursor={first['cursor']}").json["results"]
    assert [one["level"] for one in first["items"] + second["items"]] == ["global", "team", "service", "playbook"]
    about = [(playbook_id, service_id) for _, _, playbook_id, service_id, _ in audited(database)]
    assert about == [(None, None), (None, None), (None, 1), (1, None)]


@pytest.mark.parametrize("level", ["team", "service", "playbook"])
def test_there_must_be_what_it_is_about(subjects: Functions, database: Database, level: str) -> None:
    assert throw(subjects, level, 2).json["message"] == f"subject_id: no {level} has the id 2."
    for wrong in (throw(subjects, level), throw(subjects, level, 0), throw(subjects, "global", 1)):
        assert (wrong.status, "subject_id" in wrong.json["message"]) == (400, True)
    assert audited(database) == []


@pytest.mark.parametrize(
    "body", [{}, {"level": "everything"}, {"level": "global", "reason": "x" * 1001}, {"level": None}]
)
def test_what_is_wrong_is_refused(subjects: Functions, body: dict[str, Any]) -> None:
    assert subjects.api("POST", "/v2/kill-switches", body).status == 400


def test_a_deleted_playbook_is_not_there(subjects: Functions) -> None:
    assert subjects.api("DELETE", "/v2/playbooks/1").status == 200
    assert throw(subjects, "playbook", 1).status == 400


def test_who_may(subjects: Functions, database: Database) -> None:
    with database.transaction() as tx:
        reader, writer = (
            keys.create(tx, one.value, {one}, None, {}, hashing).text for one in (Scope.READ, Scope.WRITE)
        )
    body = {"level": "global"}
    assert subjects.api("POST", "/v2/kill-switches", body, key=reader).status == 403
    assert subjects.api("POST", "/v2/kill-switches", body, key=writer).status == 201
    assert subjects.api("DELETE", "/v2/kill-switches/1", key=reader).status == 403
    assert subjects.api("GET", "/v2/kill-switches", key=reader).status == 200
    assert subjects.api("DELETE", "/v2/kill-switches/1", key=writer).status == 200


def test_thrown_and_released_by_many_at_once_each_change_is_told_once(database: Database) -> None:
    """Whoever throws gets the one that is thrown, also when it is released at that moment."""

    def throw_and_release(number: int) -> tuple[bool, bool]:
        own = Database(database._server)
        try:
            with own.transaction() as tx:
                found, is_new = flows.throw(tx, KillLevel.GLOBAL, None, "", f"person {number}")
            try:
                with own.transaction() as tx:
                    flows.release(tx, found.kill_switch_id, f"person {number}")
            except NotFound:
                return is_new, False
            return is_new, True
        finally:
            own.close()

    with ThreadPoolExecutor(8) as people:
        outcomes = list(people.map(throw_and_release, range(64)))
    thrown, released = (sum(one) for one in zip(*outcomes, strict=True))
    actions = [action for action, *_ in audited(database)]
    assert (actions.count("kill_switch_thrown"), actions.count("kill_switch_released")) == (thrown, released)
    assert thrown == released
    assert rows(database, "SELECT count(*) FROM medic.kill_switches") == [(0,)]
