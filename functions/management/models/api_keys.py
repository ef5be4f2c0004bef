"""An API key, without its secret but for once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from medic_core.domain.access.api_keys import Scope
from medic_core.domain.access.rate_limits import HIGHEST, Endpoints
from medic_core.store.api_keys import ApiKey
from models.fields import Moment, Name, Strict, unsent, word_of

LONGEST_OVERLAP_SECONDS = 30 * 86_400
DEFAULT_OVERLAP_SECONDS = 86_400


def _distinct(scopes: list[Scope]) -> list[Scope]:
    return sorted(set(scopes))


Scopes = Annotated[
    list[Annotated[Scope, word_of(Scope)]],
    Field(min_length=1, max_length=len(Scope), description="What it may do; write implies heartbeat, admin all"),
    AfterValidator(_distinct),
]
KeyName = Annotated[Name, Field(description="What people call it, and who its changes are said to be by")]
Expiry = Annotated[Moment, Field(description="When it ends by itself; null: never")]
RateLimit = Annotated[int, Field(ge=1, le=HIGHEST)]
RateLimits = Annotated[
    dict[Annotated[Endpoints, word_of(Endpoints)], RateLimit],
    Field(description="Requests a minute of its own, by kind of endpoint", examples=[{"heartbeat": 5000}]),
]


class NewApiKey(Strict):
    """A key to make."""

    name: KeyName = Field(examples=["ci"])
    scopes: Scopes
    expires_at: Expiry | None = None
    rate_limits: RateLimits = {}


class ChangedApiKey(Strict):
    """What may be changed; a field that is not sent stays as it is."""

    name: KeyName = unsent()
    scopes: Scopes = unsent()
    expires_at: Expiry | None = None
    rate_limits: RateLimits = unsent()

    def columns(self) -> dict[str, Any]:
        """What changes."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Rotation(Strict):
    """How a key gets a new secret."""

    overlap_seconds: int = Field(
        default=DEFAULT_OVERLAP_SECONDS,
        ge=0,
        le=LONGEST_OVERLAP_SECONDS,
        description="How long the old secret goes on working",
    )

    @property
    def overlap(self) -> timedelta:
        return timedelta(seconds=self.overlap_seconds)


class ReadApiKey(BaseModel):
    """A key as it is listed."""

    api_key_id: int = Field(examples=[1])
    name: str = Field(examples=["ci"])
    scopes: list[Scope]
    rate_limits: dict[Endpoints, int]
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To within a few minutes")
    revoked_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ShownApiKey(ReadApiKey):
    """A key and its text: the only time that it is shown."""

    api_key: str | None = Field(
        description="Keep it: nobody can show it again. null where a repeated request is answered again"
    )


def read_api_key(key: ApiKey) -> ReadApiKey:
    """The answer for a key."""
    return ReadApiKey.model_validate({name: getattr(key, name) for name in ReadApiKey.model_fields})
