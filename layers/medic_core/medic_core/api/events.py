"""What others than the gateway hand us: batches of SQS, the state machine's input, CloudFormation's requests."""

from __future__ import annotations

from typing import Any

from medic_core.errors import NotAnEvent

WORDS = {int: "a whole number", str: "text", list: "a list", dict: "an object"}


def fields(event: object, **wanted: type) -> dict[str, Any]:
    """The event, which has these fields of these types. Raises NotAnEvent that names the first that is not so."""
    if not isinstance(event, dict):
        raise NotAnEvent(f"This is no event: an object is wanted, not {type(event).__name__}.")
    for name, kind in wanted.items():
        if name not in event:
            raise NotAnEvent(f"This is no event of this function: {name} is missing.")
        # JSON's `true` is an `int` to Python.
        if type(event[name]) is not kind:
            raise NotAnEvent(f"This is no event of this function: {name} must be {WORDS[kind]}.")
    return event


def messages(event: object) -> list[dict[str, Any]]:
    """A batch of SQS: messages that can be told apart, whatever is in them. Raises NotAnEvent."""
    records = fields(event, Records=list)["Records"]
    return [fields(record, messageId=str) for record in records]
