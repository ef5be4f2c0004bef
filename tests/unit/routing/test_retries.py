from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.routing.retries import (
    LONGEST_THROTTLING,
    LONGEST_WAIT,
    LONGEST_WAIT_IN_A_CHAIN,
    WAITS,
    Answer,
    Delivered,
    GaveUp,
    Outcome,
    Try,
    TryAgain,
    outcome,
)

SECOND = timedelta(seconds=1)
TAKEN = [200, 201, 202, 204, 299]
NOT_NOW = [408, 425, 500, 502, 503, 504, 599, 300, 301, 302, 307, 308]
NOT_THIS = [400, 401, 403, 404, 405, 409, 410, 413, 422, 424, 426, 428, 431, 451, 499]
ATTEMPTS = [1, 2, 3, 4, 5]


@pytest.mark.parametrize("status", TAKEN)
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_2xx_is_delivered_at_any_try(status: int, attempt: int) -> None:
    assert outcome(Answer(status), Try(attempt)) == Delivered()


@pytest.mark.parametrize("status", NOT_NOW)
@pytest.mark.parametrize(("attempt", "wait"), [(1, 1), (2, 5), (3, 30)])
def test_what_says_not_now_is_tried_after_1_and_5_and_30_seconds(status: int, attempt: int, wait: int) -> None:
    assert outcome(Answer(status), Try(attempt)) == TryAgain(wait * SECOND, f"answered {status}")


@pytest.mark.parametrize("status", NOT_NOW)
@pytest.mark.parametrize("attempt", [4, 5, 8])
def test_after_the_third_wait_it_is_given_up(status: int, attempt: int) -> None:
    assert outcome(Answer(status), Try(attempt)) == GaveUp(f"answered {status}")


@pytest.mark.parametrize("status", NOT_THIS)
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_4xx_that_says_not_this_is_never_tried_again(status: int, attempt: int) -> None:
    assert outcome(Answer(status, retry_after=SECOND), Try(attempt)) == GaveUp(f"answered {status}")


@pytest.mark.parametrize(
    ("answer", "attempt", "expected"),
    [
        (Answer(None, error="refused"), 1, TryAgain(SECOND, "refused")),
        (Answer(None, error="refused"), 3, TryAgain(30 * SECOND, "refused")),
        (Answer(None, error="refused"), 4, GaveUp("refused")),
        (Answer(None, error="Invalid webhook URL", permanent=True), 1, GaveUp("Invalid webhook URL")),
        (Answer(200, error="Slack said internal_error"), 1, TryAgain(SECOND, "Slack said internal_error")),
        (Answer(200, error="Slack said not_in_channel", permanent=True), 1, GaveUp("Slack said not_in_channel")),
        (Answer(503, permanent=True), 1, GaveUp("answered 503")),
        (Answer(404, error="Slack said 404"), 1, GaveUp("Slack said 404")),
    ],
)
def test_what_the_channel_knows_counts_more_than_the_status(answer: Answer, attempt: int, expected: Outcome) -> None:
    assert outcome(answer, Try(attempt)) == expected


@pytest.mark.parametrize("status", [408, 503])
@pytest.mark.parametrize(
    ("asked", "attempt", "wait"), [(0, 1, 1), (17, 1, 17), (2, 3, 30), (31, 3, 31), (3600, 2, 3600), (3601, 2, 3600)]
)
def test_retry_after_makes_the_wait_longer_never_shorter_and_an_hour_at_most(
    status: int, asked: int, attempt: int, wait: int
) -> None:
    assert outcome(Answer(status, retry_after=asked * SECOND), Try(attempt)) == TryAgain(
        wait * SECOND, f"answered {status}"
    )


def test_retry_after_gives_no_further_try() -> None:
    assert outcome(Answer(503, retry_after=SECOND), Try(4)) == GaveUp("answered 503")


@pytest.mark.parametrize(("asked", "wait"), [(0, 30), (1, 1), (17, 17), (3600, 3600), (9999, 3600)])
def test_being_asked_to_slow_down_is_no_failure_however_often(asked: int, wait: int) -> None:
    answer = Answer(429, retry_after=asked * SECOND)
    for this in (Try(1), Try(4), Try(1, LONGEST_THROTTLING - SECOND)):
        assert outcome(answer, this) == TryAgain(wait * SECOND, "answered 429")
    assert outcome(answer, Try(4, LONGEST_THROTTLING)) == GaveUp("answered 429")


@pytest.mark.parametrize("status", [429, 503])
def test_where_another_can_be_told_nobody_is_waited_for_long(status: int) -> None:
    longest = LONGEST_WAIT_IN_A_CHAIN
    assert outcome(Answer(status, retry_after=longest), Try(1, in_a_chain=True)) == TryAgain(
        longest, f"answered {status}"
    )
    assert isinstance(outcome(Answer(status, retry_after=longest + SECOND), Try(1, in_a_chain=True)), GaveUp)


answers = st.builds(
    Answer,
    status=st.none() | st.integers(100, 599),
    error=st.sampled_from(["", "refused"]),
    retry_after=st.timedeltas(timedelta(0), timedelta(days=1000)),
    permanent=st.booleans(),
)


@given(answers, st.integers(1, 100))
def test_tries_end_and_waits_have_bounds(answer: Answer, attempt: int) -> None:
    found = outcome(answer, Try(attempt))
    if isinstance(found, TryAgain) and answer.is_throttled:
        assert SECOND * 0 < found.wait <= LONGEST_WAIT
    elif isinstance(found, TryAgain):
        assert attempt <= len(WAITS)
        assert WAITS[attempt - 1] <= found.wait <= LONGEST_WAIT
    if isinstance(found, Delivered):
        assert answer.status is not None
        assert 200 <= answer.status < 300
    else:
        assert found.because
