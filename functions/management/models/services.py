"""A service: seconds, a nested schedule, unknown fields refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Discriminator, Field, model_validator
from pydantic import Tag as Tagged

from medic_core.domain.alerting.alerts import Priority
from medic_core.domain.alerting.flapping import DEFAULT_MAX_CHANGES, DEFAULT_WINDOW, MOST_CHANGES
from medic_core.domain.routing.targets import Mode
from medic_core.domain.watching import cron, schedules
from medic_core.domain.watching.names import MAX_NAME_LENGTH, slug_of
from medic_core.domain.watching.public import STATUS_PAGE
from medic_core.domain.watching.schedules import (
    DEFAULT_EARLY_TOLERANCE,
    LONGEST_EARLY_TOLERANCE,
    LONGEST_GRACE,
    LONGEST_INTERVAL,
    MAX_THRESHOLD,
    SHORTEST_INTERVAL,
    ScheduleKind,
)
from medic_core.domain.watching.signals import Unmatched
from medic_core.errors import BadRequest
from medic_core.store.services import Configuration, Service
from models.fields import Id, Moment, Name, Note, Strict, Text, unsent, word_of

MOST_KEYWORDS = 20
MOST_TAGS = 20
MAX_RUNBOOK_LENGTH = 2000
MOST_SECONDS_OF_REMINDERS = 31_536_000
NESTED = {"schedule", "ping_filter", "flapping"}
Status = Literal["new", "up", "degraded", "late", "down", "paused"]


def _distinct(tags: list[str]) -> list[str]:
    return sorted(set(tags))


Keywords = Annotated[list[Annotated[Text, Field(min_length=1, max_length=200)]], Field(max_length=MOST_KEYWORDS)]
Tag = Annotated[Text, Field(min_length=1, max_length=50, pattern=r"^[^\s,]+$")]
Tags = Annotated[
    list[Tag],
    Field(max_length=MOST_TAGS, description="Words to find it by", examples=[["batch", "eu"]]),
    AfterValidator(_distinct),
]
ServiceName = Annotated[
    Text,
    Field(min_length=1, max_length=MAX_NAME_LENGTH, description="What people call it", examples=["Nightly backup"]),
]
Grace = Annotated[
    int, Field(ge=0, le=int(LONGEST_GRACE.total_seconds()), description="Seconds after the deadline before an alert")
]
MaxDuration = Annotated[int, Field(ge=1, le=2**53, description="How long a run may take, in milliseconds")]
Tolerance = Annotated[int, Field(ge=1, le=1000, description="How many failed runs in a row make an alert")]
ReminderInterval = Annotated[
    int,
    Field(
        ge=60, le=MOST_SECONDS_OF_REMINDERS, description="Seconds until the first reminder; null: one expected period"
    ),
]
HowMany = Annotated[
    Mode, word_of(Mode), Field(description="Whether all of its targets are told, or one after the other until one is")
]
Hours = Annotated[Id, Field(description="The schedule of its working hours; null: always at work")]
Watched = Annotated[bool, Field(description="Whether silence since its registration makes an alert")]
Urgency = Annotated[Priority, word_of(Priority), Field(description="How urgent its alerts are, p1 most")]
Runbook = Annotated[
    Text,
    Field(max_length=MAX_RUNBOOK_LENGTH, description="What to do", examples=["https://runbooks.example.com/backup"]),
]
StatusPage = Annotated[
    Text,
    Field(
        pattern=STATUS_PAGE.pattern,
        description="The public page that shows it, /status/{status_page}; null: nobody sees it without a key",
        examples=["acme"],
    ),
]
TeamName = Annotated[
    Name, Field(description="The team that owns it, by name; made if there is none", examples=["infra"])
]


def _valid(check: Callable[[str, str], str]) -> AfterValidator:
    """A check of the domain, which names the field itself."""

    def checked(text: str) -> str:
        try:
            return check(text, "it")
        except BadRequest as error:
            raise ValueError(error.message.removeprefix("it ").removesuffix(".")) from error

    return AfterValidator(checked)


Expression = Annotated[Text, Field(min_length=1, max_length=cron.MAX_EXPRESSION_LENGTH), _valid(cron.valid_expression)]
Timezone = Annotated[Text, Field(min_length=1, max_length=64), _valid(cron.valid_timezone)]


class IntervalSchedule(Strict):
    """At least `threshold` heartbeats in any window of `every_seconds`."""

    kind: Literal["interval"] = "interval"
    every_seconds: int = Field(
        ge=int(SHORTEST_INTERVAL.total_seconds()),
        le=int(LONGEST_INTERVAL.total_seconds()),
        description="The length of the window",
        examples=[3600],
    )
    threshold: int = Field(default=1, ge=1, le=MAX_THRESHOLD, description="How many heartbeats at least")


class CronSchedule(Strict):
    """A success after each tick of a cron expression. On days when clocks change no run is missed or expected twice."""

    kind: Literal["cron"]
    expression: Expression = Field(
        description="Minute, hour, day of month, month, day of week; or @daily and its like", examples=["0 2 * * *"]
    )
    timezone: Timezone = Field(default="UTC", description="A zone of the IANA database", examples=["Europe/London"])
    early_tolerance_seconds: int = Field(
        default=int(DEFAULT_EARLY_TOLERANCE.total_seconds()),
        ge=0,
        le=int(LONGEST_EARLY_TOLERANCE.total_seconds()),
        description="A success so shortly before a tick counts for it; never more than half the gap between two ticks",
    )


def _kind(sent: Any) -> str:
    """Interval is what is meant where nobody says."""
    return str(sent.get("kind", ScheduleKind.INTERVAL) if isinstance(sent, dict) else getattr(sent, "kind", ""))


Schedule = Annotated[
    Annotated[IntervalSchedule, Tagged(ScheduleKind.INTERVAL)] | Annotated[CronSchedule, Tagged(ScheduleKind.CRON)],
    Discriminator(
        _kind, custom_error_type="kind", custom_error_message=f"kind must be one of {', '.join(ScheduleKind)}"
    ),
]


def schedule_columns(schedule: IntervalSchedule | CronSchedule) -> dict[str, Any]:
    """The columns of a schedule: all that one of the other kind would have set are cleared."""
    if isinstance(schedule, IntervalSchedule):
        by_cron = {"cron_expression": None, "timezone": None}
        return {"every_seconds": schedule.every_seconds, "threshold": schedule.threshold, **by_cron}
    return {
        "every_seconds": None,
        "threshold": 1,
        "cron_expression": schedule.expression,
        "timezone": schedule.timezone,
        "early_tolerance_seconds": schedule.early_tolerance_seconds,
    }


class Flapping(Strict):
    """More changes between down and not down than these within the window are flapping."""

    max_changes: int = Field(default=DEFAULT_MAX_CHANGES, ge=2, le=MOST_CHANGES)
    window_seconds: int = Field(default=int(DEFAULT_WINDOW.total_seconds()), ge=60, le=86_400)


class PingFilter(Strict):
    """Which pings count: POST only, and what words in the body decide."""

    post_only: bool = Field(default=False, description="GET and HEAD are kept, and count for nothing")
    success_keywords: Keywords = Field(default=[], description="Words in a body that mean success")
    failure_keywords: Keywords = Field(default=[], description="Words in a body that mean failure; asked first")
    start_keywords: Keywords = Field(default=[], description="Words in a body that mean a start")
    unmatched: Annotated[Unmatched, word_of(Unmatched)] = Field(
        default=Unmatched.IGNORE, description="What a body without any of the words means"
    )


class _Owned(Strict):
    """Named by a team's id or its name, not both."""

    team_id: Id | None = Field(default=None, description="The team that owns it, by id")
    team: TeamName | None = None

    @model_validator(mode="after")
    def _one_team(self) -> _Owned:
        if self.team_id is not None and self.team is not None:
            raise ValueError("team_id and team say the same thing: send one of them")
        return self


