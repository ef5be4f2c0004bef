"""Figures for pictures that templates draw: where each mark stands, in the units of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from medic_core.domain.watching.periods import PeriodState, Slot
from medic_core.store.job_runs import RunRow

HEIGHT, STEP = 100, 12
#: Of a mark for a period: where the next one begins, and the height at which the line of them runs.
MARK, MIDDLE = 4, 10
#: A run that took no time at all is seen too.
LEAST_HEIGHT = 2.0
#: Above the highest bar there is air.
ROOM = 1.08


@dataclass(frozen=True, slots=True)
class Bar:
    """One run: where its bar stands and how high it is."""

    x: float
    y: float
    height: float
    state: str
    duration_ms: int
    began: datetime


@dataclass(frozen=True, slots=True)
class Durations:
    """A chart of runs, oldest first. `limit_y` is the height of the longest duration that is allowed."""

    width: int
    bars: list[Bar]
    highest_ms: int
    limit_y: float | None


def durations(runs: Sequence[RunRow], limit_ms: int | None) -> Durations | None:
    """The chart of the runs that have ended, given newest first; None where there are fewer than two."""
    ended = [(run, run.duration_ms) for run in reversed(runs) if run.duration_ms is not None]
    if len(ended) < 2:
        return None
    highest = max(1, *(length for _, length in ended))
    is_near = limit_ms is not None and limit_ms <= 2 * highest
    top = ROOM * (max(highest, limit_ms) if is_near and limit_ms else highest)
    bars = [
        _bar(index, run, length, height=max(LEAST_HEIGHT, length / top * HEIGHT))
        for index, (run, length) in enumerate(ended)
    ]
    limit_y = round(HEIGHT - limit_ms / top * HEIGHT, 1) if is_near and limit_ms else None
    return Durations(len(ended) * STEP, bars, highest, limit_y)


def strokes(slots: Sequence[Slot]) -> dict[PeriodState, str]:
    """A line for each state, dashed by the style into a mark for each period: a page holds many of them."""
    lines: dict[PeriodState, str] = {}
    at = 0
    for state, several in groupby(slots, key=lambda slot: slot.state):
        length = MARK * sum(1 for _ in several)
        lines[state] = lines.get(state, "") + f"M{at} {MIDDLE}h{length}"
        at += length
    return lines


def label(slots: Sequence[Slot]) -> str:
    """What a line of marks says, for those who do not see it."""
    troubled = sum(one.state in {PeriodState.DOWN, PeriodState.TROUBLED} for one in slots)
    known = sum(one.state is not PeriodState.UNKNOWN for one in slots)
    return f"Trouble in {troubled} of the last {known} periods" if known else "Not watched yet"


def _bar(index: int, run: RunRow, length: int, height: float) -> Bar:
    state = "failed" if run.status == "FAILED" else "stale" if run.stale_at else "completed"
    return Bar(index * STEP, round(HEIGHT - height, 1), round(height, 1), state, length, run.started_at)
