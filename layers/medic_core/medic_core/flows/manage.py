"""What people keep and change by number: teams, working hours, targets, webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from medic_core.domain.watching.names import name_key
from medic_core.errors import Conflict, NotFound, Stale
from medic_core.store.connection import Transaction
from medic_core.store.tables import Table


class Versioned(Protocol):
    """A row that counts its changes."""

    @property
    def version(self) -> int: ...


Row = TypeVar("Row", bound=Versioned)
TAKEN = "name: it is taken already."


def existing(tx: Transaction, table: Table[Row], number: int) -> Row:
    """The row. Raises NotFound."""
    found = table.read(tx, number)
    if found is None:
        raise NotFound(f"There is no {_called(table)} with this id.")
    return found


def create(tx: Transaction, table: Table[Row], values: Mapping[str, Any]) -> Row:
    """Add a row. Raises Conflict where its name is taken."""
    number = table.add(tx, _keyed(values))
    if number is None:
        raise Conflict(TAKEN)
    return existing(tx, table, number)


def change(tx: Transaction, table: Table[Row], number: int, changes: Mapping[str, Any], version: int | None) -> Row:
    """Change a row. Raises NotFound, Stale, Conflict where its name is taken."""
    before = _locked(tx, table, number, version)
    if not changes:
        return before
    if not table.update(tx, number, _keyed(changes)):
        raise Conflict(TAKEN)
    return existing(tx, table, number)


def delete(tx: Transaction, table: Table[Row], number: int, version: int | None) -> None:
    """Remove a row. Raises NotFound, Stale."""
    _locked(tx, table, number, version)
    table.delete(tx, number)


def _locked(tx: Transaction, table: Table[Row], number: int, version: int | None) -> Row:
    found = table.read(tx, number, lock=True)
    if found is None:
        raise NotFound(f"There is no {_called(table)} with this id.")
    if version is not None and version != found.version:
        raise Stale
    return found


def _called(table: Table[Any]) -> str:
    return table.name.removesuffix("s").replace("_", " ")


def _keyed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Names are compared without their case."""
    return {**values, "name_key": name_key(values["name"])} if "name" in values else dict(values)
