"""Kill switches: what is not to be repaired."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from medic_core.domain.repair.kill_switches import KillLevel
from models.fields import FromRow, Id, Note, Strict, word_of


class NewKillSwitch(Strict):
    """Repairs to stop: all of them, or those of a team's services, a service, a playbook."""

    level: Annotated[KillLevel, word_of(KillLevel)]
    subject_id: Id | None = Field(default=None, description="Of the team, service or playbook; none for `global`")
    reason: Note = ""


class ReadKillSwitch(FromRow):
    """A kill switch that is thrown."""

    kill_switch_id: int
    level: KillLevel
    subject_id: int | None
    reason: str
    thrown_by: str
    thrown_at: datetime
