"""Which playbook an alert calls for: globs on the service's name, and how often in a row it has failed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

MAX_PATTERN_LENGTH = 200


class TriggerMode(StrEnum):
    """What a trigger does when it fires."""

    RUN = "run"
    OBSERVE = "observe"  #: notes what it would have done


@dataclass(frozen=True, slots=True)
class Trigger:
    """A rule that starts a playbook."""

    trigger_id: int
    playbook_id: int
    service_pattern: str
    consecutive_failures: int
    mode: TriggerMode = TriggerMode.RUN


def matches(pattern: str, service_name: str) -> bool:
    """Whether a name is meant: `*` any text, `?` any character, `[seq]`, `[!seq]`; case does not count."""
    return fnmatchcase(service_name.lower(), pattern.lower())


def most_demanding(triggers: Iterable[Trigger]) -> list[Trigger]:
    """In the order in which they are asked: most failures first, then the oldest."""
    return sorted(triggers, key=lambda one: (-one.consecutive_failures, one.trigger_id))


def chosen(triggers: Iterable[Trigger], service_name: str, failures: int) -> Trigger | None:
    """The first that matches, of `most_demanding`."""
    return next(
        (
            one
            for one in most_demanding(triggers)
            if one.consecutive_failures <= failures and matches(one.service_pattern, service_name)
        ),
        None,
    )


def fires(triggers: Iterable[Trigger], service_name: str, before: int, failures: int) -> Trigger | None:
    """The trigger that an alert calls for now that it counts `failures`, having counted `before`.

    It fires when its count is reached, not at every later one.
    """
    found = chosen(triggers, service_name, failures)
    return found if found is not None and before < found.consecutive_failures else None


def as_regex(pattern: str) -> str:
    """The same pattern for Postgres: anchored, to be matched with lower-cased names."""
    return "^" + "".join(_parts(pattern.lower())) + "$"


#: `[seq]` as fnmatch reads it; a bracket that is not closed is itself.
GLOB = re.compile(r"\*+|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)


def _parts(pattern: str) -> Iterable[str]:
    for part in GLOB.findall(pattern):
        if part.startswith("*"):
            yield ".*"
        elif part == "?":
            yield "."
        elif len(part) > 2 and part[0] == "[" and part[-1] == "]":
            yield _set(part[1:-1])
        else:
            yield re.escape(part)


def _set(inside: str) -> str:
    negated = inside.startswith("!")
    members = inside[1:] if negated else inside
    escaped = re.sub(r"([\\\[\]^])", r"\\\1", members)
    return f"[{'^' if negated else ''}{escaped}]"
