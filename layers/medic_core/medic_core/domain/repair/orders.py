"""What a script runner is told and what it tells, and how secrets are kept out of what people see."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any
from urllib.parse import quote, quote_plus

HIDDEN = "***"
#: Stands on a line of its own between what a script says on stdout and on stderr.
STDERR_MARK = "[STDERR]"
#: Nested deeper, JSON is text to later steps.
DEEPEST = 50
#: Shorter ones would be found everywhere, and hide what people must see.
SHORTEST_HIDDEN = 6
#: Where programs break lines of base64.
BASE64_LINES = (64, 76)
STDERR_LINE = re.compile(rf"^{re.escape(STDERR_MARK)}$", re.MULTILINE)
SURROGATE = re.compile("[\ud800-\udfff]")
ESCAPED_BYTE = re.compile(r"%[0-9A-F]{2}")


class Interpreter(StrEnum):
    """What runs a script."""

    BASH = "bash"
    PYTHON = "python"


class Verdict(StrEnum):
    """What a runner can say of a step."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"  #: it may have had its effect, and nobody can say


@dataclass(frozen=True, slots=True)
class ScriptOrder:
    """A script to run. `hidden` are the secret values that it was given, to be masked in what it says."""

    execution_id: int
    playbook_id: int
    service_id: int | None
    step_index: int
    attempt: int
    name: str
    interpreter: Interpreter
    content: str = field(repr=False)
    sha256: str
    parameters: Mapping[str, Any] = field(repr=False)
    context: Mapping[str, str] = field(repr=False)
    timeout_seconds: int
    hidden: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_what_was_registered(self) -> bool:
        """Whether its text is the one whose hash was taken when it was registered."""
        return hashlib.sha256(self.content.encode(errors="replace")).hexdigest() == self.sha256

    def to_bytes(self) -> bytes:
        """As it is sealed."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return json.dumps(values | {"parameters": dict(self.parameters), "context": dict(self.context)}).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> ScriptOrder:
        """Raises ValueError, with a message that shows nothing of it."""
        try:
            said = json.loads(content)
            return cls(**{**said, "interpreter": Interpreter(said["interpreter"]), "hidden": tuple(said["hidden"])})
        except (ValueError, TypeError, KeyError):
            raise ValueError("This is no order for a script.") from None


@dataclass(frozen=True, slots=True)
class ScriptReport:
    """What became of a script. `exit_code` is None where it did not end by itself; `error` says why it failed."""

    verdict: Verdict
    exit_code: int | None = None
    output: str = field(default="", repr=False)
    error: str = ""
    timed_out: bool = False
    truncated: bool = False

    @property
    def data(self) -> dict[str, Any]:
        """What later steps can use of it: `output` is taken apart where all of stdout is JSON."""
        found = self.output if self.truncated else as_json(STDERR_LINE.split(self.output, maxsplit=1)[0], self.output)
        return {"exit_code": self.exit_code, "output": found}

    def to_bytes(self) -> bytes:
        """As it is sealed."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> ScriptReport:
        """Raises ValueError, with a message that shows nothing of it."""
        try:
            said = json.loads(content)
            return cls(**{**said, "verdict": Verdict(said["verdict"])})
        except (ValueError, TypeError, KeyError):
            raise ValueError("This is no report of a script.") from None


def as_json(text: str, otherwise: str) -> Any:
    """The JSON that a text is; `otherwise` where it is none, or one that Postgres would not keep."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return otherwise
    return found if _can_be_kept(found) else otherwise


def _can_be_kept(value: Any, depth: int = 0) -> bool:
    match value:
        case str():
            return "\0" not in value and not SURROGATE.search(value)
        case float():
            return math.isfinite(value)
        case dict():
            return _can_be_kept([*value.keys(), *value.values()], depth)
        case list():
            return depth < DEEPEST and all(_can_be_kept(one, depth + 1) for one in value)
        case _:
            return True


def keepable(text: str) -> str:
    """The text as Postgres keeps it: without NULs and unpaired surrogates."""
    return SURROGATE.sub("\ufffd", text.replace("\0", ""))


def mask(text: str, hidden: Iterable[str]) -> str:
    """The text with `***` for each of these values of 6 characters or more, in any of its usual forms.

    As often as it takes: what is left must not read as one of them either.
    """
    forms = hidden_forms(hidden)
    if not forms:
        return text
    pattern = re.compile("|".join(re.escape(form) for form in forms))
    while pattern.search(text):
        text = pattern.sub(HIDDEN, text)
    return text


def hidden_forms(hidden: Iterable[str]) -> list[str]:
    """Everything that gives one of these values away, the longest first. Of several lines, each is a value too."""
    values = {one for value in hidden for one in (value, *map(str.strip, value.splitlines()))}
    forms = {form for value in values if len(value) >= SHORTEST_HIDDEN for form in _forms(value)}
    return sorted((form for form in forms if len(form) >= SHORTEST_HIDDEN), key=lambda form: (-len(form), form))


def _forms(value: str) -> set[str]:
    whole, path = (quote(value, safe, errors="replace") for safe in ("", "/"))
    quoted = {whole, path, quote_plus(value, errors="replace")}
    lower = {ESCAPED_BYTE.sub(lambda match: match[0].lower(), form) for form in quoted}
    escaped = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    return {value, *quoted, *lower, *escaped, *_base64_forms(value.encode(errors="replace"))}


def _base64_forms(value: bytes) -> set[str]:
    """In both alphabets, whole, in lines, and as a part of something longer (`user:password`), wherever it begins."""
    whole = base64.b64encode(value).decode()
    forms = {whole, whole.rstrip("=")}
    for width in BASE64_LINES:
        forms |= {whole[begin : begin + width] for begin in range(0, len(whole), width)}
    for before in range(3):
        # Those of its characters that do not depend on what stands around it.
        first, end = -(-8 * before // 6), 8 * (before + len(value)) // 6
        forms.add(base64.b64encode(b"\0" * before + value).decode()[first:end])
    return forms | {form.replace("+", "-").replace("/", "_") for form in forms}
