"""Triggers, their firings, and batches of repairs that wait for a decision."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, JsonValue

from medic_core.domain.repair.triggers import MAX_PATTERN_LENGTH, TriggerMode
from medic_core.store.firings import FiringDecision
from medic_core.store.repair_batches import BatchStatus
from models.fields import FromRow, Strict, Text, unsent, word_of

Pattern = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=MAX_PATTERN_LENGTH,
        description="A glob on the name, whatever its case: `*` any text, `?` any character, `[seq]`, `[!seq]`",
        examples=["worker-*"],
    ),
]
Failures = Annotated[int, Field(ge=1, le=1000, description="It fires when an alert comes to so many failures in a row")]
Mode = Annotated[
    TriggerMode, word_of(TriggerMode), Field(description="`observe` notes what it would do, and does nothing")
]


class NewTrigger(Strict):
    """A trigger to make."""

    service_pattern: Pattern
    consecutive_failures: Failures = 1
    mode: Mode = TriggerMode.RUN
    enabled: bool = True

    def columns(self) -> dict[str, Any]:
        return self.model_dump()


class ChangedTrigger(Strict):
    """What may be changed of a trigger."""

    service_pattern: Pattern = unsent()
    consecutive_failures: Failures = unsent()
    mode: Mode = unsent()
    enabled: bool = unsent()

    def columns(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True)


class ReadTrigger(FromRow):
    """A trigger."""

    trigger_id: int
    playbook_id: int
    service_pattern: str
    consecutive_failures: int
    mode: TriggerMode
    enabled: bool
    created_at: datetime
    updated_at: datetime


class WinningTrigger(FromRow):
    """The trigger that an alert would call for."""

    trigger_id: int
    playbook_id: int
    service_pattern: str
    consecutive_failures: int
    mode: TriggerMode


class Match(BaseModel):
    """Whether a trigger is meant, and which one would win."""

    matches: bool
    trigger: WinningTrigger | None = Field(description="Of those that were asked")
    winner: WinningTrigger | None = Field(description="Of all; the most demanding that matches is the one that fires")
    because: str


class ReadFiring(FromRow):
    """A trigger has fired for an alert, once, whatever came of it."""

    firing_id: int
    alert_id: int
    trigger_id: int
    playbook_id: int
    service_id: int | None
    consecutive_failures: int
    decision: FiringDecision
    because: str
    execution_id: int | None
    batch_id: int | None
    plan: list[dict[str, JsonValue]] | None = Field(description="Of one that only observes: what it would have done")
    fired_at: datetime


class ReadBatch(FromRow):
    """Repairs that wait for one decision, because many services of a trigger failed at once."""

    batch_id: int
    trigger_id: int
    playbook_id: int
    status: BatchStatus
    because: str
    services: int = Field(description="How many repairs wait")
    created_at: datetime
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None


class DecidedBatch(BaseModel):
    """What came of a decision about a batch."""

    batch_id: int
    status: BatchStatus
    started: int = Field(description="Executions that began")
