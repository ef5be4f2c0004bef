"""How variables and registered outputs are spelled, and what they stand for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

NAME = r"[A-Za-z_][A-Za-z0-9_]*"
#: A variable, or the path to a field of a registered output: `restart.output.items.0.id`.
PATH = rf"{NAME}(?:\.[A-Za-z0-9_-]+)*"
IDENTIFIER = re.compile(NAME)
#: The head of the paths that name secrets.
SECRETS = "secrets"


def look_up(path: str, context: Mapping[str, Any], outputs: Mapping[str, Any]) -> Any:
    """What a path stands for; None where nothing is known by it.

    A registered name means the output: whoever starts an execution cannot speak for a step. A path with dots is never
    looked for in the context.
    """
    head, *rest = path.split(".")
    found = outputs.get(head)
    if not rest:
        return context.get(head) if found is None else found
    for part in rest:
        found = _field(found, part)
    return found


def _field(value: Any, part: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(part)
    if isinstance(value, Sequence) and not isinstance(value, str) and part.isdecimal() and int(part) < len(value):
        return value[int(part)]
    return None
