"""YAML of which nothing surprising is left: text becomes nodes that know their line, or problems.

No anchors, aliases, tags or merge keys, so a small file cannot grow; one document; no key twice. A plain `yes`, `012`,
`12:30` or date is text, as it is in YAML 1.2. The limits are kept while the parser's events stream, so that nothing
large is ever built.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

MOST_BYTES = 64 * 1024
MOST_NESTING = 20
MOST_NODES = 5_000
#: More digits are text: an id, not an amount.
MOST_DIGITS = 18
#: How much of a text is repeated in a message.
MOST_SHOWN = 60

#: Where libyaml is not, the same parser in Python.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
#: What a quoted text can smuggle in by escapes, and no database takes.
UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")
#: What begins a mapping that is written on one line, and no variable.
BRACE = re.compile(r"(?<!\$)\{")
LINE_ENDS = re.compile(r"\r\n|\r|\n")
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)", re.ASCII)
FLOAT = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?", re.ASCII)
WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to correct in a playbook. `step` is its name, or `step 3` where it has none."""

    message: str
    line: int
    step: str | None = None
    field: str | None = None

    def __str__(self) -> str:
        step = self.step and (self.step if UNNAMED.fullmatch(self.step) else f"step {self.step!r}")
        where = ", ".join(part for part in (f"line {self.line}", step, self.field) if part)
        return f"{where}: {self.message}"


UNNAMED = re.compile(r"step [0-9]+( of finally)?")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value: what it means, and how it is written."""

    line: int
    value: str | int | float | bool | None
    text: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A list."""

    line: int
    items: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Mapped:
    """A mapping. Keys are text."""

    line: int
    entries: dict[str, Node] = field(default_factory=dict)


Node = Scalar | Listed | Mapped


class Unreadable(Exception):
    """YAML that cannot be read on from here."""

    def __init__(self, message: str, line: int) -> None:
        self.problem = Problem(message, line)
        super().__init__(message)


def read(text: str, problems: list[Problem]) -> Node | None:
    """The document of a text, None where there is none to go on with. Adds what is wrong to `problems`."""
    try:
        _check_text(text)
        return _Builder(problems).build(_events(text.removeprefix("\ufeff")))
    except Unreadable as error:
        problems.append(error.problem)
        return None


def plain(node: Node) -> Any:
    """A node as JSON has it."""
    match node:
        case Scalar(value=value):
            return value
        case Listed(items=items):
            return [plain(item) for item in items]
        case Mapped(entries=entries):
            return {key: plain(item) for key, item in entries.items()}


def shown(text: str) -> str:
    """A text as a message repeats it."""
    return repr(text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…")


def _check_text(text: str) -> None:
    if len(text) > MOST_BYTES or len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise Unreadable(f"a playbook has at most {MOST_BYTES // 1024} KiB", 1)
    found = UNPRINTABLE.search(text.removeprefix("\ufeff"))
    if found:
        line = 1 + len(LINE_ENDS.findall(text[: found.start() + text.startswith("\ufeff")]))
        raise Unreadable(f"the character U+{ord(found[0]):04X} cannot be in a playbook: remove it", line)


def _events(text: str) -> Iterator[Any]:
    try:
        yield from yaml.parse(text, Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        message = f"this is no YAML: {error.problem or error.context or 'it cannot be understood'}"
        raise Unreadable(message + _hint(text, line), line) from None
    except (yaml.YAMLError, ValueError, OverflowError):
        raise Unreadable("this is no YAML: a character or an escape in it is wrong", 1) from None


def _hint(text: str, line: int) -> str:
    """What most often lies behind YAML that cannot be read at a line."""
    written = "".join(text.splitlines()[line - 1 : line])
    brace = BRACE.search(written)
    is_bare = brace is not None and "${" in written[brace.end() :]
    return "; between { and }, a text with ${…} must be in quotes" if is_bare else ""


@dataclass(slots=True)
class _Open:
    """A list or mapping that is being read; in a mapping, `key` waits for its value."""

    node: Listed | Mapped
    key: Scalar | None = None
    #: Its value is read but thrown away.
    is_void: bool = False


class _Builder:
    """Builds nodes from events, and keeps the limits."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        self.open: list[_Open] = []
        self.root: Node | None = None
        self.nodes = 0
        self.documents = 0

    def build(self, events: Iterator[Any]) -> Node | None:
        for event in events:
            self.take(event, event.start_mark.line + 1)
        if self.root is None and not self.problems:
            raise Unreadable("the playbook is empty", 1)
        return self.root

    def take(self, event: Any, line: int) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self.documents += 1
                if self.documents > 1:
                    raise Unreadable("a file has one playbook: remove what begins at this ---", line)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self.open.pop()
            case yaml.AliasEvent():
                raise Unreadable("aliases (*name) are not taken: write it out", line)
            case yaml.NodeEvent():
                self.count(event, line)
                self.take_node(event, line)
            case _:
                pass  # the stream's beginning and the ends

    def count(self, event: Any, line: int) -> None:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise Unreadable(f"a playbook has at most {MOST_NODES} values", line)
        if event.anchor is not None:
            raise Unreadable("anchors (&name) are not taken: write it out where it is needed", line)
        if event.tag is not None:
            raise Unreadable("tags (!name) are not taken: remove it", line)

    def take_node(self, event: Any, line: int) -> None:
        if isinstance(event, yaml.ScalarEvent):
            if self.open and isinstance(self.open[-1].node, Mapped) and self.open[-1].key is None:
                self.take_key(event, line)
            else:
                self.add(self.scalar(event, line))
            return
        node: Listed | Mapped = Listed(line) if isinstance(event, yaml.SequenceStartEvent) else Mapped(line)
        if self.open and isinstance(self.open[-1].node, Mapped) and self.open[-1].key is None:
            raise Unreadable("a key must be text: write lists and mappings with { or [ in quotes", line)
        self.add(node)
        self.open.append(_Open(node))
        if len(self.open) > MOST_NESTING:
            raise Unreadable(f"nested more than {MOST_NESTING} deep", line)

    def take_key(self, event: Any, line: int) -> None:
        into, key = self.open[-1], self.scalar(event, line)
        if key.text == "<<" and event.implicit[0]:
            raise Unreadable("merge keys (<<) are not taken: write it out", line)
        assert isinstance(into.node, Mapped)
        into.is_void = key.text in into.node.entries
        if into.is_void:
            first = into.node.entries[key.text].line
            self.problems.append(Problem(f"the key {shown(key.text)} is there already, at line {first}", line))
        into.key = key

    def add(self, node: Node) -> None:
        if not self.open:
            self.root = node
            return
        into = self.open[-1]
        match into.node:
            case Listed(items=items):
                items.append(node)
            case Mapped(entries=entries):
                assert into.key is not None
                if not into.is_void:
                    entries[into.key.text] = node
                into.key = None

    def scalar(self, event: Any, line: int) -> Scalar:
        text: str = event.value
        if UNKEEPABLE.search(text):
            raise Unreadable("a text cannot hold NUL or half a character: remove the escape", line)
        return Scalar(line, _meaning(text) if event.implicit[0] else text, text)


def _meaning(text: str) -> str | int | float | bool | None:
    """What a plain scalar means in YAML 1.2, as far as JSON knows it too."""
    if text in WORDS:
        return WORDS[text]
    if len(text) <= MOST_DIGITS + 8:
        if INTEGER.fullmatch(text):
            return int(text) if len(text.lstrip("+-")) <= MOST_DIGITS else text
        if FLOAT.fullmatch(text) and math.isfinite(float(text)):
            return float(text)
    return text
