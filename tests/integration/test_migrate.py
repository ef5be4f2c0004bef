"""The schema is brought up to date, as often as anyone likes."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from medic_core.adapters.migrations import apply_all
from medic_core.store.connection import Database
from tests.builders import rows
from tests.fixtures.functions import ADMIN_KEY, Functions
from tests.fixtures.postgres import MIGRATIONS, PostgresServer


def test_a_second_time_changes_nothing_also_where_the_user_is_called_like_the_schema(database_url: str) -> None:
    assert "//medic@" in database_url
    assert apply_all(database_url, MIGRATIONS) == []


def test_the_handler_migrates_makes_partitions_and_lets_the_operators_key_in(
    postgres_server: PostgresServer, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as admin:
        admin.execute("CREATE DATABASE fresh")
    url = postgres_server.url("fresh")
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("MEDIC_ADMIN_API_KEY", ADMIN_KEY)
    monkeypatch.syspath_prepend(str(MIGRATIONS))
    first: dict[str, Any] = functions.module("migrate").handler({}, None)
    second = functions.module("migrate").handler({}, None)
    assert (len(first["applied"]) > 0, second["applied"]) == (True, [])
    database = Database(url)
    keys = rows(database, "SELECT key_id, scopes FROM medic.api_keys JOIN medic.api_key_secrets USING (api_key_id)")
    partitions = rows(database, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'medic.heartbeat_events'::regclass")
    database.close()
    assert keys == [("testadmin", ["admin"])]
    assert partitions == [(16,)]
