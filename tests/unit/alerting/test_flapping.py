from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.alerting.flapping import STEADY, FlapLimit, Steadiness, begins, changed, why

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LIMIT = FlapLimit(changes=4, window=HOUR)


def after(minutes: list[int], limit: FlapLimit | None = LIMIT) -> list[Steadiness]:
    """What is known of a service after each change."""
    known = [STEADY]
    for minute in minutes:
        known.append(changed(known[-1], NOW + minute * MINUTE, limit))
    return known[1:]


def test_more_changes_than_the_limit_within_the_window_are_flapping() -> None:
    found = after([0, 1, 2, 3, 4])
    assert [one.flapping_until for one in found] == [None, None, None, None, NOW + 4 * MINUTE + HOUR]
    assert why(found[-1], NOW + 4 * MINUTE, LIMIT) == (
        "it went down or came back 5 times since 2026-03-01 12:00:00 UTC; "
        "you will hear of it again when it has been stable for 1 h"
    )


def test_the_same_number_over_a_longer_time_is_not() -> None:
    assert after([0, 20, 40, 60, 81])[-1].flapping_until is None


def test_each_further_change_holds_on_for_another_window_and_begins_nothing() -> None:
    found = after([0, 1, 2, 3, 4, 30])
    assert found[-1].flapping_until == NOW + 90 * MINUTE
    assert begins(found[3], found[4], NOW + 4 * MINUTE)
    assert not begins(found[4], found[5], NOW + 30 * MINUTE)


def test_after_a_window_without_change_it_is_stable_and_may_flap_again() -> None:
    steady = after([0, 1, 2, 3, 4])[-1]
    assert steady.is_flapping(NOW + 63 * MINUTE)
    assert not steady.is_flapping(NOW + 64 * MINUTE)
    calm = changed(steady, NOW + 70 * MINUTE, LIMIT)
    assert not calm.is_flapping(NOW + 70 * MINUTE)


def test_without_a_limit_nothing_flaps() -> None:
    assert after(list(range(100)), None)[-1] == STEADY


@given(st.lists(st.integers(0, 300), max_size=60).map(sorted), st.integers(2, 50), st.integers(1, 120))
def test_it_is_what_counting_would_say(minutes: list[int], most: int, window: int) -> None:
    limit = FlapLimit(most, window * MINUTE)
    until: datetime | None = None
    for index, (minute, found) in enumerate(zip(minutes, after(minutes, limit), strict=True)):
        at = NOW + minute * MINUTE
        lately = sum(minute - earlier <= window for earlier in minutes[: index + 1])
        if (until is not None and at < until) or lately > most:
            until = at + limit.window
        assert found.flapping_until == until
