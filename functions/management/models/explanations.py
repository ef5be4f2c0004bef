"""What is expected of a service and when, and why it is in the state that it is in."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from medic_core.domain.watching.deadlines import Expected, upcoming
from medic_core.domain.watching.health import Health
from medic_core.domain.watching.schedules import Cron, Schedule
from medic_core.domain.watching.states import Trouble
from models.history import ReadHeartbeat
from models.services import Schedule as ReadableSchedule
from models.services import Status, read_schedule


class ExpectedHeartbeat(BaseModel):
    """A heartbeat that will be expected."""

    at: datetime
    local: datetime = Field(
        description="The same moment on the clocks of the schedule's zone", examples=["2026-03-29T03:00:00+01:00"]
    )
    counts_from: datetime | None = Field(description="A success from then on counts for it; null for an interval")
    deadline_at: datetime = Field(description="When its silence becomes an alert")


class Preview(BaseModel):
    """What a schedule means."""

    schedule: ReadableSchedule
    timezone: str
    grace_period_seconds: int
    expected: list[ExpectedHeartbeat] = Field(description="For an interval, as if each heartbeat came just in time")


def preview(schedule: Schedule, after: datetime, count: int) -> Preview:
    """The answer for a schedule from a moment on."""
    timezone = schedule.timezone if isinstance(schedule, Cron) else "UTC"
    return Preview(
        schedule=read_schedule(schedule),
        timezone=timezone,
        grace_period_seconds=int(schedule.grace.total_seconds()),
        expected=[_expected(one, ZoneInfo(timezone)) for one in upcoming(schedule, after, count)],
    )


def _expected(one: Expected, zone: ZoneInfo) -> ExpectedHeartbeat:
    return ExpectedHeartbeat(
        at=one.at, local=one.at.astimezone(zone), counts_from=one.counts_from, deadline_at=one.deadline
    )


class FromDomain(BaseModel):
    """Read from the domain's own values."""

    model_config = ConfigDict(from_attributes=True)


class Line(FromDomain):
    """Something that is so, or will be."""

    at: datetime | None
    text: str


class Held(FromDomain):
    """Why nobody would be told now."""

    because: str
    until: datetime | None = Field(description="null: until somebody changes it, or what causes it ends")


class IfHeard(FromDomain):
    """What an UP would change now."""

    health: Health
    ends: list[Trouble] = Field(description="The alerts that it would end")
    next_deadline_at: datetime | None


class Explanation(FromDomain):
    """Why a service is in its state, and what comes next."""

    summary: str = Field(examples=["nightly-backup is alive."])
    because: list[str]
    deadline_at: datetime | None
    arithmetic: list[Line] = Field(description="What the deadline is put together from; the latest decides")
    held: list[Held]
    next: list[Line] = Field(description="What happens if nothing is heard")
    if_heard_now: IfHeard


class ExplainedService(BaseModel):
    """A service, explained."""

    service_id: int
    heartbeat_name: str
    status: Status
    now: datetime = Field(description="When this was so")
    explanation: Explanation
    last_signals: list[ReadHeartbeat] = Field(description="Newest first")
