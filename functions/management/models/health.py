"""Is Medic itself well?"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class Component(BaseModel):
    """A part that Medic needs: without it, something that was promised does not happen."""

    status: Literal["healthy", "unhealthy"]


class OptionalComponent(BaseModel):
    """A part that Medic can do without."""

    status: Literal["healthy", "unhealthy", "not_configured"]


class Configured(BaseModel):
    """A channel: whether there is all that it needs. It is not called to find out more."""

    status: Literal["configured", "not_configured"]


class Schema(Component):
    """The database's schema: whether it is as new as the code."""

    newest: str | None = Field(description="The newest migration that was applied", examples=["0001.watching"])


class Monitor(BaseModel):
    """The sweeps that find what is silent."""

    status: Literal["healthy", "unhealthy", "not_yet"] = Field(
        description="unhealthy: none was completed for three minutes; not_yet: none ever, and Medic is that new"
    )
    seconds_since_sweep: float | None


class Components(BaseModel):
    """Each part of Medic."""

    database: Component
    migrations: Schema
    monitor: Monitor
    queue: Component
    redis: OptionalComponent
    slack: Configured
    pagerduty: Configured
    webhook: Configured


class Health(BaseModel):
    """All of Medic. degraded: it does without something, and does all it should."""

    status: Literal["healthy", "degraded", "unhealthy"]
    timestamp: datetime
    version: str
    python_version: str
    components: Components


class Liveness(BaseModel):
    """That this function runs."""

    status: Literal["alive"]
    timestamp: datetime


class Readiness(BaseModel):
    """Whether this function can do its work."""

    status: Literal["ready", "not_ready"]
    timestamp: datetime
    database: Literal["healthy", "unhealthy"]
