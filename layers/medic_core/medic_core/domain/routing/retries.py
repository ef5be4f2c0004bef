"""What becomes of a delivery after an answer: delivered, tried again, or given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

#: Tried again after these, then given up.
WAITS = (timedelta(seconds=1), timedelta(seconds=5), timedelta(seconds=30))
#: A delivery whose router died each time is given up after this many starts.
MOST_ATTEMPTS = 8
#: What a receiver says may delay us by this much at most.
LONGEST_WAIT = timedelta(hours=1)
#: Being asked to slow down is no failure: it uses no try up, for so long after the delivery was planned.
LONGEST_THROTTLING = timedelta(hours=6)
THROTTLED_WAIT = timedelta(seconds=30)
#: Where another target is told if this one cannot be, it is not waited for longer.
LONGEST_WAIT_IN_A_CHAIN = timedelta(minutes=1)
#: 4xx that say "not now" rather than "not this".
NOT_YOUR_FAULT = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered. `status` is None where there was no answer; `receipt` is its name for our message."""

    status: int | None
    body: str = ""
    error: str = ""
    retry_after: timedelta = timedelta(0)
    receipt: str | None = None
    #: The channel knows that repeating is useless, whatever the status.
    permanent: bool = False
    #: There was no answer in time.
    timed_out: bool = False
    #: Where there was no answer: the request may have arrived all the same.
    sent: bool = False

    @property
    def is_throttled(self) -> bool:
        """Whether the receiver asked us to slow down."""
        return self.status == HTTPStatus.TOO_MANY_REQUESTS


@dataclass(frozen=True, slots=True)
class Delivered:
    """It arrived."""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """It did not; try again after the wait."""

    wait: timedelta
    because: str


@dataclass(frozen=True, slots=True)
class GaveUp:
    """It did not, and it will not be tried again by itself."""

    because: str


Outcome = Delivered | TryAgain | GaveUp


@dataclass(frozen=True, slots=True)
class Try:
    """Which try of a delivery this is (1 is the first; throttled ones do not count), and how old the delivery is."""

    number: int
    age: timedelta = timedelta(0)
    in_a_chain: bool = False


def outcome(answer: Answer, this: Try) -> Outcome:
    """What an answer means for a try.

    A 4xx says that the message is wrong, so only 408, 425 and 429 are tried again.
    """
    status = answer.status
    if status is not None and HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES and not answer.error:
        return Delivered()
    because = answer.error or f"answered {status}"
    refused = status is not None and HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    if answer.permanent or (refused and status not in NOT_YOUR_FAULT):
        return GaveUp(because)
    if answer.is_throttled and this.age < LONGEST_THROTTLING:
        wait = answer.retry_after or THROTTLED_WAIT
    elif this.number > len(WAITS):
        return GaveUp(because)
    else:
        wait = max(WAITS[this.number - 1], answer.retry_after)
    if this.in_a_chain and wait > LONGEST_WAIT_IN_A_CHAIN:
        return GaveUp(f"{because}, for longer than the next target is kept waiting")
    return TryAgain(min(wait, LONGEST_WAIT), because)
