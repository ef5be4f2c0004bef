"""The signals that end a run. The first does; those that follow must not disturb the orderly stop."""

from __future__ import annotations

import signal
from types import FrameType

#: Ctrl-C, `kill`, and the terminal window that is closed.
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interrupt_once() -> None:
    """Have the first of them raise KeyboardInterrupt, even where SIGINT was ignored (a shell's background job)."""
    for number in ENDINGS:
        signal.signal(number, _interrupt)


def ignore() -> None:
    """From now on."""
    for number in ENDINGS:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    ignore()
    raise KeyboardInterrupt
