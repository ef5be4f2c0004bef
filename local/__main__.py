"""`python -m local`: everything on this machine, in the foreground, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from local.console import Refused, complain
from local.settings import read
from local.stage import Stage


def main() -> int:
    """0 after Ctrl-C or SIGTERM, 1 with one line where it cannot start or go on."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # Also SIGINT: a shell's background jobs start with it ignored.
        signal.signal(number, _interrupt)
    try:
        with Stage(read(os.environ)) as stage:
            stage.keep_running()
    except KeyboardInterrupt:
        return 0
    except Refused as problem:
        complain(f"Medic cannot run: {problem}")
        return 1
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
