"""Things that belong together, read by one statement: a list is a column of the row, `ARRAY(SELECT ROW(...) ...)`."""

from __future__ import annotations

from typing import Any

from psycopg.rows import dict_row

from medic_core.store.connection import Transaction


def gathered(tx: Transaction, statement: str, **values: Any) -> dict[str, Any] | None:
    """The row, each list in it as tuples; None where there is none."""
    # As text, what stands in a ROW comes without its type.
    with tx.cursor(row_factory=dict_row, binary=True) as cursor:
        return cursor.execute(statement, values).fetchone()
