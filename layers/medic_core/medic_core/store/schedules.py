"""A service's schedule in its columns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from medic_core.domain.watching.schedules import Cron, Interval, Schedule


def read(row: Mapping[str, Any]) -> Schedule:
    """The schedule of a row that has all the columns of one."""
    grace = timedelta(seconds=row["grace_period_seconds"])
    if row["cron_expression"] is None:
        return Interval(timedelta(seconds=row["every_seconds"]), row["threshold"], grace)
    early = timedelta(seconds=row["early_tolerance_seconds"])
    return Cron(row["cron_expression"], row["timezone"], grace, early)


def as_text(schedule: Schedule) -> str | None:
    """What the hot row repeats of a cron schedule, so that under its lock it is sure. NULL for an interval."""
    if isinstance(schedule, Interval):
        return None
    grace, early = (int(length.total_seconds()) for length in (schedule.grace, schedule.early_tolerance))
    return f"{schedule.expression} {schedule.timezone} +{grace} -{early}"
