"""Working hours: the schedules that targets go by."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from medic_core.domain.routing.working_hours import (
    DAYS,
    MOST_HOLIDAYS,
    MOST_RANGES_A_DAY,
    Period,
    read_ranges,
    valid_holidays,
)
from models.fields import FromRow, Name, Strict, Text, checked, unsent
from models.services import Timezone


class Range(Strict):
    """From `start` until just before `end`; an end that is not after the start is on the next day."""

    start: str = Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["09:00"])
    end: str = Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", examples=["17:00"])


def _hours(hours: dict[str, list[Range]]) -> dict[str, list[Range]]:
    checked(lambda: read_ranges({day: [one.model_dump() for one in ranges] for day, ranges in hours.items()}))
    return hours


def _holidays(holidays: list[str]) -> list[str]:
    return list(checked(lambda: valid_holidays(holidays)))


Hours = Annotated[
    dict[Literal[DAYS], Annotated[list[Range], Field(max_length=MOST_RANGES_A_DAY)]],  # type: ignore[valid-type]
    Field(
        description="By day, on the schedule's own clock", examples=[{"monday": [{"start": "09:00", "end": "17:00"}]}]
    ),
    AfterValidator(_hours),
]
Holidays = Annotated[
    list[Annotated[Text, Field(max_length=20)]],
    Field(
        max_length=MOST_HOLIDAYS,
        description="Days, and countries or regions whose public holidays are meant",
        examples=[["2026-12-31", "DE", "US-CA"]],
    ),
    AfterValidator(_holidays),
]


class NewSchedule(Strict):
    """Working hours to make."""

    name: Name
    timezone: Timezone = Field(default="UTC", description="A zone of the IANA database", examples=["Europe/London"])
    hours: Hours
    holidays: Holidays = []

    def columns(self) -> dict[str, Any]:
        return self.model_dump()


class ChangedSchedule(Strict):
    """What may be changed of working hours."""

    name: Name = unsent()
    timezone: Timezone = unsent()
    hours: Hours = unsent()
    holidays: Holidays = unsent()

    def columns(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True)


class ReadSchedule(FromRow):
    """Working hours."""

    schedule_id: int
    name: str
    timezone: str
    hours: dict[str, list[Range]]
    holidays: list[str]
    created_at: datetime
    updated_at: datetime


class CurrentPeriod(BaseModel):
    """Whether it is working time."""

    schedule_id: int
    at: datetime
    local: datetime = Field(description="The same moment on the schedule's clock")
    period: Period
    until: datetime | None = Field(description="When the other period begins; null where it does not within 45 days")
