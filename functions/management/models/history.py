"""What was heard of a service: heartbeats, runs and their durations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from pydantic import BaseModel, Field

from medic_core.domain.watching.runs import RunStatus
from medic_core.domain.watching.signals import SignalKind
from medic_core.store import heartbeat_events
from medic_core.store.job_runs import RunRow

#: Of 100 kB at most each: an answer stays below what the gateway passes on.
MOST_SIGNALS = 40


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

    job_run_id: int
    run_id: str = Field(description="As the client named it, or as Medic did where it had none")
    status: RunStatus
    started_at: datetime
    completed_at: datetime | None
    duration_ms: int | None = Field(description="By Medic's clock; 0 where its start was not heard")
    exit_status: int | None
    stale_at: datetime | None = Field(description="When it was found to be under way for too long")


class RunSignal(BaseModel):
    """Something that was said during a run."""

    status: SignalKind
    received_at: datetime
    exit_status: int | None
    body: str | None = Field(description="What was sent along, as text; its first 100 kB")


class ReadRunWithSignals(ReadRun):
    """A job's execution and what was said during it."""

    signals: list[RunSignal] = Field(description=f"In the order of their receipt; the newest {MOST_SIGNALS}")


def read_run_with_signals(run: RunRow, signals: Sequence[heartbeat_events.RunSignal]) -> ReadRunWithSignals:
    """The answer for a run."""
    return ReadRunWithSignals(
        **asdict(run),
        signals=[
            RunSignal(
                status=SignalKind(one.status),
                received_at=one.received_at,
                exit_status=one.exit_status,
                body=one.body.decode("utf-8", "replace") if one.body is not None else None,
            )
            for one in signals
        ],
    )


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
