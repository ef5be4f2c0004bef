"""Job runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from medic_core.domain.watching.lengths import spoken
from medic_core.domain.watching.names import is_printable
from medic_core.errors import BadRequest

MAX_RUN_ID_LENGTH = 200


class RunStatus(StrEnum):
    """Where a run is."""

    STARTED = "STARTED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class RunsHeard:
    """What is known of a service's runs with the one that a signal was about.

    `is_latest` says that it has completed and none after it, `duration` how long it took, or the longest of several
    that completed in the same instant. `stale` are the runs that are still under way past the limit.
    """

    duration: timedelta | None = None
    is_latest: bool = False
    stale: int = 0

    def too_long(self, limit: timedelta) -> str:
        """Why its duration is a trouble."""
        assert self.duration is not None
        return f"the run took {spoken(self.duration)}, which is more than {spoken(limit)}"


def valid_run_id(run_id: object, field: str = "run_id") -> str | None:
    """The run id as it will be kept, None where there is none. Raises BadRequest that names the field."""
    if run_id is None:
        return None
    if not isinstance(run_id, str):
        raise BadRequest(f"{field} must be a string.")
    if not 1 <= len(run_id) <= MAX_RUN_ID_LENGTH:
        raise BadRequest(f"{field} must have 1 to {MAX_RUN_ID_LENGTH} characters.")
    if not is_printable(run_id):
        raise BadRequest(f"{field} must not contain control characters.")
    return run_id
