"""Working hours: the table `schedules`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from medic_core.domain.routing.working_hours import WorkingHours, read_ranges
from medic_core.store.tables import Table


@dataclass(frozen=True, slots=True)
class Schedule:
    """Working hours as they are kept, read at `now`."""

    schedule_id: int
    name: str
    name_key: str
    timezone: str
    hours: dict[str, list[dict[str, str]]]
    holidays: list[str]
    version: int
    created_at: datetime
    updated_at: datetime
    now: datetime

    @property
    def working_hours(self) -> WorkingHours:
        """The rule."""
        return WorkingHours(self.timezone, read_ranges(self.hours), tuple(self.holidays))


SCHEDULES: Final = Table("schedules", "schedule_id", Schedule, fixed=frozenset({"schedule_id"}))
