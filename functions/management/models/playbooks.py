"""Playbooks, their versions, and what comes of trying them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, JsonValue

from medic_core.domain.repair.execution import ExecutionStatus, Outcome
from medic_core.domain.repair.playbooks import ApprovalMode, StepType
from medic_core.domain.repair.reading import MOST_BYTES
from medic_core.domain.repair.rehearsal import CannedStatus, What
from medic_core.store.playbooks import PlaybookRow, Stats, VersionRow
from models.fields import LARGEST_ID, FromRow, Strict, word_of

YamlContent = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MOST_BYTES,
        description="The playbook; `GET /v2/playbooks/schema` describes it",
        examples=["name: restart\nsteps:\n  - {name: restart, type: webhook, url: https://example.com/restart}\n"],
    ),
]


def _whole_number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 17 else value


ServiceId = Annotated[int, BeforeValidator(_whole_number), Field(ge=1, le=LARGEST_ID)]
Variables = Annotated[
    dict[str, str | int | float | bool],
    Field(max_length=50, description="For `${NAME}` in its steps; a service's own win"),
]


class Content(Strict):
    """A playbook to check or to save."""

    yaml_content: YamlContent


class ReadPlaybook(FromRow):
    """A playbook with its newest version."""

    playbook_id: int
    name: str
    description: str
    yaml_content: str
    version: int
    approval: ApprovalMode = Field(description="Whether somebody must agree before its first step")
    scripts: list[str] = Field(description="Registered scripts that it runs")
    secrets: list[str] = Field(description="Names of secrets that it uses")
    sha256: str
    created_by: str = Field(description="Who saved this version")
    created_at: datetime
    updated_at: datetime


class ReadVersion(FromRow):
    """One version of a playbook; it never changes."""

    playbook_id: int
    version: int
    yaml_content: str
    approval: ApprovalMode
    scripts: list[str]
    secrets: list[str]
    sha256: str
    created_by: str
    created_at: datetime


class ReadProblem(FromRow):
    """Something that is wrong with a playbook."""

    message: str
    line: int = Field(description="Where; 1 is the first")
    step: str | None
    field: str | None
    text: str = Field(description="All of it in one line")


class Validation(BaseModel):
    """What is wrong with a playbook, all at once."""

    valid: bool
    problems: list[ReadProblem]


class ReadStats(FromRow):
    """How a playbook has done."""

    days: int
    executions: int
    completed: int
    failed: int
    tried: int = Field(description="Started by an alert, and something was done")
    cured: int = Field(description="Of those, the service was heard again in time")
    cure_rate: float | None = Field(description="cured / tried; null where nothing was tried")


class Difference(BaseModel):
    """What changed between two versions."""

    from_version: int
    to_version: int
    diff: str = Field(description="A unified diff of the YAML; empty where nothing changed")


class Execution(Strict):
    """What to start a playbook with."""

    service_id: ServiceId | None = None
    variables: Variables = {}
    dry_run: bool = Field(default=False, description="Show what would be done; nothing is, and nothing is sent")


class ReadPlannedStep(FromRow):
    """A step as it would run, secrets masked."""

    index: int
    name: str
    type: StepType
    only_if: str | None
    shown: dict[str, JsonValue]
    problems: tuple[str, ...]


class Plan(BaseModel):
    """What an execution would do."""

    plan: list[ReadPlannedStep]
    problems: list[str] = Field(description="What would keep it from starting, or from going well")


class StartedExecution(BaseModel):
    """An execution that has begun, or the plan of one that has not (`dry_run`)."""

    execution_id: int
    playbook_id: int
    playbook_name: str
    status: ExecutionStatus
    service_id: int | None


class CannedResult(Strict):
    """What a step shall come to."""

    status: Annotated[CannedStatus, word_of(CannedStatus)] = CannedStatus.COMPLETED
    output: str = Field(default="", max_length=4096)
    error: str = Field(default="", max_length=2048)
    data: dict[str, JsonValue] = {}


class Rehearsing(Strict):
    """How a playbook shall be tried: by the rules that real executions go by, and without anything being sent."""

    results: dict[str, CannedResult] = Field(default={}, max_length=50, description="By step; the others succeed")
    context: Variables = {}
    alert: bool = Field(default=False, description="As if an alert had started it")
    recovered: bool = Field(default=False, description="As if that alert were over already")
    approved: bool = Field(default=True, description="What people say where it asks")


class ReadMoment(FromRow):
    """Something that happens."""

    at_seconds: float = Field(description="After its start")
    what: What
    step: str | None
    detail: str


class ReadRehearsal(BaseModel):
    """What happens, and how it ends."""

    trace: list[ReadMoment]
    status: ExecutionStatus
    outcome: Outcome
    because: str


def read_playbook(row: PlaybookRow) -> ReadPlaybook:
    """A row as it is shown."""
    return ReadPlaybook(**_shown(row), name=row.name, description=row.description, updated_at=row.updated_at)


def read_version(row: VersionRow) -> ReadVersion:
    """A row as it is shown."""
    return ReadVersion(**_shown(row))


def _shown(row: PlaybookRow | VersionRow) -> dict[str, Any]:
    return {
        "playbook_id": row.playbook_id,
        "version": row.version,
        "yaml_content": row.yaml_content,
        "approval": ApprovalMode(row.approval_mode),
        "scripts": row.scripts,
        "secrets": row.secrets,
        "sha256": row.sha256,
        "created_by": row.created_by,
        "created_at": row.created_at,
    }


def read_stats(found: Stats, days: int) -> ReadStats:
    """Figures as they are shown."""
    return ReadStats(
        days=days,
        executions=found.executions,
        completed=found.completed,
        failed=found.failed,
        tried=found.tried,
        cured=found.cured,
        cure_rate=found.cure_rate,
    )
