"""What the heartbeat function takes. It reads its bodies by hand, off pydantic; a test holds the two together."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from models.fields import Lenient, Name

Reportable = Literal["UP", "DOWN", "DEGRADED", "STARTED", "COMPLETED", "FAILED"]


class PostedHeartbeat(Lenient):
    """One signal of a service."""

    heartbeat_name: Name = Field(description="As it was registered, whatever the case", examples=["nightly-backup"])
    status: Reportable = Field(examples=["UP"])
    service_name: object = Field(default=None, description="Taken for the sake of older clients, and not looked at")
