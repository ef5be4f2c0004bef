"""Secrets go in, are used, and come out nowhere; keys change and nothing is lost."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from medic_core.adapters import hashing
from medic_core.adapters.sealing import Sealer, sealer
from medic_core.domain.access.api_keys import Scope
from medic_core.flows import engine, keys
from medic_core.flows import secrets as flows
from medic_core.store import task_tokens
from medic_core.store.connection import Database
from tests.builders import rows, time_passes
from tests.fixtures.aws import Emulator
from tests.fixtures.functions import Functions
from tests.fixtures.repairing import SECRETS, SECRETS_KEY, Hand, a_playbook, started
from tests.stand_ins import receivers
from tests.stand_ins.receivers import Answer, Receiver

#: Something to be escaped in a URL and in JSON.
CANARY = 'canary"/+ é-7f3a9c'
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
SHOWN = {"name", "description", "version", "updated_by", "last_used_at", "created_at", "updated_at"}


def put(functions: Functions, name: str = "TOKEN", value: str = CANARY, **more: Any) -> Any:
    return functions.api("PUT", f"/v2/secrets/{name}", {"value": value, **more}, x_actor="ann")


def a_key(database: Database, *scopes: Scope) -> str:
    with database.transaction() as tx:
        return keys.create(tx, "-".join(scopes), set(scopes), None, {}, hashing).text


def a_new_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


def opened(database: Database, by: Sealer, *names: str) -> dict[str, str]:
    with database.transaction() as tx:
        return flows.opened(tx, by, names, 7, None, None)


def audited(database: Database) -> list[tuple[Any, ...]]:
    query = "SELECT action_type, actor, execution_id, details FROM medic.remediation_audit_log ORDER BY log_id"
    return rows(database, query)


def forms(value: str) -> set[str]:
    """What would give it away."""
    escaped = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    encoded = base64.b64encode(value.encode()).decode()
    return {value, quote(value), quote(value, safe=""), encoded, *escaped}


def everything_stored(database: Database) -> str:
    """All that every table holds: as JSON, and binary columns as the text that their bytes may be."""
    columns = """
        SELECT table_name, column_name, data_type FROM information_schema.columns
         WHERE table_schema = 'medic' ORDER BY table_name
    """
    found: list[str] = []
    for table, column, kind in rows(database, columns):
        shown = column if kind == "bytea" else f"to_jsonb({column})::text"
        for (value,) in rows(database, f"SELECT {shown} FROM medic.{table}"):
            found.append(value.decode(errors="replace") if isinstance(value, bytes) else str(value))
    return "\n".join(found)


class TestOverHttp:
    def test_it_is_written_and_listed_and_its_value_is_not_shown(
        self, functions: Functions, database: Database
    ) -> None:
        made = put(functions, description="of the restarter")
        assert (made.status, made.json["message"]) == (201, "Secret kept.")
        assert set(made.json["results"]) == SHOWN
        assert {name: made.json["results"][name] for name in ("name", "description", "version", "updated_by")} == {
            "name": "TOKEN",
            "description": "of the restarter",
            "version": 1,
            "updated_by": "ann",
        }
        replaced = put(functions, value="another value")
        assert (replaced.status, replaced.json["results"]["version"]) == (200, 2)
        put(functions, "other_1")
        first = functions.api("GET", "/v2/secrets?limit=1").json["results"]
        assert ([one["name"] for one in first["items"]], first["has_more"]) == (["TOKEN"], True)
        second = functions.api("GET", f"/v2/secrets?limit=1&cursor={first['cursor']}").json["results"]
        assert ([one["name"] for one in second["items"]], second["has_more"]) == (["other_1"], False)
        assert functions.api("GET", "/v2/secrets/TOKEN").json["results"] == first["items"][0]
        assert opened(database, SECRETS, "TOKEN") == {"TOKEN": "another value"}

    def test_it_is_deleted_and_all_that_is_noted(self, functions: Functions, database: Database) -> None:
        put(functions)
        put(functions)
        assert functions.api("DELETE", "/v2/secrets/TOKEN", x_actor="bob").status == 200
        for method in ("GET", "DELETE"):
            assert functions.api(method, "/v2/secrets/TOKEN").status == 404
        assert audited(database) == [
            ("secret_created", "ann", None, {"name": "TOKEN", "version": 1}),
            ("secret_changed", "ann", None, {"name": "TOKEN", "version": 2}),
            ("secret_deleted", "bob", None, {"name": "TOKEN"}),
        ]

    @pytest.mark.parametrize("name", ["1st", "re-encrypt", "a-b", "a.b", "ключ", "x" * 101, "a%20b"])
    def test_a_name_is_an_identifier(self, functions: Functions, database: Database, name: str) -> None:
        reply = put(functions, name)
        assert reply.status in {400, 404, 405}, reply.body
        assert rows(database, "SELECT name FROM medic.secrets") == []

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"value": ""},
            {"value": None},
            {"value": 5},
            {"value": [CANARY]},
            {"value": CANARY * 1000},
            {"value": f"{CANARY}\0"},
            {"value": f"{CANARY}\ud800"},
            {"value": CANARY, "valeu": CANARY},
            {"value": CANARY, "description": "a\0b"},
            f'{{"value": "{CANARY}',
            f'{{"value": {CANARY}}}',
        ],
    )
    def test_what_is_wrong_is_refused_without_being_repeated(
        self, functions: Functions, database: Database, capfd: pytest.CaptureFixture[str], body: Any
    ) -> None:
        reply = functions.api("PUT", "/v2/secrets/TOKEN", body)
        assert reply.status == 400, reply.body
        heard = capfd.readouterr()
        assert "7f3a9c" not in reply.body + heard.out + heard.err
        assert rows(database, "SELECT name FROM medic.secrets") == []

    def test_8192_characters_are_kept_as_they_are(self, functions: Functions, database: Database) -> None:
        value = ("é\n\t ✓" * 2000)[:8192]
        assert put(functions, value=value).status == 201
        assert opened(database, SECRETS, "TOKEN") == {"TOKEN": value}

    def test_who_may(self, functions: Functions, database: Database) -> None:
        reader, writer = a_key(database, Scope.READ), a_key(database, Scope.WRITE)
        body = {"value": CANARY}
        for key in (reader, writer):
            assert functions.api("PUT", "/v2/secrets/TOKEN", body, key=key).status == 403
            assert functions.api("DELETE", "/v2/secrets/TOKEN", key=key).status == 403
            assert functions.api("POST", "/v2/secrets/re-encrypt", key=key).status == 403
        put(functions)
        assert functions.api("GET", "/v2/secrets", key=reader).status == 200
        assert functions.api("GET", "/v2/secrets/TOKEN", key=reader).status == 200
        assert functions.api("GET", "/v2/secrets", key=None).status == 401

    @pytest.mark.parametrize("key", ["", "c2hvcnQ=", "not base64!"])
    def test_without_a_key_that_is_one_it_says_which_variable_to_set(
        self, functions: Functions, database: Database, monkeypatch: pytest.MonkeyPatch, key: str
    ) -> None:
        monkeypatch.setenv("MEDIC_SECRETS_KEY", key)
        for reply in (put(functions), functions.api("POST", "/v2/secrets/re-encrypt")):
            assert (reply.status, "MEDIC_SECRETS_KEY" in reply.json["message"]) == (503, True)
        assert "7f3a9c" not in reply.body
        assert functions.api("GET", "/v2/secrets").json["results"]["items"] == []
        assert audited(database) == []

    def test_written_by_many_at_once_each_write_counts(self, functions: Functions, database: Database) -> None:
        def write(number: int) -> int:
            own = Database(database._server)
            try:
                with own.transaction() as tx:
                    return flows.put(tx, SECRETS, "TOKEN", f"value-{number}", "", "ann")[0].version
            finally:
                own.close()

        with ThreadPoolExecutor(8) as people:
            versions = sorted(people.map(write, range(16)))
        assert versions == list(range(1, 17))
        assert [action for action, *_ in audited(database)] == ["secret_created"] + ["secret_changed"] * 15
        assert opened(database, SECRETS, "TOKEN")["TOKEN"].startswith("value-")


class TestUse:
    def test_those_that_exist_are_opened_and_each_use_is_noted(self, functions: Functions, database: Database) -> None:
        put(functions)
        put(functions, "OTHER", "other value")
        assert opened(database, SECRETS, "TOKEN", "NOT_THERE") == {"TOKEN": CANARY}
        assert audited(database)[2:] == [("secret_used", None, 7, {"name": "TOKEN"})]
        used = {
            one["name"]: one["last_used_at"] for one in functions.api("GET", "/v2/secrets").json["results"]["items"]
        }
        assert (used["TOKEN"] is not None, used["OTHER"]) == (True, None)
        time_passes(database, timedelta(days=1))
        assert functions.api("GET", "/v2/secrets/TOKEN").json["results"]["last_used_at"] < used["TOKEN"]
        assert opened(database, SECRETS) == {}

    def test_steps_and_a_re_encryption_do_not_wait_in_a_circle(self, database: Database) -> None:
        with database.transaction() as tx:
            # As they lie in the table, B comes first; a re-encryption goes by name.
            for name in ("B", "A"):
                flows.put(tx, SECRETS, name, f"value of {name}", "", "ann")
        step, another = Database(database._server), Database(database._server)
        lock = "SELECT FROM medic.secrets WHERE name = %(name)s FOR UPDATE"
        try:
            with ThreadPoolExecutor(1) as others, another.transaction() as tx:
                tx.execute(lock, {"name": "A"})
                values = others.submit(opened, step, SECRETS, "A", "B")
                while rows(database, WAITING) == [(0,)]:
                    assert not values.done()
                tx.execute(lock, {"name": "B"})
            assert values.result() == {"A": "value of A", "B": "value of B"}
        finally:
            step.close()
            another.close()

    def test_nobodys_row_stands_in_for_anothers_and_no_version_for_another(
        self, functions: Functions, database: Database
    ) -> None:
        put(functions, value="the first")
        ((first,),) = rows(database, "SELECT sealed FROM medic.secrets")
        put(functions, value="the second")
        put(functions, "OTHER", "other value")
        rows(database, "UPDATE medic.secrets SET sealed = %(sealed)s WHERE name = 'TOKEN' RETURNING 1", sealed=first)
        assert opened(database, SECRETS, "TOKEN", "OTHER") == {"OTHER": "other value"}
        swap = "UPDATE medic.secrets SET sealed = (SELECT sealed FROM medic.secrets WHERE name = 'OTHER') RETURNING 1"
        rows(database, swap)
        assert opened(database, SECRETS, "TOKEN", "OTHER") == {"OTHER": "other value"}


class TestKeysThatChange:
    def test_after_a_re_encryption_the_former_key_can_go(
        self, functions: Functions, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names = [f"S{number:03}" for number in range(150)]
        with database.transaction() as tx:
            for name in names:
                flows.put(tx, SECRETS, name, f"value of {name}", "", "ann")
        newest = a_new_key()
        assert opened(database, sealer(newest, (), ""), *names) == {}
        monkeypatch.setenv("MEDIC_SECRETS_KEY", newest)
        monkeypatch.setenv("MEDIC_FORMER_SECRETS_KEYS", f"{a_new_key()},{SECRETS_KEY}")
        for sealed_anew in (150, 0):
            reply = functions.api("POST", "/v2/secrets/re-encrypt", x_actor="bob")
            assert reply.json["results"] == {"sealed_anew": sealed_anew, "cannot_be_opened": []}
        assert opened(database, sealer(newest, (), ""), *names) == {name: f"value of {name}" for name in names}
        assert opened(database, SECRETS, *names) == {}
        noted = [(actor, details["names"]) for action, actor, _, details in audited(database) if "reenc" in action]
        assert noted == [("bob", names[:100]), ("bob", names[100:])]
        kept = "SELECT count(*) FROM medic.secrets WHERE version = 1 AND updated_by = 'ann'"
        assert rows(database, kept) == [(150,)]

    def test_several_at_once_seal_each_once(self, functions: Functions, database: Database) -> None:
        with database.transaction() as tx:
            for number in range(120):
                flows.put(tx, SECRETS, f"S{number}", str(number), "", "ann")
        newest = sealer(a_new_key(), (SECRETS_KEY,), "")

        def renew(_: int) -> int:
            own = Database(database._server)
            try:
                return flows.reencrypt(own, newest, "ann")[0]
            finally:
                own.close()

        with ThreadPoolExecutor(4) as people:
            assert sum(people.map(renew, range(4))) == 120
        assert len(opened(database, newest, *(f"S{number}" for number in range(120)))) == 120

    def test_one_whose_key_is_lost_is_named_and_keeps_nobody(self, functions: Functions, database: Database) -> None:
        put(functions)
        with database.transaction() as tx:
            flows.put(tx, sealer(a_new_key(), (), ""), "LOST", CANARY, "", "ann")
        newest = sealer(a_new_key(), (SECRETS_KEY,), "")
        assert flows.reencrypt(database, newest, "ann") == (1, ["LOST"])
        assert opened(database, newest, "TOKEN", "LOST") == {"TOKEN": CANARY}

    def test_what_an_approval_waits_with_is_sealed_anew_too(self, database: Database) -> None:
        hand = Hand(
            database, started(database, a_playbook(database, {"type": "wait", "duration": "1s"}, approval="required"))
        )
        hand.turn()
        engine.keep_token(database, hand.execution_id, hand.state["engine_name"], "a-task-token", SECRETS)
        newest = a_new_key()
        for renewed in (1, 0):
            assert flows.reencrypt(database, sealer(newest, (SECRETS_KEY,), ""), "ann") == (renewed, [])
        with database.autocommit() as connection:
            found = task_tokens.read(connection, 1)
        assert found is not None
        assert found.sealed is not None
        assert sealer(newest, (), "").open(bytes(found.sealed), engine.token_context(1)) == b"a-task-token"

    def test_from_a_local_key_to_kms(self, database: Database, aws: Emulator, environment: dict[str, Any]) -> None:
        key_id = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
        with database.transaction() as tx:
            flows.put(tx, SECRETS, "TOKEN", CANARY, "", "ann")
        assert flows.reencrypt(database, sealer(SECRETS_KEY, (), key_id), "ann") == (1, [])
        assert opened(database, sealer("", (), key_id), "TOKEN") == {"TOKEN": CANARY}
        assert flows.reencrypt(database, sealer("", (), key_id), "ann") == (0, [])


# A secret never leaves (P39).


@pytest.fixture
def remedy() -> Iterator[Receiver]:
    """Says again all that it is told."""

    def answer(received: Any) -> Answer:
        return Answer(500, {"heard": received.content, "authorization": received.headers.get("authorization")})

    found = receivers.remedy(answer)
    yield found
    found.close()
    assert found.wrong == []


def test_a_secret_that_a_step_uses_is_where_it_is_sent_and_nowhere_else(
    functions: Functions, database: Database, remedy: Receiver, capfd: pytest.CaptureFixture[str]
) -> None:
    put(functions)
    put(functions, "ASCII", "canary-ascii-5d1e")
    step = {
        "type": "webhook",
        "url": f"{remedy.url}/do",
        "headers": {"Authorization": "Bearer ${secrets.ASCII}"},
        "body": {"token": "${secrets.TOKEN}"},
    }
    hand = Hand(database, started(database, a_playbook(database, step)), (remedy.url.removeprefix("http://"),))
    assert hand.to_the_end() == "failed"
    (received,) = remedy.received
    assert received.content["token"] == CANARY
    assert received.headers["authorization"] == "Bearer canary-ascii-5d1e"
    answers = [
        functions.api(method, target).body
        for method, target in (
            ("GET", "/v2/secrets"),
            ("GET", "/v2/secrets/TOKEN"),
            ("GET", "/v2/audit-logs?limit=250"),
            ("GET", f"/v2/executions/{hand.execution_id}"),
            ("GET", "/v2/playbooks/1"),
            ("POST", "/v2/secrets/re-encrypt"),
            ("DELETE", "/v2/secrets/ASCII"),
        )
    ]
    heard = capfd.readouterr()
    everywhere = "\n".join([*answers, everything_stored(database), json.dumps(hand.directives), heard.out, heard.err])
    assert "secret_used" in everywhere
    for value in (CANARY, "canary-ascii-5d1e"):
        assert [form for form in forms(value) if form in everywhere] == []


def test_the_dump_would_show_it(functions: Functions, database: Database) -> None:
    put(functions, description="in plain sight")
    assert "in plain sight" in everything_stored(database)
    assert CANARY not in everything_stored(database)
    rows(database, "UPDATE medic.secrets SET sealed = %(value)s RETURNING 1", value=b"\xff" + CANARY.encode())
    assert CANARY in everything_stored(database)


def test_what_goes_wrong_is_logged_without_it(
    functions: Functions, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    put(functions)
    with database.autocommit() as connection:
        connection.execute("ALTER TABLE medic.remediation_audit_log RENAME TO gone")
    reply = put(functions)
    assert reply.status == 500
    logged = caplog.text + repr([vars(record) for record in caplog.records])
    assert ("unforeseen" in logged, "UndefinedTable" in logged) == (True, True)
    assert [form for form in forms(CANARY) if form in reply.body + logged] == []
