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

from medic_core.credentials import Server, here
from medic_core.errors import Unavailable

RV = TypeVar("RV")
#: A connection inside a transaction: nothing that waits for a network may happen while one is held.
Transaction: TypeAlias = psycopg.Connection[TupleRow]

#: What each session of Medic's has. A proxy takes no such options, and shares sessions out: `store.session_defaults`
#: gives them to the role.
SESSION: Final = {"TimeZone": "UTC", "statement_timeout": "20000", "lock_timeout": "10000"}
#: Found dead by the kernel after this, not after minutes of retransmission.
CONNECT: Final = {
    "connect_timeout": 2,
    "tcp_user_timeout": 2000,
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "application_name": "medic",
}
DIRECTLY: Final = {"options": " ".join(f"-c {name}={value}" for name, value in SESSION.items())}
#: Nor can a proxy share out a connection on which statements were prepared.
POOLED: Final = {"prepare_threshold": None}
#: Answers are waited for this long; where somebody waits for us in turn, less. The statement timeout is below it, so
#: that a slow statement is ended by the server, and only a server that is hung by us.
PATIENCE: Final = timedelta(seconds=25)
#: How often the wait looks at the clock.
LOOK_SECONDS: Final = 0.25
#: A connection idle for longer (a frozen environment's) is tried before it is trusted.
TRUSTED_SECONDS: Final = 30.0
#: After a failed connection, nobody tries again for this long: the way around it stays fast.
AVOIDED_SECONDS: Final = 2.0

#: Where the role lacks its defaults. It costs a proxy the sharing of this connection, and wrong times would cost more.
SET_TIME_ZONE: Final = "SET TIME ZONE 'UTC'"
#: What a server says that has looked at who asks. What does not reach it says something else.
REFUSED: Final = "FATAL"
NOW: Final = "SELECT now()"
ALIVE: Final = "SELECT 1"


class BoundedConnection(psycopg.Connection[TupleRow]):
    """A connection that gives up on a server that has stopped answering without closing it."""

    patience: float = PATIENCE.total_seconds()

    def wait(self, gen: PQGen[RV], interval: float = LOOK_SECONDS, timeout: float | None = None) -> RV:
        return super().wait(gen, interval, self.patience if timeout is None else timeout)


class Database:
    """Postgres through one lazily made connection, remade when it has broken. Not for several threads at once."""

    def __init__(self, server: Server | str, patience: timedelta = PATIENCE) -> None:
        self._server = here(server) if isinstance(server, str) else server
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
            connection = self._connect_with_renewed_credentials()
        except psycopg.OperationalError:
            self._avoid_until = time.monotonic() + AVOIDED_SECONDS
            raise
        connection.patience = self._patience
        if connection.info.parameter_status("TimeZone") != SESSION["TimeZone"]:
            connection.execute(SET_TIME_ZONE)
        return connection

    def _connect_with_renewed_credentials(self) -> BoundedConnection:
        """A password that was changed since it was read is read again, once."""
        url = self._server.full_url()
        try:
            return self._connect_to(url)
        except psycopg.OperationalError as error:
            if not self._server.credentials.is_elsewhere or REFUSED not in str(error):
                raise
            renewed = self._server.renewed_url()
            if renewed == url:
                raise
        return self._connect_to(renewed)

    def _connect_to(self, url: str) -> BoundedConnection:
        how = CONNECT | (POOLED if self._server.is_pooled else DIRECTLY)
        return BoundedConnection.connect(url, autocommit=True, **how)  # type: ignore[arg-type]

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
