"""The page that edits what there is: its fields, what was wrong with them, and the version that was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response

from dashboard import rendering
from dashboard.asked import Form
from door import Visitor
from medic_core.api.answers import status_of
from medic_core.errors import BadRequest, MedicError


@dataclass(frozen=True, slots=True)
class Edited:
    """What is edited: what it is called, the template of its fields, and the page that it is listed on."""

    name: str
    fields: str
    listed_at: str
    listed_as: str


def page(
    caller: Visitor,
    edited: Edited,
    values: Mapping[str, Any],
    version: int | str,
    wrong: MedicError | None = None,
    **more: Any,
) -> Response[str]:
    """The form with these values; after one that was not right, with what was written and what is wrong with it."""
    return rendering.page(
        caller,
        "edit.html",
        title=f"Edit {edited.name}",
        status=status_of(wrong) if wrong else HTTPStatus.OK,
        wrong=wrong.message if wrong else "",
        edited=edited,
        given=values,
        version=version,
        **more,
    )


def version_of(form: Form) -> int:
    """The version that was read before. Raises BadRequest."""
    found = form.whole("version")
    if found is None:
        raise BadRequest("version: the one that was read must come along.")
    return found
