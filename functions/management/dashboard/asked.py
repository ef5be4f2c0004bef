"""What a page was asked: its query, and the form that was sent to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, ValidationError

from medic_core.api.request import Request
from medic_core.domain.watching.names import is_printable
from medic_core.errors import BadRequest
from models.fields import EARLIEST_YEAR, LARGEST_ID, LATEST_YEAR
from models.reading import problems
from pages import forms

Word = TypeVar("Word", bound=StrEnum)
Model = TypeVar("Model", bound=BaseModel)
#: A playbook of 64 KiB, however a form spells it.
LONGEST_BODY = 262_144
#: A page of services with each of them ticked.
MOST_FIELDS = 300
LONGEST_LINE = 500
LONGEST_WORDS = 20_000
MOST_HOURS = 24 * 365


@dataclass(frozen=True, slots=True)
class Form:
    """What was filled in. Line ends are as Unix has them, which a browser's are not."""

    values: Mapping[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, request: Request) -> Form:
        """Raises BadRequest, TooLarge."""
        found: dict[str, list[str]] = {}
        for name, value in forms.pairs(request.body, request.headers, LONGEST_BODY, MOST_FIELDS):
            found.setdefault(name, []).append(value.replace("\r\n", "\n"))
        return cls(found)

    def text(self, name: str, longest: int = LONGEST_BODY) -> str:
        """A text of several lines, as it was written; empty where there is none. Raises BadRequest."""
        text = self.values.get(name, [""])[-1]
        if len(text) > longest or "\0" in text:
            raise BadRequest(f"{name}: must be text of at most {longest} characters.")
        return text

    def line(self, name: str, longest: int = LONGEST_LINE) -> str:
        """A text of one line, without the space around it. Raises BadRequest."""
        text = self.text(name, longest).strip()
        if not is_printable(text):
            raise BadRequest(f"{name}: must not contain control characters.")
        return text

    def words(self, name: str) -> list[str]:
        """Words with commas or space between. Raises BadRequest."""
        return self.text(name, LONGEST_WORDS).replace(",", " ").split()

    def lines(self, name: str) -> list[str]:
        """The lines of a text that say something. Raises BadRequest."""
        return [line.strip() for line in self.text(name, LONGEST_WORDS).split("\n") if line.strip()]

    def ticked(self, name: str) -> bool:
        return name in self.values

    def numbers(self, name: str) -> list[int]:
        """Every id that was ticked. Raises BadRequest."""
        return [number(text, name) for text in self.values.get(name, [])]

    def whole(self, name: str) -> int | None:
        """A whole number; None where nothing was written. Raises BadRequest."""
        text = self.line(name)
        return number(text, name) if text else None

    def hours(self, name: str, otherwise: int) -> timedelta:
        """A length of time in whole hours; `otherwise` where nothing was written. Raises BadRequest."""
        found = self.whole(name) or otherwise
        if found > MOST_HOURS:
            raise BadRequest(f"{name}: must be at most {MOST_HOURS}.")
        return timedelta(hours=found)

    def moment(self, name: str, before: datetime | None = None) -> datetime | None:
        """A time as a date field has it, which is UTC; None where nothing was written. Raises BadRequest.

        A field shows no seconds: where it says what it said of `before`, that is meant.
        """
        text = self.line(name)
        return before if before is not None and text == minute(before) else moment(text, name)


def valid(model: type[Model], sent: Mapping[str, Any]) -> Model:
    """What was filled in, if the API would take it. Raises BadRequest."""
    try:
        return model.model_validate(dict(sent))
    except ValidationError as error:
        raise BadRequest(problems(error.errors())) from error


def minute(at: datetime | None) -> str:
    """A time as a date field shows it."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M}" if at is not None else ""


def number(text: str, name: str) -> int:
    """Raises BadRequest for what is no whole number that is kept."""
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(LARGEST_ID)) or int(text) > LARGEST_ID:
        raise BadRequest(f"{name}: must be a whole number.")
    return int(text)


def moment(text: str, name: str) -> datetime | None:
    """Raises BadRequest for what is no time, or none that can be kept."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadRequest(f"{name}: must be a time like 2026-01-31T12:00.") from error
    if not EARLIEST_YEAR <= found.year <= LATEST_YEAR:
        raise BadRequest(f"{name}: must lie between the years {EARLIEST_YEAR} and {LATEST_YEAR}.")
    return found


def chosen(query: Mapping[str, str], name: str, words: type[Word]) -> Word | None:
    """What was chosen of a closed set; None for nothing. Raises BadRequest."""
    said = query.get(name, "")
    if not said:
        return None
    try:
        return words(said)
    except ValueError as error:
        raise BadRequest(f"{name}: must be one of {', '.join(words)}.") from error


def asked_id(query: Mapping[str, str], name: str) -> int | None:
    """An id of the query; None for none. Raises BadRequest."""
    said = query.get(name, "").strip()
    return number(said, name) if said else None


def asked_line(query: Mapping[str, str], name: str, longest: int = LONGEST_LINE) -> str:
    """A text of the query. Raises BadRequest."""
    said = query.get(name, "").strip()
    if len(said) > longest or not is_printable(said):
        raise BadRequest(f"{name}: must be a line of at most {longest} characters.")
    return said


def again(path: str, query: Mapping[str, str], but: Iterable[str] = (), **changes: object) -> str:
    """The address of the same list, with some of what was asked changed."""
    kept = {name: value for name, value in query.items() if value and name not in {*but, *changes}}
    kept |= {name: str(value) for name, value in changes.items() if value is not None}
    return f"{path}?{urlencode(kept)}" if kept else path
