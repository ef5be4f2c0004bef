"""How long Medic's own silence lasts until somebody outside hears of it: CloudWatch's rule, applied to the alarms."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.test_alarms import ALARM, ALARMS

COMPARE = {
    "LessThanThreshold": operator.lt,
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
}
LONGEST_MINUTES = 30
#: A function that is called all the while and fails each time; one that waits in a queue gets older.
FAILS: Callable[[int], float] = lambda _: 1.0  # noqa: E731
NOTHING: Callable[[int], float] = lambda _: 0.0  # noqa: E731
AGES: Callable[[int], float] = lambda minute: 60.0 * minute  # noqa: E731


def value(of: Any) -> float:
    """A number of the template, or the default of the parameter that it is."""
    return float(ALARMS["Parameters"][of["Ref"]]["Default"] if isinstance(of, dict) else of)


def minutes_until(logical_id: str, stopped: Callable[[int], float], well: float) -> int:
    """How many minutes after the stop an alarm goes off, whose minutes were `well` before."""
    alarm = ALARM[logical_id]
    periods = int(value(alarm["EvaluationPeriods"]))
    enough = int(value(alarm.get("DatapointsToAlarm", periods)))
    compare, threshold = COMPARE[alarm["ComparisonOperator"]], value(alarm["Threshold"])
    minutes = [well] * periods
    for minute in range(1, LONGEST_MINUTES):
        minutes.append(stopped(minute))
        if sum(compare(one, threshold) for one in minutes[-periods:]) >= enough:
            return minute
    pytest.fail(f"{logical_id} never goes off")


@pytest.mark.parametrize(
    ("what", "logical_id", "stopped", "well", "most"),
    [
        ("the monitor stops", "SweepMissed", NOTHING, 1, 3),
        ("the router stops", "NotificationsOld", AGES, 0, 4),
        ("the way in fails", "HeartbeatErrors", FAILS, 0, 2),
        ("the replay stops", "SpoolOld", AGES, 0, 7),
    ],
)
def test_somebody_outside_hears_of_it_within_minutes(
    what: str, logical_id: str, stopped: Callable[[int], float], well: float, most: int
) -> None:
    minutes = minutes_until(logical_id, stopped, well)
    print(f"\n{what}: {logical_id} goes off after {minutes} minutes")
    assert minutes <= most


def test_what_is_well_sets_off_none() -> None:
    for logical_id, well in (("SweepMissed", 1.0), ("NotificationsOld", 0.0), ("HeartbeatErrors", 0.0)):
        with pytest.raises(pytest.fail.Exception, match="never goes off"):
            minutes_until(logical_id, lambda _, well=well: well, well)
