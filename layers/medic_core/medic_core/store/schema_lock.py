"""The advisory lock under which the schema is changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg

#: Any number will do as long as it never changes; it spells "medic" in ASCII.
LOCK: Final = "SELECT pg_advisory_lock(469617502563)"


@contextmanager
def held(url: str) -> Iterator[None]:
    """Wait until nobody else changes the schema, and keep others waiting until the block ends."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(LOCK)
        yield
