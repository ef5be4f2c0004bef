"""A service as v2 writes it: seconds, nested schedule, unknown fields refused."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from medic_core.domain.alerting.alerts import Priority
from medic_core.domain.watching.names import MAX_NAME_LENGTH, is_printable, slug_of, valid_name
from medic_core.domain.watching.schedules import LONGEST_GRACE, LONGEST_INTERVAL, MAX_THRESHOLD, SHORTEST_INTERVAL
from medic_core.domain.watching.signals import Unmatched
from medic_core.store.services import Configuration, Service
from models.status import status_of

MOST_KEYWORDS = 20


def _plain(text: str) -> str:
    if not is_printable(text):
        raise ValueError("must not contain control characters")
    return text


def _named(text: str) -> str:
    return valid_name(text, "name")


Text = Annotated[str, AfterValidator(_plain)]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_LENGTH), AfterValidator(_named)]
Keywords = Annotated[list[Annotated[Text, Field(min_length=1, max_length=200)]], Field(max_length=MOST_KEYWORDS)]


class Strict(BaseModel):
    """Refuses what it does not know, and text where numbers are meant."""

    model_config = ConfigDict(extra="forbid", strict=True)


class IntervalSchedule(Strict):
    """At least `threshold` heartbeats in any window of `every_seconds`."""

    kind: Literal["interval"] = "interval"
    every_seconds: int = Field(ge=int(SHORTEST_INTERVAL.total_seconds()), le=int(LONGEST_INTERVAL.total_seconds()))
    threshold: int = Field(default=1, ge=1, le=MAX_THRESHOLD)


class PingFilter(Strict):
    """Which pings count: POST only, and what words in the body decide."""

    post_only: bool = False
    success_keywords: Keywords = []
    failure_keywords: Keywords = []
    start_keywords: Keywords = []
    unmatched: Annotated[Unmatched, Field(strict=False)] = Unmatched.IGNORE


class NewService(Strict):
    """A service to register."""

    heartbeat_name: Name
    service_name: Annotated[Text, Field(min_length=1, max_length=MAX_NAME_LENGTH)] | None = None
    schedule: IntervalSchedule
    grace_period_seconds: int = Field(default=0, ge=0, le=int(LONGEST_GRACE.total_seconds()))
    max_duration_ms: int | None = Field(default=None, ge=1, le=2**53)
    failure_tolerance: int = Field(default=1, ge=1, le=1000)
    reminder_interval_seconds: int | None = Field(default=None, ge=60, le=31_536_000)
    alert_when_never_reported: bool = True
    team: Name | None = None
    priority: Annotated[Priority, Field(strict=False)] = Priority.P3
    runbook: Annotated[Text, Field(max_length=2000)] = ""
    ping_filter: PingFilter = PingFilter()

    def configuration(self, team_id: int | None) -> Configuration:
        """The service to register."""
        return Configuration(
            heartbeat_name=self.heartbeat_name,
            service_name=self.service_name or self.heartbeat_name,
            slug=slug_of(self.heartbeat_name),
            team_id=team_id,
            priority=self.priority,
            runbook=self.runbook,
            every_seconds=self.schedule.every_seconds,
            threshold=self.schedule.threshold,
            grace_period_seconds=self.grace_period_seconds,
            max_duration_ms=self.max_duration_ms,
            failure_tolerance=self.failure_tolerance,
            reminder_interval_seconds=self.reminder_interval_seconds,
            alert_when_never_reported=self.alert_when_never_reported,
            post_only=self.ping_filter.post_only,
            success_keywords=tuple(self.ping_filter.success_keywords),
            failure_keywords=tuple(self.ping_filter.failure_keywords),
            start_keywords=tuple(self.ping_filter.start_keywords),
            unmatched_body=self.ping_filter.unmatched,
        )


class ChangedService(Strict):
    """What may be changed; a field that is not sent stays as it is."""

    service_name: Annotated[Text, Field(min_length=1, max_length=MAX_NAME_LENGTH)] | None = None
    schedule: IntervalSchedule | None = None
    grace_period_seconds: int | None = Field(default=None, ge=0, le=int(LONGEST_GRACE.total_seconds()))
    max_duration_ms: int | None = Field(default=None, ge=1, le=2**53)
    failure_tolerance: int | None = Field(default=None, ge=1, le=1000)
    reminder_interval_seconds: int | None = Field(default=None, ge=60, le=31_536_000)
    alert_when_never_reported: bool | None = None
    team: Name | None = None
    priority: Annotated[Priority, Field(strict=False)] | None = None
    runbook: Annotated[Text, Field(max_length=2000)] | None = None
    ping_filter: PingFilter | None = None

    def columns(self) -> dict[str, Any]:
        """The columns that change; the team is looked up by the caller."""
        sent = self.model_dump(exclude_unset=True, exclude={"schedule", "ping_filter", "team"})
        if self.schedule is not None:
            sent |= {"every_seconds": self.schedule.every_seconds, "threshold": self.schedule.threshold}
        if self.ping_filter is not None:
            sent |= self.ping_filter.model_dump(exclude={"unmatched"})
            sent["unmatched_body"] = self.ping_filter.unmatched
        nullable = {"max_duration_ms", "reminder_interval_seconds"}
        return {name: value for name, value in sent.items() if value is not None or name in nullable}


class ReadService(BaseModel):
    """A service as it is answered."""

    service_id: int
    heartbeat_name: str
    service_name: str
    schedule: IntervalSchedule
    grace_period_seconds: int
    max_duration_ms: int | None
    failure_tolerance: int
    reminder_interval_seconds: int | None
    alert_when_never_reported: bool
    team_id: int | None
    team: str | None
    priority: str
    runbook: str
    ping_filter: PingFilter
    slug: str
    status: str
    muted_until: datetime | None
    mute_reason: str | None
    ping_url: str
    last_heartbeat_at: datetime | None
    next_deadline_at: datetime | None
    created_at: datetime
    updated_at: datetime


def read_service(service: Service, base_url: str) -> dict[str, Any]:
    """The answer for a service."""
    same = {name: getattr(service, name) for name in ReadService.model_fields if hasattr(service, name)}
    return ReadService(
        **same,
        schedule=IntervalSchedule(every_seconds=service.every_seconds, threshold=service.threshold),
        ping_filter=PingFilter(
            post_only=service.post_only,
            success_keywords=service.success_keywords,
            failure_keywords=service.failure_keywords,
            start_keywords=service.start_keywords,
            unmatched=Unmatched(service.unmatched_body),
        ),
        status=status_of(service),
        ping_url=f"{base_url}/ping/{service.ping_id}",
        next_deadline_at=service.alert_after,
    ).model_dump()
