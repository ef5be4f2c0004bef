"""What was wrong with a request, told by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medic_core.domain.watching.schedules import ScheduleKind

#: Where a value was found, said before its name by the validation: people know where they wrote it.
PLACES = {"body", "query", "path", "header", "response"}
MOST_PROBLEMS = 10
#: A field, and what its value was read as.
CHOSEN = {("schedule", kind) for kind in ScheduleKind}


def problems(errors: Sequence[Mapping[str, Any]]) -> str:
    """Every field that is wrong, and how."""
    return "; ".join(_problem(error) for error in errors[:MOST_PROBLEMS]) + "."


def _problem(error: Mapping[str, Any]) -> str:
    place = [str(part) for part in error["loc"]]
    named = ".".join(_written(place[1:] if place and place[0] in PLACES else place))
    if error["type"] == "missing":
        return f"{named or 'body'} is required"
    return f"{named or 'body'}: {str(error['msg']).removeprefix('Value error, ')}"


def _written(place: Sequence[str]) -> list[str]:
    """Where it stands in the body: the kind that a value was read as is no part of that."""
    return [part for before, part in zip(["", *place], place, strict=False) if (before, part) not in CHOSEN]
