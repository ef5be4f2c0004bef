from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.routing.retries import LONGEST_WAIT, WAITS, Answer, Delivered, GaveUp, Outcome, TryAgain, outcome

SECOND = timedelta(seconds=1)
TAKEN = [200, 201, 202, 204, 299]
NOT_NOW = [408, 425, 429, 500, 502, 503, 504, 599, 300, 301, 302, 307, 308]
NOT_THIS = [400, 401, 403, 404, 405, 409, 410, 413, 422, 424, 426, 428, 431, 451, 499]
ATTEMPTS = [1, 2, 3, 4, 5]


@pytest.mark.parametrize("status", TAKEN)
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_2xx_is_delivered_at_any_try(status: int, attempt: int) -> None:
    assert outcome(Answer(status), attempt) == Delivered()


@pytest.mark.parametrize("status", NOT_NOW)
@pytest.mark.parametrize(("attempt", "wait"), [(1, 1), (2, 5), (3, 30)])
def test_what_says_not_now_is_tried_after_1_and_5_and_30_seconds(status: int, attempt: int, wait: int) -> None:
    assert outcome(Answer(status), attempt) == TryAgain(wait * SECOND, f"answered {status}")


@pytest.mark.parametrize("status", NOT_NOW)
@pytest.mark.parametrize("attempt", [4, 5, 8])
def test_after_the_third_wait_it_is_given_up(status: int, attempt: int) -> None:
    assert outcome(Answer(status), attempt) == GaveUp(f"answered {status}")


@pytest.mark.parametrize("status", NOT_THIS)
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_4xx_that_says_not_this_is_never_tried_again(status: int, attempt: int) -> None:
    assert outcome(Answer(status, retry_after=SECOND), attempt) == GaveUp(f"answered {status}")


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
    assert outcome(answer, attempt) == expected


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("asked", "attempt", "wait"), [(0, 1, 1), (17, 1, 17), (2, 3, 30), (31, 3, 31), (3600, 2, 3600), (3601, 2, 3600)]
)
def test_retry_after_makes_the_wait_longer_never_shorter_and_an_hour_at_most(
    status: int, asked: int, attempt: int, wait: int
) -> None:
    assert outcome(Answer(status, retry_after=asked * SECOND), attempt) == TryAgain(wait * SECOND, f"answered {status}")


def test_retry_after_gives_no_further_try() -> None:
    assert outcome(Answer(429, retry_after=SECOND), 4) == GaveUp("answered 429")


answers = st.builds(
    Answer,
    status=st.none() | st.integers(100, 599),
    error=st.sampled_from(["", "refused"]),
    retry_after=st.timedeltas(timedelta(0), timedelta(days=1000)),
    permanent=st.booleans(),
)


@given(answers, st.integers(1, 100))
def test_tries_end_and_waits_have_bounds(answer: Answer, attempt: int) -> None:
    found = outcome(answer, attempt)
    if isinstance(found, TryAgain):
        assert attempt <= len(WAITS)
        assert WAITS[attempt - 1] <= found.wait <= LONGEST_WAIT
    if isinstance(found, Delivered):
        assert answer.status is not None
        assert 200 <= answer.status < 300
    else:
        assert found.because
