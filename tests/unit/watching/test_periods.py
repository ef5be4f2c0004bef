"""A service's past at a glance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from medic_core.domain.watching.periods import Outage, PeriodState, availability, period_of, slots
from medic_core.domain.watching.schedules import Cron, Interval

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LONG_AGO = NOW - timedelta(days=400)


def seen(*outages: Outage, registered_at: datetime = LONG_AGO, count: int = 6) -> str:
    return "".join(one.state.value[0] for one in slots(HOUR, NOW, registered_at, outages, count))


def test_without_trouble_all_is_up_and_the_last_period_ends_now() -> None:
    found = slots(HOUR, NOW, LONG_AGO, [])
    assert len(found) == 90
    assert {one.state for one in found} == {PeriodState.UP}
    assert (found[0].began, found[-1].began) == (NOW - 90 * HOUR, NOW - HOUR)


@pytest.mark.parametrize(
    ("outage", "expected"),
    [
        (Outage(NOW - HOUR / 2, None), "uuuuut"),
        (Outage(NOW - 2 * HOUR, None), "uuuudd"),
        (Outage(NOW - 2.5 * HOUR, None), "uuutdd"),
        (Outage(NOW - 3 * HOUR, NOW - 2 * HOUR), "uuuduu"),
        (Outage(NOW - 3.5 * HOUR, NOW - 2.5 * HOUR), "uuttuu"),
        (Outage(NOW - 3.5 * HOUR, NOW - 3.5 * HOUR), "uutuuu"),
        (Outage(NOW - 30 * HOUR, NOW - 5.5 * HOUR), "tuuuuu"),
        (Outage(NOW - 30 * HOUR, NOW - 7 * HOUR), "uuuuuu"),
        (Outage(NOW, None), "uuuuuu"),
    ],
)
def test_a_period_is_down_if_an_alert_was_open_throughout_else_troubled(outage: Outage, expected: str) -> None:
    assert seen(outage) == expected


def test_nothing_is_known_of_what_was_before_it_was_registered() -> None:
    assert "".join(one.state.value for one in slots(HOUR, NOW, NOW - 2.5 * HOUR, [], 4)) == "unknownupupup"


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Interval(5 * MINUTE, threshold=3, grace=HOUR), 5 * MINUTE),
        (Cron("*/10 * * * *"), 10 * MINUTE),
        (Cron("0 2 * * *", "Europe/Berlin"), 24 * HOUR),
        (Cron("0 2 * * 1"), 7 * 24 * HOUR),
    ],
)
def test_how_long_a_period_is(schedule: Interval | Cron, expected: timedelta) -> None:
    assert period_of(schedule, NOW) == expected


@pytest.mark.parametrize(
    ("outages", "expected"),
    [
        ([], 1.0),
        ([Outage(NOW - 5 * HOUR, NOW - 4 * HOUR)], 0.9),
        ([Outage(NOW - HOUR, None)], 0.9),
        # Two alerts at once are one outage.
        ([Outage(NOW - 5 * HOUR, NOW - 3 * HOUR), Outage(NOW - 4 * HOUR, NOW - 3 * HOUR)], 0.8),
        ([Outage(NOW - 20 * HOUR, None)], 0.0),
        ([Outage(NOW - 20 * HOUR, NOW - 15 * HOUR)], 1.0),
    ],
)
def test_the_share_of_time_without_an_alert(outages: list[Outage], expected: float) -> None:
    assert availability(NOW, NOW - 10 * HOUR, outages) == pytest.approx(expected)


def test_of_no_time_there_is_no_share() -> None:
    assert availability(NOW, NOW, []) is None
