"""Maintenance windows."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from medic_core.store.maintenance import MaintenanceWindow
from models.fields import Id, Moment, Name, Note, Strict, unsent
from models.services import Expression, Tags, Timezone

MOST_SERVICES = 1000
Services = Annotated[
    list[Id], Field(max_length=MOST_SERVICES, description="Which services; with tags empty too, all of them")
]
Begins = Annotated[Moment, Field(description="Its beginning; a recurring one begins at no tick before")]
Ends = Annotated[Moment, Field(description="The first moment after it; a recurring one is as long each time")]
Recurrence = Annotated[
    Expression, Field(description="A cron expression at whose ticks it begins", examples=["0 2 * * 0"])
]
Zone = Annotated[Timezone, Field(description="The zone of the recurrence", examples=["Europe/London"])]
Told = Annotated[bool, Field(description="Whether people hear of its beginnings and ends")]


class NewWindow(Strict):
    """A window to make."""

    name: Name
    start_time: Begins
    end_time: Ends
    recurrence: Recurrence | None = None
    timezone: Zone = "UTC"
    service_ids: Services = []
    tags: Tags = []
    notify: Told = False
    reason: Note = ""


class ChangedWindow(Strict):
    """What may be changed of a window."""

    name: Name = unsent()
    start_time: Begins = unsent()
    end_time: Ends = unsent()
    recurrence: Recurrence | None = None
    timezone: Zone = unsent()
    service_ids: Services = unsent()
    tags: Tags = unsent()
    notify: Told = unsent()
    reason: Note = unsent()

    def columns(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True)


class Silence(Strict):
    """How long a service's silence is expected, from now on."""

    minutes: int = Field(default=30, ge=1, le=43_200)
    reason: Note = ""


class ReadWindow(BaseModel):
    """A window."""

    model_config = ConfigDict(from_attributes=True)

    window_id: int
    name: str
    start_time: datetime
    end_time: datetime
    recurrence: str | None
    timezone: str
    service_ids: list[int]
    tags: list[str]
    notify: bool
    reason: str
    created_by: str
    is_active: bool
    next_start: datetime | None = Field(description="Of the time under way, else of the next; null when there is none")
    next_end: datetime | None
    created_at: datetime
    updated_at: datetime


class ActiveWindow(BaseModel):
    """A window that holds at a moment, and from when until when it does."""

    window: ReadWindow
    since: datetime
    until: datetime


class ActiveWindows(BaseModel):
    """The windows that hold at a moment."""

    at: datetime
    items: list[ActiveWindow]


def read_window(row: MaintenanceWindow) -> ReadWindow:
    """The answer for a window."""
    return ReadWindow.model_validate(row)
