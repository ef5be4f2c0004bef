"""Taking the fields of a mapping one by one; what is wrong is noted, and reading goes on with the default."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, TypeVar

from medic_core.domain.repair.durations import duration, spelled
from medic_core.domain.repair.reading import Listed, Mapped, Node, Problem, Scalar, plain, shown
from medic_core.domain.watching.names import valid_name
from medic_core.errors import BadRequest

Choice = TypeVar("Choice", bound=StrEnum)
#: Keys that are the author's own.
OWN = "x-"
#: Of one mapping's unknown keys no more are named one by one.
MOST_UNKNOWN = 20
DURATION = "must be like 30s, 5m or 1h, or whole seconds"


@dataclass(slots=True)
class Section:
    """A mapping being read. `inside` is how its fields are called in problems: `retry.` for those of `retry`."""

    node: Mapped
    problems: list[Problem]
    step: str | None = None
    inside: str = ""
    taken: set[str] = field(default_factory=set)

    def wrong(self, message: str, key: str | None = None, line: int | None = None) -> None:
        """Note that something is wrong, with a field where one is named."""
        at = self.node.entries.get(key or "")
        line = line or (at.line if at else self.node.line)
        name = f"{self.inside}{key}" if key else self.inside.removesuffix(".") or None
        self.problems.append(Problem(message, line, self.step, name))

    def take(self, key: str) -> Node | None:
        """A field; None where it is not given, or given as null."""
        self.taken.add(key)
        node = self.node.entries.get(key)
        return None if isinstance(node, Scalar) and node.value is None else node

    def close(self, *ignored: str) -> None:
        """Everything was taken: what is left is not known here."""
        known = self.taken | set(ignored)
        unknown = [key for key in self.node.entries if key not in known and not key.startswith(OWN)]
        for key in unknown[:MOST_UNKNOWN]:
            close = get_close_matches(key[:40], sorted(known), n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {joined(frozenset(known))}"
            self.wrong(f"unknown key {shown(key)}: {hint}", line=self.node.entries[key].line)
        if len(unknown) > MOST_UNKNOWN:
            self.wrong(f"{len(unknown) - MOST_UNKNOWN} more unknown keys: remove them")

    def text(self, key: str, default: str = "", *, most: int | None = None, is_needed: bool = False) -> str:
        """A text, as it is written; numbers are taken too."""
        node = self.take(key)
        if node is None or (isinstance(node, Scalar) and is_needed and not node.text.strip()):
            if is_needed:
                self.wrong("is missing", key)
            return default
        if not isinstance(node, Scalar):
            self.wrong("must be text", key)
            return default
        if most is not None and len(node.text) > most:
            self.wrong(f"must have at most {most} characters", key)
        return node.text

    def name(self, key: str, *, is_needed: bool = True) -> str:
        """A name: a line of printable text."""
        text = self.text(key, is_needed=is_needed)
        return self.valid_name(text, key) if text else text

    def valid_name(self, text: str, key: str) -> str:
        """The name as it is kept."""
        try:
            return valid_name(text, key)
        except BadRequest as error:
            self.wrong(error.message.removeprefix(f"{key} ").removesuffix("."), key)
            return text.strip()

    def choice(self, key: str, choices: type[Choice], default: Choice) -> Choice:
        """One of a closed set, in whatever case."""
        text = self.text(key, default)
        found = next((one for one in choices if one.lower() == text.strip().lower()), None)
        if found is None:
            self.wrong(f"must be one of {', '.join(choices)}", key)
        return default if found is None else found

    def whole(self, key: str, default: int, lowest: int, highest: int) -> int:
        """A whole number."""
        node = self.take(key)
        if node is None:
            return default
        number = _whole(node)
        if number is None or not lowest <= number <= highest:
            self.wrong(f"must be a whole number from {lowest} to {highest}", key)
            return default
        return number

    def number(self, key: str, default: float, lowest: float, highest: float) -> float:
        """A number."""
        node = self.take(key)
        value = default if node is None else node.value if isinstance(node, Scalar) else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not lowest <= value <= highest:
            self.wrong(f"must be a number from {lowest:g} to {highest:g}", key)
            return default
        return float(value)

    def flag(self, key: str) -> bool:
        """Whether something is said to be so."""
        node = self.take(key)
        value = node.value if isinstance(node, Scalar) else node
        if value is not None and not isinstance(value, bool):
            self.wrong("must be true or false", key)
        return value is True

    def duration(
        self, key: str, default: timedelta, longest: timedelta, shortest: timedelta | None = None
    ) -> timedelta:
        """A length of time; more than none, unless a shortest is given."""
        node = self.take(key)
        if node is None:
            return default
        length = duration(node.text) if isinstance(node, Scalar) else None
        if length is None:
            self.wrong(DURATION, key)
        elif length > longest:
            self.wrong(f"must be at most {spelled(longest)}", key)
        elif length <= timedelta(0) and length != shortest:
            self.wrong("must be more than 0", key)
        else:
            return length
        return default

    def codes(self, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """Status codes of HTTP."""
        node = self.take(key)
        if node is None:
            return default
        codes = [_whole(item) or 0 for item in node.items] if isinstance(node, Listed) else []
        if not codes or not all(100 <= code <= 599 for code in codes):
            self.wrong("must be a list of status codes from 100 to 599, like [200, 204]", key)
            return default
        return tuple(codes)

    def names(self, key: str, most: int) -> tuple[str, ...]:
        """A list of names."""
        node = self.take(key)
        items = node.items if isinstance(node, Listed) else []
        if node is not None and (not items or len(items) > most or not all(map(_is_text, items))):
            self.wrong(f"must be a list of 1 to {most} names", key)
            return ()
        return tuple(self.valid_name(item.text, key) for item in items if isinstance(item, Scalar))

    def mapping(self, key: str) -> dict[str, Any] | None:
        """A mapping, as JSON has it."""
        node = self.take(key)
        if node is None:
            return None
        if not isinstance(node, Mapped):
            self.wrong("must be a mapping, like {name: value}", key)
            return None
        return {name: plain(item) for name, item in node.entries.items()}

    def section(self, key: str) -> Section:
        """The fields of a mapping inside; of none, where there is none."""
        node = self.take(key)
        if node is not None and not isinstance(node, Mapped):
            self.wrong("must be a mapping, like {name: value}", key)
        inner = node if isinstance(node, Mapped) else Mapped(self.node.line)
        return Section(inner, self.problems, self.step, f"{self.inside}{key}.")


def joined(names: frozenset[str]) -> str:
    """Names in their order, as a message lists them."""
    return ", ".join(sorted(names))


def _is_text(node: Node) -> bool:
    return isinstance(node, Scalar) and bool(node.text.strip()) and node.value is not None


def _whole(node: Node) -> int | None:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
