"""What was done, how long it took, and what was wrong with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from local.console import Refused, say, tell


@dataclass(frozen=True)
class Result:
    """One thing that was done; `problem` is None where it was right."""

    who: str
    what: str
    seconds: float
    problem: str | None

    def line(self, widths: tuple[int, int]) -> str:
        said = "ok" if self.problem is None else f"WRONG: {' '.join(self.problem.split())}"
        return f"{self.who:<{widths[0]}}  {self.what:<{widths[1]}}  {self.seconds:6.1f} s  {said}"


class Results:
    """Says each thing when it is done, and all of them at the end."""

    def __init__(self) -> None:
        self._all: list[Result] = []

    @contextmanager
    def phase(self, what: str) -> Iterator[None]:
        """Something that must be done for the rest: where it cannot, nothing goes on."""
        say(f"{what} …")
        began = time.monotonic()
        yield
        self._keep(Result("", what, time.monotonic() - began, None))

    def check(self, who: str, what: str, look: Callable[[], str | None]) -> None:
        """Something that must be right; where it is not, the others are looked at all the same."""
        began = time.monotonic()
        try:
            problem = look()
        except Refused as refused:
            problem = str(refused)
        except Exception as error:  # noqa: BLE001
            problem = f"{type(error).__name__}: {error}"
        self._keep(Result(who, what, time.monotonic() - began, problem))

    def _keep(self, result: Result) -> None:
        self._all.append(result)
        say(result.line((0, 0)).strip())

    def summed_up(self) -> int:
        """Print the table; how many were wrong, as an exit code."""
        widths = max(len(one.who) for one in self._all), max(len(one.what) for one in self._all)
        tell()
        for result in self._all:
            tell(result.line(widths))
        wrong = [result for result in self._all if result.problem is not None]
        total = sum(result.seconds for result in self._all)
        tell(f"{len(self._all) - len(wrong)} right, {len(wrong)} wrong, {total:.0f} s")
        return 1 if wrong else 0
