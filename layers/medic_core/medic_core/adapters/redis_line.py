"""The one line to Redis: what is asked can be waited for later, and a Redis that is away costs next to nothing.

An instance does one thing at a time, so there is one connection and at most one question under way. Whoever asks
must be able to go on without the answer: None is "Redis cannot say".
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from medic_core.credentials import Server, here
from medic_core.errors import Unavailable

if TYPE_CHECKING:
    from redis.connection import Connection

#: Redis may cost this much, once; then it is not asked again for a while. Nobody waits for it request by request.
PATIENCE_SECONDS = 0.05
AVOIDED_SECONDS = 5.0
#: A line that was idle for longer (a frozen environment's) is looked at before it is trusted.
TRUSTED_SECONDS = 1.0


class Question:
    """A command that was sent."""

    def __init__(self, line: RedisLine, *, is_sent: bool) -> None:
        self._line = line
        self._is_open = is_sent
        self._reply: Any = None

    def reply(self) -> Any:
        """What Redis says, waited for at most `PATIENCE_SECONDS`; None where it cannot."""
        if self._is_open:
            self._is_open = False
            self._reply = self._line.read(self)
        return self._reply


class RedisLine:
    """Questions to one Redis, and a breaker before it: each time it opens, `on_away` is told.

    Without a URL there is no Redis, and every answer is None.
    """

    def __init__(self, server: Server | str, on_away: Callable[[], None] = lambda: None) -> None:
        self._server = here(server) if isinstance(server, str) else server
        self._on_away = on_away
        self._connection: Connection | None = None
        self._under_way: Question | None = None
        self._avoid_until = 0.0
        self._used_at = 0.0
        self._is_refused = False

    @property
    def is_open(self) -> bool:
        """Whether Redis is there as far as anybody knows."""
        return bool(self._server) and time.monotonic() >= self._avoid_until

    def ask(self, *command: str | bytes | int | float) -> Question:
        """Send a command without waiting for the reply. A question that is under way is heard out first."""
        if self._under_way is not None:
            self._under_way.reply()
        if not self.is_open:
            return Question(self, is_sent=False)
        # 50-100 ms to import: nobody pays it who has no Redis, or is only loaded.
        from redis.exceptions import RedisError  # noqa: PLC0415

        try:
            self._ready().send_command(*command, check_health=False)  # type: ignore[no-untyped-call]
        except (RedisError, OSError, Unavailable):
            self._give_up()
            return Question(self, is_sent=False)
        self._under_way = Question(self, is_sent=True)
        return self._under_way

    def call(self, *command: str | bytes | int | float) -> Any:
        """Send a command and wait for its reply."""
        return self.ask(*command).reply()

    def read(self, question: Question) -> Any:
        """The reply to the question under way; None for one that was given up since."""
        if self._connection is None or question is not self._under_way:
            return None
        from redis.exceptions import RedisError, ResponseError  # noqa: PLC0415  (as in `ask`)

        self._under_way = None
        try:
            return self._connection.read_response()
        except ResponseError as error:
            # The line is fine: it is the command that Redis does not take.
            return error
        except (RedisError, OSError):
            self._give_up()
            return None

    def close(self) -> None:
        """Hang up; the next question calls again."""
        if self._connection is not None:
            self._connection.disconnect()  # type: ignore[no-untyped-call]
        self._connection = self._under_way = None

    def _ready(self) -> Connection:
        if self._connection is not None and self._has_ended(self._connection):
            self.close()
        self._used_at = time.monotonic()
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> Connection:
        from redis.backoff import NoBackoff  # noqa: PLC0415  (as in `ask`)
        from redis.connection import ConnectionPool  # noqa: PLC0415
        from redis.exceptions import AuthenticationError, ResponseError  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415

        pool = ConnectionPool.from_url(
            self._url(),
            socket_timeout=PATIENCE_SECONDS,
            socket_connect_timeout=PATIENCE_SECONDS,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            driver_info=None,
            decode_responses=True,
        )
        connection = cast("Connection", pool.make_connection())
        try:
            connection.connect()  # type: ignore[no-untyped-call]
        except (AuthenticationError, ResponseError):
            # The next call, once the line is no longer avoided, looks whether the password was changed.
            self._is_refused = True
            raise
        self._is_refused = False
        return connection

    def _url(self) -> str:
        return self._server.renewed_url() if self._is_refused else self._server.full_url()

    def _has_ended(self, connection: Connection) -> bool:
        """Whether the server has hung up on a line that was idle for a while: what it has to read is its end."""
        from redis.exceptions import RedisError  # noqa: PLC0415  (as in `ask`)

        if time.monotonic() - self._used_at < TRUSTED_SECONDS:
            return False
        try:
            return connection.can_read(timeout=0)
        except (RedisError, OSError):
            return True

    def _give_up(self) -> None:
        self.close()
        self._avoid_until = time.monotonic() + AVOIDED_SECONDS
        self._on_away()
