"""What is sealed is bound to what it is for."""

from __future__ import annotations


def token_context(request_id: int) -> dict[str, str]:
    """What a task token is bound to."""
    return {"purpose": "task-token", "request": str(request_id)}
