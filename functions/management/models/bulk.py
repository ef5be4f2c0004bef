"""One change to many services."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from models.fields import Id, Moment, Note, Strict
from models.services import ChangedService

MOST_SERVICES = 250
Services = Annotated[
    list[Id],
    Field(min_length=1, max_length=MOST_SERVICES, description="Which services; one that is named twice counts once"),
]


class BulkEdit(Strict):
    """Change these fields."""

    action: Literal["edit"]
    service_ids: Services
    changes: ChangedService


class BulkMute(Strict):
    """Nobody hears of their alerts for a while."""

    action: Literal["mute"]
    service_ids: Services
    until: Moment | None = None
    reason: Note | None = None


class BulkPause(Strict):
    """Stop watching them."""

    action: Literal["pause"]
    service_ids: Services
    resume_on_heartbeat: bool = False


class BulkPlain(Strict):
    """What needs nothing more than to be said."""

    action: Literal["unmute", "resume", "delete"]
    service_ids: Services


Bulk = Annotated[BulkEdit | BulkMute | BulkPause | BulkPlain, Field(discriminator="action")]


class BulkResult(BaseModel):
    """What became of one of them."""

    service_id: int
    success: bool
    message: str = Field(description="Why not, where it was not done")


class BulkResults(BaseModel):
    """What became of each, in the order of the request."""

    items: list[BulkResult]
    succeeded: int
    failed: int
