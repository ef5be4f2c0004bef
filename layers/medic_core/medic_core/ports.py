"""The outside world on one page. Adapters keep these by shape; functions choose them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    # Shapes alone: whoever keeps one has what it is made of, and a heartbeat does not pay for messages.
    from medic_core.domain.access.rate_limits import Verdict
    from medic_core.domain.routing.messages import Message
    from medic_core.domain.routing.retries import Answer
    from medic_core.domain.routing.targets import Target


class Queue(Protocol):
    """Carries ids to the router, at least once."""

    def send(self, messages: Sequence[str], delay: timedelta = timedelta(0)) -> None:
        """Returns once all are taken; raises OSError or the library's error otherwise."""


class Channel(Protocol):
    """Tells one target of one thing. Answers, never raises for what the receiver did."""

    def __call__(self, message: Message, target: Target, receipt: str | None) -> Answer:
        """`receipt` is what the target called our first message about this alert."""


class Hasher(Protocol):
    """Hashes secrets so that a stolen table opens nothing."""

    def hashed(self, secret: str) -> str:
        """The hash under which a secret is stored."""

    def matches(self, secret_hash: str, secret: str) -> bool:
        """Whether the secret is the one that was hashed."""


class Asked(Protocol):
    """A verdict that may still be on its way."""

    @property
    def known(self) -> Verdict | None:
        """The verdict, where it need not be waited for."""

    def verdict(self) -> Verdict:
        """Wait for it, for a bounded time. Never fails."""


class Limiter(Protocol):
    """Admits a caller as often a minute as its limit says."""

    def ask(self, caller: str, limit: int, *, takes: bool = True) -> Asked:
        """Take a place in the caller's window if one is free; without `takes`, only look."""


class EngineStatus(StrEnum):
    """What the state machine says of a run."""

    RUNNING = "running"
    ENDED = "ended"
    UNKNOWN = "unknown"  #: it has never heard of it, or forgotten it


class Machine(Protocol):
    """Runs the state machine that walks playbooks. Raises OSError or the library's error where it is away."""

    def start(self, name: str, given: Mapping[str, Any]) -> None:
        """Begin a run under a name of ours; one that runs or ran already is none begun."""

    def stop(self, name: str) -> None:
        """End a run; one that is over or not known is nothing to end."""

    def status(self, name: str) -> EngineStatus:
        """What has become of a run."""

    def answer(self, task_token: str, given: Mapping[str, Any]) -> bool:
        """Let a run that waits go on; False where it does not wait (any more)."""


class Sealer(Protocol):
    """Closes what only its reader may see, bound to what it is for."""

    def seal(self, content: bytes, context: Mapping[str, str]) -> bytes:
        """Closed, so that only `open` with the same context reads it; raises ValueError where there is no key."""

    def open(self, sealed: bytes, context: Mapping[str, str]) -> bytes:
        """What was sealed; raises ValueError where it was for another purpose, or is not whole."""

    def is_current(self, sealed: bytes) -> bool:
        """Whether it is sealed under the newest key; raises ValueError where it is not whole, or there is no key."""
