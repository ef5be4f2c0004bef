"""What the log lines of one invocation have in common, read from its event. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medic_core.domain.observing import traces

#: Of an id that somebody else chose.
LONGEST = 200


def of_event(event: object) -> dict[str, Any]:
    """`correlation_id`, and where there are `message_ids`, `execution_id`, `trace_id`. Never raises: it is for logs."""
    if not isinstance(event, Mapping):
        return {}
    found: dict[str, Any] = {}
    context = event.get("requestContext")
    if isinstance(context, Mapping):
        found["correlation_id"] = _text(context.get("requestId"))
        found["trace_id"] = _trace_id(event.get("headers"))
    elif isinstance(event.get("Records"), list):
        ids = [_text(one.get("messageId")) for one in event["Records"] if isinstance(one, Mapping)]
        found["message_ids"] = ids
        found["correlation_id"] = ids[0] if len(ids) == 1 else None
    elif "execution_id" in event:
        found["execution_id"] = event["execution_id"] if isinstance(event["execution_id"], int) else None
        found["correlation_id"] = _text(event.get("engine_name"))
    else:
        found["correlation_id"] = _text(event.get("id") or event.get("RequestId"))
    return {name: value for name, value in found.items() if value}


def _trace_id(headers: object) -> str | None:
    sent = headers.get("traceparent") if isinstance(headers, Mapping) else None
    trace = traces.parsed(sent) if isinstance(sent, str) else None
    return trace.trace_id if trace else None


def _text(value: object) -> str | None:
    return value[:LONGEST] if isinstance(value, str) else None
