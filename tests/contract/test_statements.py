"""Every statement that the store can send is one that the migrated schema takes."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator

import psycopg
import pytest

from medic_core import store
from medic_core.store.connection import Database

PLACEHOLDER = re.compile(r"%\((\w+)\)s")
STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")
#: Upper-case text that is no statement by itself.
NO_STATEMENTS = {
    "watched.FOR_SERVICE",
    "watched.SELECT",
    "batches.KEY",
    "heartbeat_events.PREFIX",
    "alert_lists.COLUMNS",
    "alert_lists.TABLES",
    "alerts.TOLD",
    "deliveries.NOBODY",
    "delivery_lists.COLUMNS",
    "delivery_lists.JOINED",
    "health.NEWEST_MIGRATION",
    "connection.REFUSED",
    "connection.SET_TIME_ZONE",
    "session_defaults.GIVE",
    "counting.LATE_SEEN",
    "counting.LATE_TAKEN",
    "counting.COUNTED",
    "playbooks.FIGURES",
    "services.FIELDS",
    "services.TABLES",
    "settling.COLUMNS",
    "maintenance.COLUMNS",
    "execution_lists.COLUMNS",
    "execution_lists.TABLES",
}


def constants() -> Iterator[tuple[str, str]]:
    """The store's upper-case texts; those with {} take names of tables and are put together when they are sent."""
    for module in pkgutil.iter_modules(store.__path__):
        for name, value in vars(importlib.import_module(f"medic_core.store.{module.name}")).items():
            if name.isupper() and isinstance(value, str) and "{" not in value:
                yield f"{module.name}.{name}", value


FOUND = {name: value for name, value in constants() if name not in NO_STATEMENTS}


def numbered(statement: str) -> str:
    """psycopg's placeholders as Postgres numbers them."""
    names = list(dict.fromkeys(PLACEHOLDER.findall(statement)))
    return PLACEHOLDER.sub(lambda match: f"${names.index(match[1]) + 1}", statement)


def test_placeholders_are_numbered_by_name() -> None:
    assert numbered("SELECT %(b)s, %(a)s, %(b)s::text") == "SELECT $1, $2, $1::text"


def test_every_text_of_the_store_is_looked_at() -> None:
    assert len(FOUND) > 40
    assert [name for name, value in FOUND.items() if not STATEMENT.match(value)] == []


@pytest.mark.parametrize("name", sorted(FOUND))
def test_the_schema_takes_it_and_can_tell_the_type_of_each_parameter(database: Database, name: str) -> None:
    parameters = set(PLACEHOLDER.findall(FOUND[name]))
    with database.autocommit() as connection:
        try:
            connection.execute(f"PREPARE checked AS {numbered(FOUND[name])}")
        except psycopg.errors.IndeterminateDatatype as error:
            pytest.fail(f"a parameter's type cannot be told, cast it: {error}")
        row = connection.execute("SELECT cardinality(parameter_types) FROM pg_prepared_statements").fetchone()
    assert row == (len(parameters),)
