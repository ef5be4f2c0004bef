"""Job runs: how long one took."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum


class RunStatus(StrEnum):
    """Where a run is."""

    STARTED = "STARTED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


def duration_ms(started_at: datetime, completed_at: datetime) -> int:
    """Whole milliseconds between two receipts; 0 where the end was heard before the start."""
    return max(0, (completed_at - started_at) // timedelta(milliseconds=1))
