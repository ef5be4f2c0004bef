"""Scripts are registered; each text that ran is kept as it was, and runs wherever it was begun with."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from medic_core.adapters import hashing
from medic_core.domain.access.api_keys import Scope
from medic_core.errors import Conflict
from medic_core.flows import keys
from medic_core.flows import scripts as flows
from medic_core.store import scripts
from medic_core.store.connection import Database
from tests.builders import rows
from tests.fixtures.functions import Functions

CONTENT = 'systemctl restart "$UNIT"\n'


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def a_script(functions: Functions, name: str = "Restart", **more: Any) -> Any:
    return functions.api("POST", "/v2/scripts", {"name": name, "content": CONTENT, **more}, x_actor="ann")


def change(functions: Functions, body: dict[str, Any], **headers: str) -> Any:
    return functions.api("PATCH", "/v2/scripts/1", body, x_actor="bob", **headers)


def audited(database: Database) -> list[tuple[Any, ...]]:
    query = """
        SELECT action_type, actor, details->>'name', details->>'version', details->>'sha256'
          FROM medic.remediation_audit_log ORDER BY log_id
    """
    return rows(database, query)


def newest(database: Database, *names: str) -> dict[str, int]:
    with database.autocommit() as connection:
        return scripts.newest(connection, names)


def content_of(database: Database, name: str, version: int) -> str | None:
    with database.autocommit() as connection:
        found = scripts.read_version(connection, name, version)
    return found.content if found is not None else None


def test_it_is_registered_and_read(functions: Functions) -> None:
    made = a_script(functions)
    assert (made.status, made.headers["ETag"]) == (201, '"v1"')
    shown = made.json["results"]
    assert {name: shown[name] for name in shown if not name.endswith("_at")} == {
        "script_id": 1,
        "name": "Restart",
        "content": CONTENT,
        "interpreter": "bash",
        "timeout_seconds": 30,
        "version": 1,
        "sha256": sha256(CONTENT),
    }
    a_script(functions, "other", interpreter="python", timeout_seconds=840)
    assert functions.api("GET", "/v2/scripts/1").json["results"] == shown
    first = functions.api("GET", "/v2/scripts?limit=1").json["results"]
    assert (first["items"], first["has_more"]) == ([shown], True)
    second = functions.api("GET", f"/v2/scripts?cursor={first['cursor']}").json["results"]
    assert [(one["name"], one["interpreter"], one["timeout_seconds"]) for one in second["items"]] == [
        ("other", "python", 840)
    ]
    assert functions.api("GET", "/v2/scripts/3").status == 404
    assert functions.api("GET", "/v2/scripts/3/versions").status == 404


def test_a_change_is_another_version_and_the_former_stays(functions: Functions, database: Database) -> None:
    a_script(functions)
    changed = change(functions, {"content": "echo two"}, if_match='"v1"')
    assert (changed.status, changed.headers["ETag"]) == (200, '"v2"')
    assert change(functions, {"timeout_seconds": 60, "interpreter": "python"}).json["results"]["version"] == 3
    assert change(functions, {"content": "echo late"}, if_match='"v2"').status == 412
    for nothing in ({}, {"timeout_seconds": 60}, {"content": "echo two", "interpreter": "python"}):
        assert change(functions, nothing).json["results"]["version"] == 3
    versions = functions.api("GET", "/v2/scripts/1/versions?limit=2").json["results"]
    shown = [
        (one["version"], one["content"], one["interpreter"], one["timeout_seconds"], one["created_by"])
        for one in versions["items"]
    ]
    assert shown == [(3, "echo two", "python", 60, "bob"), (2, "echo two", "bash", 30, "bob")]
    more = functions.api("GET", f"/v2/scripts/1/versions?limit=2&cursor={versions['cursor']}").json["results"]
    assert [(one["version"], one["content"], one["sha256"]) for one in more["items"]] == [(1, CONTENT, sha256(CONTENT))]
    assert more["has_more"] is False
    two = sha256("echo two")
    assert audited(database) == [
        ("script_created", "ann", "Restart", "1", sha256(CONTENT)),
        ("script_changed", "bob", "Restart", "2", two),
        ("script_changed", "bob", "Restart", "3", two),
    ]


def test_a_name_is_one_whatever_its_case(functions: Functions, database: Database) -> None:
    a_script(functions, "Straße")
    for name in ("Straße", " STRASSE ", "strasse"):
        assert a_script(functions, name).status == 409
    assert newest(database, "STRASSE", "nobody", "straße") == {"STRASSE": 1, "straße": 1}
    assert change(functions, {"name": "other"}).status == 400


def test_what_was_deleted_goes_on_for_those_that_began_with_it(functions: Functions, database: Database) -> None:
    a_script(functions)
    change(functions, {"content": "echo two"})
    assert functions.api("DELETE", "/v2/scripts/1", if_match='"v1"').status == 412
    assert functions.api("DELETE", "/v2/scripts/1", if_match='"v2"', x_actor="cleo").status == 200
    for method, path in (("GET", ""), ("GET", "/versions"), ("PATCH", ""), ("DELETE", "")):
        assert functions.api(method, f"/v2/scripts/1{path}", {} if method == "PATCH" else None).status == 404
    assert newest(database, "restart") == {}
    assert (content_of(database, "RESTART", 1), content_of(database, "restart", 2)) == (CONTENT, "echo two")
    assert audited(database)[2:] == [("script_deleted", "cleo", "Restart", "2", sha256("echo two"))]


def test_a_name_that_comes_back_takes_no_version_that_there_was(functions: Functions, database: Database) -> None:
    a_script(functions)
    change(functions, {"content": "echo two"})
    functions.api("DELETE", "/v2/scripts/1")
    assert a_script(functions, "RESTART", content="echo other").json["results"]["version"] == 3
    assert newest(database, "restart") == {"restart": 3}
    assert [content_of(database, "restart", version) for version in (1, 2, 3, 4)] == [
        CONTENT,
        "echo two",
        "echo other",
        None,
    ]


def test_registered_changed_and_deleted_by_many_at_once_no_version_comes_twice(database: Database) -> None:
    def once(number: int) -> int | None:
        own = Database(database._server)
        try:
            with own.transaction() as tx:
                values = {"content": f"echo {number}", "interpreter": "bash", "timeout_seconds": 30}
                script_id = flows.create(tx, {"name": "Restart", **values}, "ann").script_id
            with own.transaction() as tx:
                flows.change(tx, script_id, {"content": f"echo {number} again"}, "ann", None)
            with own.transaction() as tx:
                flows.delete(tx, script_id, "ann", None)
        except Conflict:
            return None
        finally:
            own.close()
        return number

    with ThreadPoolExecutor(8) as people:
        done = [number for number in people.map(once, range(64)) if number is not None]
    written = rows(database, "SELECT version, content FROM medic.script_versions ORDER BY version")
    assert [version for version, _ in written] == list(range(1, 2 * len(done) + 1))
    assert {content for _, content in written} == {f"echo {n}{again}" for n in done for again in ("", " again")}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"content": ""}, "content"),
        ({"content": "x" * 65_537}, "content"),
        ({"content": "é" * 32_769}, "content"),
        ({"content": "a\0b"}, "content"),
        ({"content": "a\ud800"}, "content"),
        ({"content": 5}, "content"),
        ({"interpreter": "perl"}, "interpreter"),
        ({"interpreter": None}, "interpreter"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"timeout_seconds": 841}, "timeout_seconds"),
        ({"timeout_seconds": "30"}, "timeout_seconds"),
        ({"path": "/bin/sh"}, "path"),
    ],
)
def test_what_is_wrong_names_its_field(functions: Functions, wrong: dict[str, Any], field: str) -> None:
    reply = a_script(functions, **wrong)
    assert (reply.status, field in reply.json["message"]) == (400, True), reply.body
    if field != "path":
        a_script(functions)
        assert change(functions, wrong).status == 400


def test_65536_bytes_are_kept_as_they_are(functions: Functions) -> None:
    content = "é" * 32_768
    assert a_script(functions, content=content).json["results"]["content"] == content


def test_who_may(functions: Functions, database: Database) -> None:
    a_script(functions)
    for scope in (Scope.READ, Scope.WRITE):
        with database.transaction() as tx:
            key = keys.create(tx, scope.value, {scope}, None, {}, hashing).text
        assert functions.api("POST", "/v2/scripts", {"name": "b", "content": "c"}, key=key).status == 403
        assert functions.api("PATCH", "/v2/scripts/1", {}, key=key).status == 403
        assert functions.api("DELETE", "/v2/scripts/1", key=key).status == 403
        for path in ("", "/1", "/1/versions"):
            assert functions.api("GET", f"/v2/scripts{path}", key=key).status == (200 if scope is Scope.READ else 403)
