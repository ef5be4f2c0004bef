"""The one connection of an environment, and what its failures mean."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final, TypeAlias, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.rows import TupleRow, scalar_row

from medic_core.errors import Unavailable

RV = TypeVar("RV")
#: A connection inside a transaction: nothing that waits for a network may happen while one is held.
Transaction: TypeAlias = psycopg.Connection[TupleRow]

#: Found dead by the kernel after this, not after minutes of retransmission.
CONNECT: Final = {
    "connect_timeout": 2,
    "tcp_user_timeout": 2000,
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "options": "-c TimeZone=UTC -c statement_timeout=20000 -c lock_timeout=10000",
    "application_name": "medic",
}
#: Answers are waited for this long; where somebody waits for us in turn, less. The statement timeout is below it, so
#: that a slow statement is ended by the server, and only a server that is hung by us.
PATIENCE: Final = timedelta(seconds=25)
#: How often the wait looks at the clock.
LOOK_SECONDS: Final = 0.25
#: A connection idle for longer (a frozen environment's) is tried before it is trusted.
TRUSTED_SECONDS: Final = 30.0
#: After a failed connection, nobody tries again for this long: the way around it stays fast.
AVOIDED_SECONDS: Final = 2.0

NOW: Final = "SELECT now()"
ALIVE: Final = "SELECT 1"


class BoundedConnection(psycopg.Connection[TupleRow]):
    """A connection that gives up on a server that has stopped answering without closing it."""

    patience: float = PATIENCE.total_seconds()

    def wait(self, gen: PQGen[RV], interval: float = LOOK_SECONDS, timeout: float | None = None) -> RV:
        return super().wait(gen, interval, self.patience if timeout is None else timeout)


class Database:
    """Postgres through one lazily made connection, remade when it has broken. Not for several threads at once."""

    def __init__(self, url: str, patience: timedelta = PATIENCE) -> None:
        self._url = url
        self._patience = patience.total_seconds()
        self._connection: Transaction | None = None
        self._used_at = 0.0
        self._avoid_until = 0.0

    @contextmanager
    def autocommit(self) -> Iterator[Transaction]:
        """A connection on which each statement is its own transaction. Raises Unavailable."""
        with self._translated():
            yield self._ready()
            self._used_at = time.monotonic()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """All of the block commits together or not at all. Raises Unavailable."""
        with self._translated():
            connection = self._ready()
            with connection.transaction():
                yield connection
            self._used_at = time.monotonic()

    def close(self) -> None:
        """Give the connection back; the next use makes a new one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _ready(self) -> Transaction:
        connection = self._connection
        if connection is not None and (_has_ended(connection) or self._has_died_silently(connection)):
            self.close()
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _has_died_silently(self, connection: Transaction) -> bool:
        """Whether a connection that nobody used for long still answers."""
        if time.monotonic() - self._used_at <= TRUSTED_SECONDS:
            return False
        try:
            connection.execute(ALIVE)
        except psycopg.OperationalError:
            return True
        return False

    def _connect(self) -> Transaction:
        if time.monotonic() < self._avoid_until:
            raise Unavailable
        try:
            connection = BoundedConnection.connect(self._url, autocommit=True, **CONNECT)  # type: ignore[arg-type]
            connection.patience = self._patience
            return connection
        except psycopg.OperationalError:
            self._avoid_until = time.monotonic() + AVOIDED_SECONDS
            raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """OperationalError is all that the server or the way to it did; the rest are mistakes of ours and rise."""
        try:
            yield
        except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction) as error:
            self.close()
            raise Unavailable from error


def _has_ended(connection: Transaction) -> bool:
    """Whether the server has closed the connection: seen from here, without asking it."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    try:
        # What an idle connection has to read is a notice or, at the end of the notices, the end.
        while poll.poll(0):
            connection.pgconn.consume_input()
    except psycopg.OperationalError:
        return True
    return False


def now(tx: Transaction) -> datetime:
    """The database's time, the same throughout a transaction."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(NOW).fetchone()
    assert isinstance(found, datetime)
    return found
