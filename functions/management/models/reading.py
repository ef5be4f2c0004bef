"""What was wrong with a request, told by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

#: Where a value was found, said before its name by the validation: people know where they wrote it.
PLACES = {"body", "query", "path", "header", "response"}
MOST_PROBLEMS = 10


def problems(errors: Sequence[Mapping[str, Any]]) -> str:
    """Every field that is wrong, and how."""
    return "; ".join(_problem(error) for error in errors[:MOST_PROBLEMS]) + "."


def _problem(error: Mapping[str, Any]) -> str:
    place = [str(part) for part in error["loc"]]
    named = ".".join(place[1:] if place and place[0] in PLACES else place)
    if error["type"] == "missing":
        return f"{named or 'body'} is required"
    return f"{named or 'body'}: {str(error['msg']).removeprefix('Value error, ')}"
