"""Tables of things that people make, list, change and delete one by one: their statements, from their columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

from psycopg import sql
from psycopg.errors import UniqueViolation
from psycopg.rows import class_row, scalar_row
from psycopg.types.json import Jsonb

from medic_core.store.connection import Transaction

Row = TypeVar("Row")
#: Every row has these, and is read at a `now`.
OF_THE_DATABASE = frozenset({"version", "created_at", "updated_at", "now"})


@dataclass(frozen=True)
class Table(Generic[Row]):
    """A table in the schema, the column that numbers its rows, and the dataclass that has its columns as fields.

    `fixed` are columns that are written once.
    """

    name: str
    key: str
    row: type[Row]
    fixed: frozenset[str] = frozenset()

    def listed(self, tx: Transaction, after: int, limit: int, **wanted: Any) -> list[Row]:
        """Rows in the order of their making, from the one after `after`; None does not filter."""
        filters = [
            sql.SQL("({value}::bigint IS NULL OR {column} = {value})").format(
                column=sql.Identifier(name), value=sql.Placeholder(name)
            )
            for name in wanted
        ]
        where = sql.SQL(" AND ").join(
            [sql.SQL("{} > {}").format(sql.Identifier(self.key), sql.Placeholder("after")), *filters]
        )
        statement = sql.SQL("{} WHERE {} ORDER BY {} LIMIT {}").format(
            self._select(), where, sql.Identifier(self.key), sql.Placeholder("limit")
        )
        with tx.cursor(row_factory=class_row(self.row)) as cursor:
            return cursor.execute(statement, {**wanted, "after": after, "limit": limit}).fetchall()

    def read(self, tx: Transaction, number: int, *, lock: bool = False) -> Row | None:
        """One row; with `lock` nobody else changes it until the transaction ends."""
        statement = sql.SQL("{} WHERE {} = {}{}").format(
            self._select(),
            sql.Identifier(self.key),
            sql.Placeholder("number"),
            sql.SQL(" FOR UPDATE") if lock else sql.SQL(""),
        )
        with tx.cursor(row_factory=class_row(self.row)) as cursor:
            return cursor.execute(statement, {"number": number}).fetchone()

    def add(self, tx: Transaction, values: Mapping[str, Any]) -> int | None:
        """Add a row and return its number; None where a name is taken."""
        self._check(values, self._columns())
        statement = sql.SQL("INSERT INTO medic.{} ({}) VALUES ({}) ON CONFLICT DO NOTHING RETURNING {}").format(
            sql.Identifier(self.name),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(map(sql.Placeholder, values)),
            sql.Identifier(self.key),
        )
        with tx.cursor(row_factory=scalar_row) as cursor:
            return cursor.execute(statement, _written(values)).fetchone()

    def update(self, tx: Transaction, number: int, changes: Mapping[str, Any]) -> bool:
        """Change these columns of a row; False where a name is another's."""
        self._check(changes, self._columns() - self.fixed)
        assignments = [sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in changes]
        statement = sql.SQL("UPDATE medic.{} SET updated_at = now(), version = version + 1, {} WHERE {} = {}").format(
            sql.Identifier(self.name),
            sql.SQL(", ").join(assignments),
            sql.Identifier(self.key),
            sql.Placeholder("number"),
        )
        try:
            with tx.transaction():
                tx.execute(statement, {**_written(changes), "number": number})
        except UniqueViolation:
            return False
        return True

    def delete(self, tx: Transaction, number: int) -> bool:
        """Remove a row; False where there is none."""
        statement = sql.SQL("DELETE FROM medic.{} WHERE {} = {}").format(
            sql.Identifier(self.name), sql.Identifier(self.key), sql.Placeholder("number")
        )
        return tx.execute(statement, {"number": number}).rowcount == 1

    def _columns(self) -> frozenset[str]:
        return frozenset(field.name for field in fields(self.row)) - OF_THE_DATABASE  # type: ignore[arg-type]

    def _select(self) -> sql.Composed:
        names = [field.name for field in fields(self.row) if field.name != "now"]  # type: ignore[arg-type]
        return sql.SQL("SELECT {}, now() AS now FROM medic.{}").format(
            sql.SQL(", ").join(map(sql.Identifier, names)), sql.Identifier(self.name)
        )

    def _check(self, values: Mapping[str, Any], known: frozenset[str]) -> None:
        unknown = set(values) - known
        if unknown:
            raise ValueError(f"not columns of {self.name} that can be written: {sorted(unknown)}")


def _written(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: Jsonb(value) if isinstance(value, dict) else value for name, value in values.items()}
