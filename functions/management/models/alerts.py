"""An alert: an open problem of one kind on one service."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from medic_core.domain.alerting.alerts import AlertEvent, AlertStatus, Priority
from medic_core.store.alert_lists import AlertRow
from models.fields import Moment, Note, Strict


class Attention(Strict):
    """Why an alert is acknowledged or resolved."""

    note: Note = ""


class Snooze(Strict):
    """Until when nobody is reminded of an alert, and why."""

    until: Moment = Field(description="If it is still open then, people hear of it again")
    note: Note = ""


class ReadAlert(BaseModel):
    """An alert as it is listed."""

    alert_id: int = Field(examples=[1])
    service_id: int | None = Field(description="null where it is about Medic itself, or its service was deleted")
    heartbeat_name: str = Field(examples=["nightly-backup"])
    service_name: str | None
    team_id: int | None
    team: str | None
    kind: str = Field(description="What is wrong", examples=["missed_heartbeat"])
    status: AlertStatus
    priority: Priority
    because: str = Field(description="Why it was opened, in words")
    consecutive_failures: int = Field(description="Expected periods missed, or failed runs in a row")
    opened_at: datetime
    told_at: datetime | None = Field(description="When people were first told; null while it is silent")
    reminders: int = Field(description="How often people were told again")
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    snoozed_until: datetime | None
    resolved_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ReadEvent(BaseModel):
    """Something that happened to an alert."""

    alert_event_id: int
    event: AlertEvent
    at: datetime
    actor: str | None = Field(description="Who did it; null where Medic did")
    because: str
    consecutive_failures: int


class ReadAlertWithEvents(ReadAlert):
    """An alert with its history, oldest first."""

    events: list[ReadEvent]


def read_alert(row: AlertRow) -> ReadAlert:
    """The answer for an alert."""
    return ReadAlert.model_validate({**_fields(row), "created_at": row.opened_at})


def _fields(row: AlertRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in AlertRow.__dataclass_fields__}
