from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.watching.outages import (
    MASS,
    SILENCE_HOLD,
    SPOOL_HOLD,
    Gap,
    Hold,
    Proceed,
    Restart,
    Shift,
    Situation,
    Verdict,
    is_gap,
    judge,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, MINUTE, MICROSECOND = timedelta(seconds=1), timedelta(minutes=1), timedelta(microseconds=1)
QUIET = Situation(NOW)
GAP = Gap(NOW - 10 * MINUTE, 10 * MINUTE, heartbeats=0, usual=100.0)
ALL_SILENT = Situation(NOW, due=10, others=10, heard_at=NOW - MINUTE, due_heard_at=NOW - MINUTE)


def judged(situation: Situation, **known: Any) -> Verdict:
    return judge(replace(situation, **known))


def test_with_nothing_wrong_what_is_due_is_opened() -> None:
    assert judge(QUIET) == Proceed()
    assert judged(QUIET, due=5000, others=20_000, heard_at=NOW, due_heard_at=NOW - MINUTE) == Proceed()


@pytest.mark.parametrize(
    ("spooled", "waiting", "verdict"),
    [
        (0, None, Proceed),
        (0, 20 * MINUTE, Proceed),
        (1, None, Hold),
        (1, timedelta(0), Hold),
        (7, 14 * MINUTE, Hold),
        (1, SPOOL_HOLD - MICROSECOND, Hold),
        (1, SPOOL_HOLD, Proceed),
        (100_000, 60 * MINUTE, Proceed),
    ],
)
def test_heartbeats_in_the_spool_hold_alerts_back_for_15_minutes_at_most(
    spooled: int, waiting: timedelta | None, verdict: type[Verdict]
) -> None:
    since = None if waiting is None else NOW - waiting
    assert isinstance(judged(QUIET, spooled=spooled, spool_waiting_since=since), verdict)
    assert timedelta(minutes=15) == SPOOL_HOLD


def test_the_spool_says_how_much_waits_and_makes_no_alert_of_its_own() -> None:
    assert judged(QUIET, spooled=7) == Hold("7 heartbeats wait in the spool")


@pytest.mark.parametrize(
    ("heartbeats", "usual", "verdict"),
    [
        (0, 100.0, Shift),
        (1, 100.0, Shift),
        (49, 100.0, Shift),
        (50, 100.0, Proceed),
        (100, 100.0, Proceed),
        (1, 2.5, Shift),
        (2, 2.5, Proceed),
        (0, 0.001, Shift),
        (1, 0.001, Proceed),
        (0, 0.0, Shift),
    ],
)
def test_a_gap_without_half_of_the_usual_heartbeats_was_an_outage_of_everything(
    heartbeats: int, usual: float, verdict: type[Verdict]
) -> None:
    assert isinstance(judged(QUIET, gap=replace(GAP, heartbeats=heartbeats, usual=usual)), verdict)


def test_heartbeats_prove_that_only_the_monitor_was_away_also_where_none_are_usual() -> None:
    assert judged(QUIET, gap=replace(GAP, heartbeats=10, usual=0.0)) == Proceed()


def test_deadlines_move_by_the_length_of_the_gap_and_the_reason_says_why() -> None:
    because = "no sweep for 600 s, in which 0 heartbeats came where 100 are usual"
    assert judged(QUIET, gap=GAP) == Shift(GAP.start, GAP.length, because)


@pytest.mark.parametrize("cadence", [15 * SECOND, MINUTE, 10 * MINUTE])
def test_a_gap_is_more_than_three_cadences(cadence: timedelta) -> None:
    assert is_gap(NOW - 3 * cadence, NOW, cadence) is False
    assert is_gap(NOW - 3 * cadence - MICROSECOND, NOW, cadence) is True
    assert is_gap(NOW, NOW, cadence) is False
    assert is_gap(None, NOW, cadence) is False


@pytest.mark.parametrize(
    ("due", "others", "verdict"),
    [
        (0, 0, Proceed),
        (1, 0, Proceed),
        (9, 0, Proceed),
        (10, 0, Hold),
        (10, 9, Hold),
        (10, 10, Hold),
        (10, 11, Proceed),
        (500, 500, Hold),
        (500, 501, Proceed),
    ],
)
def test_ten_services_and_half_of_all_at_once_are_a_silence_of_everyone(
    due: int, others: int, verdict: type[Verdict]
) -> None:
    found = judged(ALL_SILENT, due=due, others=others)
    assert isinstance(found, verdict)
    assert found != Proceed(silence_over=True)
    assert MASS == 10


def test_one_alert_says_that_everyone_fell_silent() -> None:
    assert judge(ALL_SILENT) == Hold(
        "10 services fell silent at once and nothing is heard from anyone", silence_began=True
    )


@pytest.mark.parametrize(
    ("heard", "due_heard", "verdict"),
    [
        (-60, -60, Hold),
        (-59, -60, Proceed),
        (0, -60, Proceed),
        (-61, -60, Hold),
        (None, None, Hold),
        (None, -60, Hold),
    ],
)
def test_anything_heard_after_the_last_of_them_proves_that_the_way_in_is_open(
    heard: int | None, due_heard: int | None, verdict: type[Verdict]
) -> None:
    moments = [None if seconds is None else NOW + seconds * SECOND for seconds in (heard, due_heard)]
    assert isinstance(judged(ALL_SILENT, heard_at=moments[0], due_heard_at=moments[1]), verdict)


@pytest.mark.parametrize(
    ("since", "heard", "verdict"),
    [
        (0, None, Hold("nothing is heard from anyone")),
        (-60, None, Hold("nothing is heard from anyone")),
        (-60, -61, Hold("nothing is heard from anyone")),
        (-60, -60, Hold("nothing is heard from anyone")),
        (-299, None, Hold("nothing is heard from anyone")),
        (-300, None, Proceed()),
        (-3600, None, Proceed()),
        (-3600, -3601, Proceed()),
        (-60, -59, Restart("heard again after a silence of everyone")),
        (-60, 0, Restart("heard again after a silence of everyone")),
        (-300, 0, Restart("heard again after a silence of everyone")),
        (-301, 0, Proceed(silence_over=True)),
        (-3600, -60, Proceed(silence_over=True)),
    ],
)
def test_a_known_silence_holds_for_five_minutes_and_ends_with_the_first_signal(
    since: int, heard: int | None, verdict: Verdict
) -> None:
    heard_at = None if heard is None else NOW + heard * SECOND
    assert judged(ALL_SILENT, silent_since=NOW + since * SECOND, heard_at=heard_at) == verdict
    assert timedelta(minutes=5) == SILENCE_HOLD


def test_the_guards_are_asked_in_their_order() -> None:
    everything = replace(ALL_SILENT, spooled=1, gap=GAP)
    assert judge(everything) == Hold("1 heartbeats wait in the spool")
    assert isinstance(judged(everything, spooled=0), Shift)
    assert judged(everything, spooled=0, gap=None) == judge(ALL_SILENT)


moments = st.none() | st.integers(-2000, 0).map(lambda seconds: NOW + seconds * SECOND)


@given(
    st.builds(
        Situation,
        now=st.just(NOW),
        spooled=st.integers(0, 5),
        spool_waiting_since=moments,
        gap=st.none() | st.builds(Gap, st.just(GAP.start), st.just(GAP.length), st.integers(0, 200), st.just(100.0)),
        due=st.integers(0, 30),
        others=st.integers(0, 30),
        heard_at=moments,
        due_heard_at=moments,
        silent_since=moments,
    )
)
def test_a_silence_begins_only_where_none_is_known_and_ends_only_where_one_is(situation: Situation) -> None:
    verdict = judge(situation)
    if isinstance(verdict, Restart) or verdict == Proceed(silence_over=True):
        assert situation.silent_since is not None
    if isinstance(verdict, Hold):
        assert not (verdict.silence_began and situation.silent_since)
    assert isinstance(verdict, Proceed) or verdict.because
