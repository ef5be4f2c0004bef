"""What the person in front of the terminal sees."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Refused(Exception):
    """The stage cannot start or go on; the message is one line that says what to do."""


BEGAN = time.monotonic()


def elapsed() -> float:
    """Seconds since the start."""
    return time.monotonic() - BEGAN


def say(line: str) -> None:
    """A line, with the seconds since the start."""
    print(f"[{elapsed():5.1f}s] {line}", flush=True)


def tell(line: str = "") -> None:
    """A line as it is."""
    print(line, flush=True)


def complain(line: str) -> None:
    """A line for the error stream."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is being done, before it takes its time."""
    say(f"{what} …")
    yield
