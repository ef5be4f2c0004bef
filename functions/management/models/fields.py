"""Kinds of field that several resources have, each described once."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, TypeVar

from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from medic_core.domain.watching.names import MAX_NAME_LENGTH, is_printable, valid_name
from medic_core.errors import BadRequest

#: The largest whole number that every JSON client reads as it was written.
LARGEST_ID = 2**53 - 1
DEFAULT_LIMIT = 50
MAX_LIMIT = 250
#: What Postgres can keep of a time, with a century to spare on either side.
EARLIEST_YEAR, LATEST_YEAR = 1900, 9900

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)", re.ASCII)

Item = TypeVar("Item")


def _whole(value: Any) -> Any:
    """JSON knows one kind of number: 5.0 is 5. Lists of lists are nobody's field."""
    return [_integer(one) for one in value] if isinstance(value, list) else _integer(value)


def _integer(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Strict(BaseModel):
    """What a client sends: unknown fields are refused, and text where numbers are meant."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _numbers(cls, sent: Any) -> Any:
        return {name: _whole(value) for name, value in sent.items()} if isinstance(sent, dict) else sent


class Lenient(Strict):
    """What a client of v1 sends: unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")


class FromRow(BaseModel):
    """Read from a row."""

    model_config = ConfigDict(from_attributes=True)


class Envelope(BaseModel, Generic[Item]):
    """What every answer comes in."""

    success: bool = Field(description="Whether it was done")
    message: str = Field(description="What happened, for people")
    results: Item


class Problem(BaseModel):
    """An answer that says why something was not done."""

    success: Literal[False] = Field(description="Nothing was changed")
    message: str = Field(
        description="What to do about it; names the field where one is wrong", examples=["No service has this id."]
    )
    results: Literal[""]


class Page(BaseModel, Generic[Item]):
    """A part of a list."""

    items: list[Item]
    has_more: bool = Field(description="Whether there is more after this page")
    cursor: str | None = Field(description="Give it as `cursor` to get the next page; null on the last one")


#: Where there is nothing to say but that it was done.
Nothing = Literal[""]


def printable(text: str) -> str:
    """The text, if it is a line without control characters. Raises ValueError."""
    if not is_printable(text):
        raise ValueError("must not contain control characters")
    return text


def checked(check: Any) -> Any:
    """A check of the domain, whose message the answer carries."""
    try:
        return check()
    except BadRequest as error:
        raise ValueError(
            error.message.removesuffix(".").partition(": ")[2] or error.message.removesuffix(".")
        ) from error


def _name(text: str) -> str:
    try:
        return valid_name(text, "it")
    except BadRequest as error:
        raise ValueError(error.message.removeprefix("it ").removesuffix(".")) from error


def _written_moment(value: Any) -> Any:
    """Numbers are not taken for times: nobody can tell seconds from milliseconds."""
    if not isinstance(value, datetime) and not (isinstance(value, str) and RFC_3339.fullmatch(value)):
        raise ValueError("must be a time like 2026-01-31T12:00:00Z")
    return value


def _keepable(moment: datetime) -> datetime:
    if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        raise ValueError(f"must lie between the years {EARLIEST_YEAR} and {LATEST_YEAR}")
    return moment


def word_of(words: type[StrEnum]) -> BeforeValidator:
    """Reads one of a closed set, which strict models would want as Python has it."""

    def read(value: Any) -> Any:
        if not isinstance(value, str) or value not in set(words):
            raise ValueError(f"must be one of {', '.join(words)}")
        return words(value)

    return BeforeValidator(read)


def unsent() -> Any:
    """The default of a field that may be left out and must not be null: it stands for no value of its own."""
    return Field(default=None)


#: What `printable` refuses, as far as JSON Schema can say it.
PLAIN: JsonDict = {"pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]*$"}
Text = Annotated[str, Field(json_schema_extra=PLAIN), AfterValidator(printable)]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_LENGTH, json_schema_extra=PLAIN), AfterValidator(_name)]
Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_written_moment), AfterValidator(_keepable)]
Note = Annotated[Text, Field(max_length=1000, description="Why, for those who read the history")]
Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]
PathId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
QueryId = Annotated[int | None, Query(ge=1, le=LARGEST_ID)]
QueryMoment = Annotated[Moment | None, Query()]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many at most")]
Cursor = Annotated[str | None, Query(max_length=1000, description="The `cursor` of the page before")]
