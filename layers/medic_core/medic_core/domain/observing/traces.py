"""W3C trace context: where a request comes from, and what Medic's own requests belong to. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

#: Version 00, and nothing beyond its 55 characters: who sends a later version may send this one with it.
TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)
SAMPLED = "01"


@dataclass(frozen=True, slots=True)
class Trace:
    """What belongs together, whoever does it. `flags` are the caller's."""

    trace_id: str
    flags: str = SAMPLED

    def traceparent(self, span_id: str) -> str:
        """The header of a request that belongs to it, and is itself this span."""
        return f"00-{self.trace_id}-{span_id}-{self.flags}"


def parsed(traceparent: str | None) -> Trace | None:
    """The trace that a header names; None where it is not exactly one, or says that there is none."""
    match = TRACEPARENT.fullmatch(traceparent or "")
    if match is None or not int(match[1], 16) or not int(match[2], 16):
        return None
    return Trace(match[1], match[3])


def of_alert(alert_id: int, opened_at: datetime) -> Trace:
    """The trace of an alert: of all that is sent about it, and of its repairs."""
    return of("alert", alert_id, opened_at)


def of(kind: str, subject_id: int, began: datetime) -> Trace:
    """The trace of what has none from outside: the same whenever it is asked for, and another in another stack."""
    return Trace(
        hashlib.sha256(f"medic {kind} {subject_id} {began.astimezone(UTC).isoformat()}".encode()).hexdigest()[:32]
    )
