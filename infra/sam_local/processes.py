"""Other programs: run, waited for, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from local.console import Refused

#: SAM removes its container when it is interrupted.
ENDING_SECONDS = 20
SHOWN_LINES = 6


@dataclass(frozen=True)
class Ran:
    """How a program ended, and what it wrote."""

    code: int
    output: str
    errors: str

    @property
    def complaint(self) -> str:
        """The end of what it wrote, on one line."""
        lines = (self.errors.strip() or self.output.strip()).splitlines()
        return " | ".join(line.strip() for line in lines[-SHOWN_LINES:] if line.strip()) or "it said nothing"


def run(
    command: Sequence[str | Path], *, environment: Mapping[str, str], folder: Path, stdin: int = subprocess.DEVNULL
) -> Ran:
    """Run a program to its end. Whatever interrupts the waiting, it is ended before that goes on."""
    # A session of its own: Ctrl-C reaches us alone, and we end it in order.
    with subprocess.Popen(
        command,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=dict(environment),
        cwd=folder,
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate()
        finally:
            end(process)
    return Ran(process.returncode, output, errors)


def checked(what: str, command: Sequence[str | Path], *, environment: Mapping[str, str], folder: Path) -> str:
    """What a program wrote that must not fail. Raises Refused."""
    ran = run(command, environment=environment, folder=folder)
    if ran.code != 0:
        raise Refused(f"{what} failed: {ran.complaint}")
    return ran.output


def end(process: subprocess.Popen[str] | subprocess.Popen[bytes], *, how: signal.Signals = signal.SIGINT) -> None:
    """Ask it to end, wait, and end it by force with all that it started."""
    if process.poll() is None:
        process.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(ENDING_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
