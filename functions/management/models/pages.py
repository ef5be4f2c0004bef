"""Lists, a page at a time. A cursor is opaque to clients, and whatever they send as one is a 400 at worst."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import TypeVar

from medic_core.errors import BadRequest
from models.fields import LARGEST_ID, Page, printable

Row = TypeVar("Row")
Shown = TypeVar("Shown")


def page(
    rows: Sequence[Row], limit: int, show: Callable[[Row], Shown], cursor_after: Callable[[Row], str]
) -> Page[Shown]:
    """The first `limit` of rows that were read with one more."""
    more = len(rows) > limit
    return Page(
        items=[show(row) for row in rows[:limit]],
        has_more=more,
        cursor=cursor_after(rows[limit - 1]) if more else None,
    )


def id_cursor(number: int) -> str:
    """The cursor of a list that goes by ids."""
    return str(number)


def read_id_cursor(cursor: str | None) -> int | None:
    """The id to go on from. Raises BadRequest."""
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit()) or len(cursor) > len(str(LARGEST_ID)) or int(cursor) > LARGEST_ID:
        raise BadRequest("cursor: must be the cursor of an earlier page.")
    return int(cursor)


def sort_cursor(sort: str, value: str, number: int) -> str:
    """The cursor of a list that goes by a value, and by ids where it is the same."""
    return urlsafe_b64encode(json.dumps([sort, value, number]).encode()).decode().rstrip("=")


def read_sort_cursor(cursor: str | None, sort: str) -> tuple[str, int] | None:
    """The value and the id to go on from. Raises BadRequest, also where the list was sorted otherwise."""
    if cursor is None:
        return None
    try:
        sorted_by, value, number = json.loads(urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
        if sorted_by == sort and type(number) is int and 0 <= number <= LARGEST_ID:
            return printable(value), number
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass
    raise BadRequest("cursor: must be the cursor of an earlier page of the same list, sorted the same way.")
