"""What clients say to us: signals, whom they mean, and how the words of a body decide."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

#: A ping's body is kept to this many bytes; longer ones lose their end.
BODY_LIMIT = 100_000


class SignalKind(StrEnum):
    """What a signal says of its service."""

    UP = "UP"  #: alive
    DOWN = "DOWN"  #: says itself that it is down
    DEGRADED = "DEGRADED"  #: alive, not well
    STARTED = "STARTED"  #: a run began
    COMPLETED = "COMPLETED"  #: a run ended well
    FAILED = "FAILED"  #: a run ended badly
    LOG = "LOG"  #: something to keep; changes nothing
    IGNORED = "IGNORED"  #: kept for the reader; the service's filters let it change nothing


#: What a client may report by name; the other kinds are made by ping URLs alone.
REPORTABLE = frozenset(SignalKind) - {SignalKind.LOG, SignalKind.IGNORED}
#: What proves that the service lives.
ALIVE = frozenset({SignalKind.UP, SignalKind.COMPLETED, SignalKind.DEGRADED})


@dataclass(frozen=True, slots=True)
class ByName:
    """A service by its heartbeat name, in the form in which names are compared."""

    name_key: str


@dataclass(frozen=True, slots=True)
class ById:
    """A service by its number."""

    service_id: int


@dataclass(frozen=True, slots=True)
class ByPingId:
    """A service by the secret of its own ping URL."""

    ping_id: UUID


@dataclass(frozen=True, slots=True)
class BySlug:
    """A service by its team's ping key and its slug; made on first use where `create` is set."""

    ping_key: str
    slug: str
    create: bool = False


Whom = ByName | ById | ByPingId | BySlug


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing that a client told us.

    `received_at` is None while it is being received: the database's clock says when. A signal that waited
    in the spool brings the time of its receipt along. `signal_id` makes a repetition of the same receipt
    recognisable. `is_ping` marks what came by ping URL: filters apply to it, and a plain success closes the
    run that was started without an id.
    """

    signal_id: UUID
    whom: Whom
    kind: SignalKind
    is_ping: bool = False
    run_id: str | None = None
    exit_status: int | None = None
    method: str = "POST"
    body: bytes = b""
    remote_address: str = ""
    user_agent: str = ""
    received_at: datetime | None = None


#: What operators hear of a signal that was `Taken` so.
SCHEDULE_UNREADABLE = "a schedule that cannot be read counts as one of every hour"


@dataclass(frozen=True, slots=True)
class Taken:
    """A signal was recorded: for which service, as what, and how many notifications it caused.

    `created` says that the service was made for it. `duration` is that of the run that it ended, `limit` what the
    service allows its runs. `unreadable` is why the service's schedule counts as one of every hour, if it does.
    """

    service_id: int
    heartbeat_name: str
    kind: SignalKind
    run_id: str | None = None
    duration: timedelta | None = None
    limit: timedelta | None = None
    created: bool = False
    told: int = 0
    unreadable: str = ""


class Unmatched(StrEnum):
    """What becomes of a ping whose body holds none of the service's keywords."""

    IGNORE = "ignore"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class PingFilter:
    """What a service wants of the pings it gets (the rules are Healthchecks')."""

    post_only: bool = False
    success_keywords: tuple[str, ...] = ()
    failure_keywords: tuple[str, ...] = ()
    start_keywords: tuple[str, ...] = ()
    unmatched: Unmatched = Unmatched.IGNORE

    @property
    def has_keywords(self) -> bool:
        return bool(self.success_keywords or self.failure_keywords or self.start_keywords)


def filtered(kind: SignalKind, method: str, body: bytes, wanted: PingFilter) -> SignalKind:
    """What a ping says once the service's filters have been asked.

    Anything but a POST is ignored where only POST counts. Keywords judge the plain success ping alone:
    failure before success before start, case-sensitive. `/start`, `/fail` and exit statuses say it themselves.
    """
    if wanted.post_only and method != "POST":
        return SignalKind.IGNORED
    if not wanted.has_keywords or kind is not SignalKind.UP:
        return kind
    text = body.decode("utf-8", "replace")
    for keywords, meaning in (
        (wanted.failure_keywords, SignalKind.FAILED),
        (wanted.success_keywords, SignalKind.UP),
        (wanted.start_keywords, SignalKind.STARTED),
    ):
        if any(keyword in text for keyword in keywords):
            return meaning
    return SignalKind.FAILED if wanted.unmatched is Unmatched.FAIL else SignalKind.IGNORED