class NewService(_Owned):
    """A service to register."""

    heartbeat_name: Name = Field(
        description="What heartbeats call it: unique, whatever the case", examples=["nightly-backup"]
    )
    service_name: ServiceName | None = None
    schedule: Schedule
    grace_period_seconds: Grace = 0
    max_duration_ms: MaxDuration | None = None
    failure_tolerance: Tolerance = 1
    reminder_interval_seconds: ReminderInterval | None = None
    alert_when_never_reported: Watched = True
    priority: Urgency = Priority.P3
    runbook: Runbook = ""
    tags: Tags = []
    working_hours_id: Hours | None = None
    notification_mode: HowMany = Mode.NOTIFY_ALL
    status_page: StatusPage | None = None
    ping_filter: PingFilter = PingFilter()
    flapping: Flapping | None = Field(default=Flapping(), description="null: it never counts as flapping")

    def configuration(self, team_id: int | None) -> Configuration:
        """The service to register."""
        return Configuration(
            heartbeat_name=self.heartbeat_name,
            service_name=self.service_name or self.heartbeat_name,
            slug=slug_of(self.heartbeat_name),
            team_id=team_id,
            priority=self.priority,
            runbook=self.runbook,
            **schedule_columns(self.schedule),
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
            tags=tuple(self.tags),
            working_hours_id=self.working_hours_id,
            notification_mode=self.notification_mode,
            status_page=self.status_page,
            **flapping_columns(self.flapping),
        )


def flapping_columns(flapping: Flapping | None) -> dict[str, Any]:
    """The columns of what counts as flapping."""
    if flapping is None:
        return {"flapping_max_changes": None}
    return {"flapping_max_changes": flapping.max_changes, "flapping_window_seconds": flapping.window_seconds}


