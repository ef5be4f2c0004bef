"""Clocks and tables."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial


@contextmanager
def one_core() -> Iterator[None]:
    """All that is started inside shares one core: what is compared is work, not how fast an idle core wakes up."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True)
class Timing:
    """Many calls of one thing."""

    seconds: list[float]

    @property
    def per_second(self) -> float:
        return len(self.seconds) / sum(self.seconds)

    def percentile(self, share: float) -> float:
        """In milliseconds."""
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(share * len(self.seconds)))] * 1000


def timed(call: Callable[[], object], count: int) -> Timing:
    """Call it `count` times, after a tenth of that to warm up."""
    for _ in range(count // 10):
        call()
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return Timing(seconds)


Run = Callable[[int], Timing]
#: Columns of `compared`.
COMPARED = ("what", "a second", "p50, µs", "p99, µs", "× the first")


def calling(call: Callable[[], object]) -> Run:
    """How so many calls of this are timed."""
    return partial(timed, call)


def alternated(calls: Mapping[str, Callable[[], object]], count: int, rounds: int) -> dict[str, list[Timing]]:
    """Time several things in turn, round after round, so that a noisy machine disturbs all alike."""
    return in_turn({name: calling(call) for name, call in calls.items()}, count, rounds)


def in_turn(runs: Mapping[str, Run], count: int, rounds: int) -> dict[str, list[Timing]]:
    """As `alternated`, of what times itself."""
    found: dict[str, list[Timing]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(run(count))
    return found


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def spread(values: Sequence[float], form: str) -> str:
    """The median with the lowest and the highest of the rounds."""
    low, middle, high = (f"{value:{form}}" for value in (min(values), median(values), max(values)))
    return f"{middle} ({low}–{high})"


def compared(found: Mapping[str, Sequence[Timing]], reference: str | None = None) -> list[tuple[str, ...]]:
    """Rows of how often a second and how long, of each thing's rounds; the share is of the reference's same round."""
    first = found[reference or next(iter(found))]
    rows = []
    for name, timings in found.items():
        shares = [own.per_second / ref.per_second for own, ref in zip(timings, first, strict=True)]
        times = (spread([timing.percentile(share) * 1000 for timing in timings], ",.1f") for share in (0.5, 0.99))
        rows.append((name, spread([one.per_second for one in timings], ",.0f"), *times, spread(shares, ",.2f")))
    return rows


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table under its title."""
    lines = [f"### {title}", "", "| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
