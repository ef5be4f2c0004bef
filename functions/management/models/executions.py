"""Executions of playbooks, as people read and steer them."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field, JsonValue

from medic_core.domain.repair.approvals import Via
from medic_core.domain.repair.execution import Cause, ExecutionStatus, Outcome, StepStatus
from medic_core.domain.repair.playbooks import StepType
from medic_core.store.approvals import ApprovalStatus
from models.fields import FromRow, Note, Strict


class Reason(Strict):
    """Why it was decided so."""

    reason: Note = ""


class Cancellation(Strict):
    """Why it is cancelled."""

    note: Note = ""


class ReadExecution(FromRow):
    """An execution."""

    execution_id: int
    playbook_id: int
    playbook_name: str
    version: int = Field(description="Of the playbook, when it began; a later one does not concern it")
    service_id: int | None
    heartbeat_name: str | None
    alert_id: int | None
    trigger_id: int | None
    cause: Cause
    started_by: str
    status: ExecutionStatus
    outcome: Outcome | None = Field(description="How it ended; null while it has not")
    because: str
    current_step: int = Field(description="The index of its step, `finally` counted on")
    context: dict[str, JsonValue] = Field(description="Its variables")
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


class ReadStep(FromRow):
    """One try of a step."""

    step_index: int
    attempt: int
    step_name: str
    type: StepType
    status: StepStatus
    output: str | None
    error_message: str | None
    started_at: datetime
    completed_at: datetime | None


class ReadVote(FromRow):
    """One person's word."""

    approved: bool
    voter: str = Field(validation_alias="shown")
    via: Via
    reason: str
    at: datetime


class ReadApproval(FromRow):
    """What an execution asked people last."""

    request_id: int
    status: ApprovalStatus
    url: str | None = Field(
        default=None,
        description="A page to decide on, made for the key that asks: whoever has it decides in the key's name. "
        "Null where it is decided, and for keys that may not",
    )
    step_index: int | None = Field(description="The step that asks; null where the playbook as a whole does")
    message: str
    approvers: list[str] = Field(description="Key names and Slack user ids of those who may decide; empty: any")
    approvers_required: int = Field(description="How many of them must agree")
    agreed: int = Field(description="How many have")
    votes: list[ReadVote] = Field(default=[])
    steps: list[str] = Field(description="What would follow")
    requested_at: datetime
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    reason: str


class ReadExecutionWithSteps(ReadExecution):
    """An execution with what it did."""

    steps: list[ReadStep]
    approval: ReadApproval | None


class PendingApproval(FromRow):
    """An approval that is waited for."""

    request_id: int
    execution_id: int
    playbook_id: int
    playbook_name: str
    heartbeat_name: str | None
    message: str
    approvers: list[str]
    approvers_required: int
    agreed: int
    requested_at: datetime
    expires_at: datetime
