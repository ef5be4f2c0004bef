"""A service as it was before a change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from medic_core.domain.watching.snapshots import Action
from medic_core.store.snapshots import Snapshot

#: How a service is found by those who may send its heartbeats, and how names are compared: not for readers.
KEPT_TO_OURSELVES = {"ping_id", "name_key"}


class ReadSnapshot(BaseModel):
    """A service as it was before a change."""

    snapshot_id: int = Field(examples=[1])
    service_id: int
    heartbeat_name: str
    action_type: Action = Field(description="The change that followed")
    actor: str = Field(description="Who made it")
    snapshot_data: dict[str, Any] = Field(description="What the service was, column by column")
    created_at: datetime
    restored_at: datetime | None
    restored_by: str | None


def read_snapshot(snapshot: Snapshot) -> ReadSnapshot:
    """The answer for a snapshot."""
    fields = {name: getattr(snapshot, name) for name in ReadSnapshot.model_fields}
    was = {name: value for name, value in snapshot.snapshot_data.items() if name not in KEPT_TO_OURSELVES}
    return ReadSnapshot.model_validate(fields | {"snapshot_data": was})
