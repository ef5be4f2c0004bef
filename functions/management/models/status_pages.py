"""What programs read of a public page."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from medic_core.domain.watching.public import PublicState


class ReadBadge(BaseModel):
    """How a service does, or all of a page together."""

    label: str = Field(description="Whom it is about", examples=["Nightly backup"])
    state: PublicState = Field(description="Of several, the worst trouble; up where one works and none is in trouble")
    message: str = Field(description="The state in words", examples=["operational", "2 of 7 down"])
    services: int = Field(description="How many it speaks of", examples=[7])


class ShieldsBadge(BaseModel):
    """The same as shields.io's endpoint badge takes it."""

    schemaVersion: Literal[1] = 1  # noqa: N815 - theirs
    label: str
    message: str
    color: str = Field(examples=["#0b6b3a"])