class ChangedService(_Owned):
    """What may be changed; a field that is not sent stays as it is."""

    service_name: ServiceName = unsent()
    schedule: Schedule = unsent()
    grace_period_seconds: Grace = unsent()
    max_duration_ms: MaxDuration | None = None
    failure_tolerance: Tolerance = unsent()
    reminder_interval_seconds: ReminderInterval | None = None
    alert_when_never_reported: Watched = unsent()
    priority: Urgency = unsent()
    runbook: Runbook = unsent()
    tags: Tags = unsent()
    working_hours_id: Hours | None = None
    notification_mode: HowMany = unsent()
    status_page: StatusPage | None = None
    ping_filter: PingFilter = unsent()
    flapping: Flapping | None = None

    def columns(self) -> dict[str, Any]:
        """The columns that change; the team is looked up by the caller."""
        changes = self.model_dump(exclude_unset=True, exclude=NESTED | {"team", "team_id"})
        if "schedule" in self.model_fields_set:
            changes |= schedule_columns(self.schedule)
        if "flapping" in self.model_fields_set:
            changes |= flapping_columns(self.flapping)
        if "ping_filter" in self.model_fields_set:
            changes |= self.ping_filter.model_dump(exclude={"unmatched"})
            changes["unmatched_body"] = self.ping_filter.unmatched
        return changes

    @property
    def changes_team(self) -> bool:
        return bool(self.model_fields_set & {"team", "team_id"})


class Mute(Strict):
    """How long nobody hears of a service's alerts, and why."""

    until: Moment | None = Field(default=None, description="When the mute ends; a day from now if nobody says")
    reason: Note | None = None


class Pause(Strict):
    """How a service is paused."""

    resume_on_heartbeat: bool = Field(default=False, description="Its next heartbeat has it watched again")


class ReadService(BaseModel):
    """A service and what is believed of it."""

    service_id: int = Field(examples=[1])
    heartbeat_name: str = Field(examples=["nightly-backup"])
    service_name: str = Field(examples=["Nightly backup"])
    status: Status = Field(description="late: past its deadline, within its grace; paused: not watched")
    schedule: Schedule
    grace_period_seconds: int
    max_duration_ms: int | None
    failure_tolerance: int
    reminder_interval_seconds: int | None
    alert_when_never_reported: bool
    team_id: int | None
    team: str | None
    priority: Priority
    runbook: str
    tags: list[str]
    working_hours_id: int | None
    notification_mode: Mode
    status_page: str | None = Field(description="The public page that shows it; null: none does")
    ping_filter: PingFilter
    flapping: Flapping | None
    flapping_until: datetime | None = Field(
        description="Its alerts and recoveries are held until then, or longer if it goes on; null while it is stable"
    )
    slug: str = Field(description="What the team's slug ping URLs call it")
    active: bool = Field(description="Whether its heartbeats are taken: v1's flag")
    paused_at: datetime | None
    resume_on_heartbeat: bool
    muted_until: datetime | None
    mute_reason: str | None
    ping_url: str | None = Field(description="Whoever has it can send its heartbeats; null for keys that may not")
    last_heartbeat_at: datetime | None
    next_deadline_at: datetime | None = Field(
        description="When silence becomes an alert; null while nothing is awaited"
    )
    created_at: datetime
    updated_at: datetime


def read_schedule(schedule: schedules.Schedule) -> IntervalSchedule | CronSchedule:
    """The answer for a schedule. One that was saved is not asked again whether it is one."""
    if isinstance(schedule, schedules.Interval):
        return IntervalSchedule(every_seconds=int(schedule.every.total_seconds()), threshold=schedule.threshold)
    return CronSchedule.model_construct(
        kind="cron",
        expression=schedule.expression,
        timezone=schedule.timezone,
        early_tolerance_seconds=int(schedule.early_tolerance.total_seconds()),
    )


def _read_flapping(service: Service) -> Flapping | None:
    if service.flapping_max_changes is None:
        return None
    return Flapping(max_changes=service.flapping_max_changes, window_seconds=service.flapping_window_seconds)


#: What an answer calls as the row does, and means the same by.
SAME = set(ReadService.model_fields) - NESTED


def read_service(service: Service, ping_url: str | None) -> ReadService:
    """The answer for a service."""
    same = {name: getattr(service, name) for name in SAME if hasattr(service, name)}
    return ReadService(
        **same,
        schedule=read_schedule(service.schedule),
        flapping=_read_flapping(service),
        ping_filter=PingFilter(
            post_only=service.post_only,
            success_keywords=service.success_keywords,
            failure_keywords=service.failure_keywords,
            start_keywords=service.start_keywords,
            unmatched=Unmatched(service.unmatched_body),
        ),
        ping_url=ping_url,
        next_deadline_at=service.alert_after,
    )
