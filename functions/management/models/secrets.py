"""Secrets as they are written, and as they are listed: never with their value."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path
from pydantic import BaseModel, Field, SecretStr

from models.fields import FromRow, Strict, Text

LONGEST_VALUE = 8192
NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,99}$"
PathName = Annotated[str, Path(pattern=NAME, description="Letters, digits and underscores, no digit first")]


class NewSecret(Strict):
    """A secret to keep. Its value goes in, and never out."""

    value: Annotated[
        SecretStr, Field(strict=False, min_length=1, max_length=LONGEST_VALUE, description="Kept sealed, never shown")
    ]
    description: Annotated[Text, Field(max_length=500)] = ""


class ReadSecret(FromRow):
    """What is known of a secret."""

    name: str
    description: str
    version: int = Field(description="How often it was written")
    updated_by: str
    last_used_at: datetime | None = Field(description="By a step of a playbook")
    created_at: datetime
    updated_at: datetime


class Reencrypted(BaseModel):
    """What a re-encryption did."""

    sealed_anew: int = Field(description="Secrets, and what lets approvals that are waited for go on")
    cannot_be_opened: list[str] = Field(description="Secrets whose key is not here: write them again")
