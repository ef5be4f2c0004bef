"""The advisory lock under which the schema is changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg

#: A database that was resting wakes up within this.
CONNECT_SECONDS: Final = 30
#: Less than the function that migrates has, so that it can still say why.
PATIENCE_MILLISECONDS: Final = 200_000
#: Any number will do as long as it never changes; it spells "medic" in ASCII.
LOCK: Final = "SELECT pg_advisory_lock(469617502563)"


@contextmanager
def held(url: str) -> Iterator[None]:
    """Wait until nobody else changes the schema, and keep others waiting until the block ends.

    Raises psycopg.OperationalError where the database is away or others take too long: a deploy fails with that.
    """
    options = f"-c lock_timeout={PATIENCE_MILLISECONDS}"
    with psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS, options=options) as connection:
        connection.execute(LOCK)
        yield
