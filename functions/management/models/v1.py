"""v1, as its users have it: flags are 0 or 1, intervals are minutes, unknown fields are ignored."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from medic_core.domain.alerting.alerts import Priority
from medic_core.domain.watching.names import slug_of, valid_name
from medic_core.domain.watching.periods import period_of
from medic_core.domain.watching.schedules import LONGEST_INTERVAL, MAX_THRESHOLD
from medic_core.store.alert_lists import AlertRow
from medic_core.store.heartbeat_events import HeartbeatRow
from medic_core.store.services import Configuration, Service
from models.fields import Lenient, Name, Text, unsent, word_of
from models.services import MAX_RUNBOOK_LENGTH

DEFAULT_TEAM = "site-reliability"
MOST_MINUTES = int(LONGEST_INTERVAL.total_seconds()) // 60


def _flag(value: Any) -> Any:
    """0 and 1, as v1 writes them; true and false mean the same."""
    if value in (0, 1):
        return int(value)
    raise ValueError("must be 0 or 1")


def _lowered(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


Minutes = Annotated[int, Field(ge=1, le=MOST_MINUTES, description="Minutes between heartbeats", examples=[60])]
Threshold = Annotated[int, Field(ge=1, le=MAX_THRESHOLD, description="How many heartbeats in that time at least")]
V1Priority = Annotated[
    Priority, word_of(Priority), BeforeValidator(_lowered), Field(description="p1 is the most urgent")
]
Runbook = Annotated[Text, Field(max_length=MAX_RUNBOOK_LENGTH, description="What to do")]
Flag = Annotated[int, BeforeValidator(_flag), Field(ge=0, le=1)]


class Registration(Lenient):
    """A service to register."""

    heartbeat_name: Name = Field(description="What heartbeats call it", examples=["nightly-backup"])
    service_name: Name = Field(description="What people call it", examples=["Nightly backup"])
    alert_interval: Minutes
    environment: Name | None = Field(default=None, description="Goes before the name, with a hyphen", examples=["prod"])
    threshold: Threshold = 1
    team: Name = Field(default=DEFAULT_TEAM, description="The team that owns it; made if there is none")
    priority: V1Priority = Priority.P3
    runbook: Runbook = ""

    def configuration(self, team_id: int) -> Configuration:
        """The service to register. Raises BadRequest where its environment makes the name too long."""
        name = self.heartbeat_name
        if self.environment is not None:
            name = valid_name(f"{self.environment}-{name}")
        return Configuration(
            heartbeat_name=name,
            service_name=self.service_name,
            slug=slug_of(name),
            team_id=team_id,
            priority=self.priority,
            runbook=self.runbook,
            every_seconds=self.alert_interval * 60,
            threshold=self.threshold,
        )


class Changes(Lenient):
    """What may be changed; a field that is not sent stays as it is."""

    service_name: Name = unsent()
    alert_interval: Minutes = unsent()
    threshold: Threshold = unsent()
    priority: V1Priority = unsent()
    runbook: Runbook = unsent()
    team: Name = unsent()
    active: Flag = unsent()
    muted: Flag = unsent()
    down: Flag = unsent()

    def columns(self) -> dict[str, Any]:
        """The columns that change by themselves; team, muted and down take more."""
        sent = self.model_dump(include=self.model_fields_set & {"service_name", "threshold", "priority", "runbook"})
        if "alert_interval" in self.model_fields_set:
            sent |= {"every_seconds": self.alert_interval * 60, "cron_expression": None, "timezone": None}
        return sent

    def said(self, name: str) -> bool | None:
        """A flag as it was sent, None where it was not."""
        return bool(getattr(self, name)) if name in self.model_fields_set else None


class V1Service(BaseModel):
    """A service as v1 lists it: the ancestor's columns first, then what v2 knows."""

    service_id: int
    heartbeat_name: str
    service_name: str
    active: int
    alert_interval: float = Field(
        description="Minutes; a fraction where v2 set seconds, the gap between ticks for cron"
    )
    threshold: int
    team: str | None
    priority: str
    muted: int
    down: int
    runbook: str
    date_added: datetime
    date_modified: datetime
    date_muted: datetime | None
    team_id: int | None
    grace_period_seconds: int
    max_duration_ms: int | None
    status: str
    muted_until: datetime | None
    last_heartbeat_at: datetime | None
    next_deadline_at: datetime | None
    ping_url: str | None


def v1_service(service: Service, ping_url: str | None) -> dict[str, object]:
    """The answer for a service."""
    minutes = period_of(service.schedule, service.now) / timedelta(minutes=1)
    return {
        "service_id": service.service_id,
        "heartbeat_name": service.heartbeat_name,
        "service_name": service.service_name,
        "active": int(service.active),
        "alert_interval": int(minutes) if minutes.is_integer() else round(minutes, 4),
        "threshold": service.threshold,
        "team": service.team,
        "priority": service.priority,
        "muted": int(service.is_muted),
        "down": int(service.health == "down"),
        "runbook": service.runbook,
        "date_added": service.created_at,
        "date_modified": service.updated_at,
        "date_muted": service.muted_at,
        "team_id": service.team_id,
        "grace_period_seconds": service.grace_period_seconds,
        "max_duration_ms": service.max_duration_ms,
        "status": service.status,
        "muted_until": service.muted_until,
        "last_heartbeat_at": service.last_heartbeat_at,
        "next_deadline_at": service.alert_after,
        "ping_url": ping_url,
    }


class V1Heartbeat(BaseModel):
    """A heartbeat as v1 lists it."""

    heartbeat_id: int
    heartbeat_name: str
    service_name: str
    time: datetime
    status: str
    run_id: str | None
    team: str | None
    priority: str


def v1_heartbeat(row: HeartbeatRow) -> V1Heartbeat:
    """The answer for a heartbeat."""
    return V1Heartbeat(
        heartbeat_id=row.heartbeat_id,
        heartbeat_name=row.heartbeat_name,
        service_name=row.service_name,
        time=row.received_at,
        status=row.kind,
        run_id=row.run_id,
        team=row.team,
        priority=row.priority,
    )


class V1Alert(BaseModel):
    """An alert as v1 lists it: the ancestor's names first, then what it could not say."""

    alert_id: int
    alert_name: str
    service_id: int | None
    active: int
    external_reference_id: str
    alert_cycle: int
    created_date: datetime
    closed_date: datetime | None
    heartbeat_name: str
    service_name: str | None
    team: str | None
    kind: str
    status: str
    priority: str
    because: str
    consecutive_failures: int
    told_at: datetime | None
    acknowledged_by: str | None


def v1_alert(row: AlertRow) -> V1Alert:
    """The answer for an alert."""
    return V1Alert(
        alert_id=row.alert_id,
        alert_name=f"Medic: {row.heartbeat_name}",
        service_id=row.service_id,
        active=int(row.resolved_at is None),
        external_reference_id=f"medic-{row.heartbeat_name}",
        alert_cycle=row.consecutive_failures,
        created_date=row.opened_at,
        closed_date=row.resolved_at,
        heartbeat_name=row.heartbeat_name,
        service_name=row.service_name,
        team=row.team,
        kind=row.kind,
        status=row.status,
        priority=row.priority,
        because=row.because,
        consecutive_failures=row.consecutive_failures,
        told_at=row.told_at,
        acknowledged_by=row.acknowledged_by,
    )
