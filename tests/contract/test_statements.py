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
SQL = re.compile(r"\s*(--.*\n|\s)*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")


def statements() -> Iterator[tuple[str, str]]:
    for module in pkgutil.iter_modules(store.__path__):
        for name, value in vars(importlib.import_module(f"medic_core.store.{module.name}")).items():
            if name.isupper() and isinstance(value, str) and SQL.match(value) and "{" not in value:
                yield f"{module.name}.{name}", value


FOUND = dict(statements())


def prepared(statement: str) -> str:
    """psycopg's placeholders as Postgres numbers them."""
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    return PLACEHOLDER.sub(number, statement)


def test_there_are_statements_to_look_at() -> None:
    assert len(FOUND) > 40


@pytest.mark.parametrize("name", sorted(FOUND))
def test_the_schema_takes_it(database: Database, name: str) -> None:
    with database.autocommit() as connection:
        try:
            connection.execute(f"PREPARE checked AS {prepared(FOUND[name])}")
        except psycopg.errors.IndeterminateDatatype:
            pytest.fail("a parameter's type cannot be told: cast it")
        assert connection.execute("SELECT count(*) FROM pg_prepared_statements WHERE name = 'checked'").fetchone() == (
            1,
        )
