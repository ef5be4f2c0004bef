"""A body read into its model, or an error that names the field."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from medic_core.errors import BadRequest

Model = TypeVar("Model", bound=BaseModel)


def read(model: type[Model], body: dict[str, Any]) -> Model:
    """The body as its model. Raises BadRequest with every field that is wrong."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False)]
        raise BadRequest("; ".join(problems[:10])) from error
