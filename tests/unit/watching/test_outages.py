from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from medic_core.domain.watching.outages import Gap, Hold, Proceed, Restart, Shift, Situation, Verdict, is_gap, judge

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
QUIET = Situation(NOW)
GAP = Gap(NOW - 10 * MINUTE, 10 * MINUTE, heartbeats=0, usual=100.0)
MASS = Situation(NOW, due=10, others=10, heard_at=NOW - MINUTE, due_heard_at=NOW - MINUTE)


@pytest.mark.parametrize(
    ("situation", "verdict"),
    [
        (QUIET, Proceed),
        (replace(QUIET, spooled=1), Hold),
        (replace(QUIET, spooled=1, spool_waiting_since=NOW - 14 * MINUTE), Hold),
        (replace(QUIET, spooled=1, spool_waiting_since=NOW - 15 * MINUTE), Proceed),
        (replace(QUIET, gap=GAP), Shift),
        (replace(QUIET, gap=replace(GAP, heartbeats=49)), Shift),
        (replace(QUIET, gap=replace(GAP, heartbeats=50)), Proceed),
        (replace(QUIET, gap=replace(GAP, usual=0.0)), Shift),
        (replace(QUIET, spooled=1, gap=GAP), Hold),
        (MASS, Hold),
        (replace(MASS, due=9, others=0), Proceed),
        (replace(MASS, others=11), Proceed),
        (replace(MASS, heard_at=NOW - 59 * SECOND), Proceed),
        (replace(QUIET, silent_since=NOW - MINUTE), Hold),
        (replace(QUIET, silent_since=NOW - 5 * MINUTE), Proceed),
        (replace(QUIET, silent_since=NOW - 2 * MINUTE, heard_at=NOW - MINUTE), Restart),
        (replace(QUIET, silent_since=NOW - 9 * MINUTE, heard_at=NOW - MINUTE), Proceed),
        (replace(QUIET, silent_since=NOW - 2 * MINUTE, heard_at=NOW - 3 * MINUTE), Hold),
    ],
)
def test_the_first_guard_that_objects_decides(situation: Situation, verdict: type[Verdict]) -> None:
    assert isinstance(judge(situation), verdict)


def test_one_alert_says_that_everyone_fell_silent_and_it_ends_when_someone_is_heard() -> None:
    assert judge(MASS) == Hold("10 services fell silent at once and nothing is heard from anyone", silence_began=True)
    over = judge(replace(QUIET, silent_since=NOW - 9 * MINUTE, heard_at=NOW))
    assert over == Proceed(silence_over=True)


def test_deadlines_move_by_the_length_of_the_gap_and_the_reason_says_why() -> None:
    because = "no sweep for 600 s, in which 0 heartbeats came where 100 are usual"
    assert judge(replace(QUIET, gap=GAP)) == Shift(GAP.start, GAP.length, because)


@pytest.mark.parametrize(("seconds", "suspicious"), [(45, False), (46, True)])
def test_a_gap_is_more_than_three_cadences(seconds: int, suspicious: bool) -> None:
    assert is_gap(NOW - seconds * SECOND, NOW, 15 * SECOND) is suspicious
    assert is_gap(None, NOW, 15 * SECOND) is False
