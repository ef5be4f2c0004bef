"""What was heard of a service: heartbeats, runs and their durations."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from medic_core.domain.watching.runs import RunStatus
from medic_core.domain.watching.signals import SignalKind


class ReadHeartbeat(BaseModel):
    """A heartbeat as it was received."""

    heartbeat_id: int
    status: SignalKind = Field(description="LOG and IGNORED are kept and change nothing")
    received_at: datetime
    run_id: str | None
    exit_status: int | None
    remote_address: str | None
    user_agent: str | None


class ReadRun(BaseModel):
    """A job's execution."""

    run_id: str
    status: RunStatus
    started_at: datetime
    completed_at: datetime | None
    duration_ms: int | None
    exit_status: int | None


class Statistics(BaseModel):
    """Over the last 100 completed runs; null where fewer than five have completed. Percentiles are interpolated."""

    service_id: int
    run_count: int
    avg_duration_ms: float | None
    min_duration_ms: int | None
    max_duration_ms: int | None
    p50_duration_ms: float | None
    p95_duration_ms: float | None
    p99_duration_ms: float | None
