"""Which playbook an alert calls for: globs on the service's name, and how often in a row it has failed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
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
    return "^" + "".join(_part(found) for found in GLOB.finditer(pattern.lower())) + "$"


#: As fnmatch reads it: `]` is a member where it comes first, and a bracket that is not closed is itself.
GLOB = re.compile(r"(?P<any>\*+)|(?P<one>\?)|\[(?P<members>!?+.[^\]]*)\]|(?P<itself>.)", re.DOTALL)
NOTHING, ANYTHING = "(?!)", "."
#: Among members: all that lie between its neighbours too.
TO = ""


def _part(found: re.Match[str]) -> str:
    if found["any"]:
        return ".*"
    if found["one"]:
        return ANYTHING
    return _character(found["itself"]) if found["itself"] else _set(found["members"])


def _set(inside: str) -> str:
    """What stands between brackets, to the letter of fnmatch: `!` counts once ranges without members are left out."""
    members = _members(_spans(inside))
    is_negated = members[:1] == ["!"]
    spelled = "".join(_spelled(members[is_negated:]))
    if not spelled:
        return ANYTHING if is_negated else NOTHING
    return f"[{'^' if is_negated else ''}{spelled}]"


def _spans(inside: str) -> list[str]:
    """The text cut at each hyphen that makes a range, from the character before it to the one after."""
    spans, begin = [], 0
    at = inside.find("-", 2 if inside.startswith("!") else 1)
    while at >= 0:
        spans.append(inside[begin:at])
        begin, at = at + 1, inside.find("-", at + 3)
    if begin < len(inside):
        return [*spans, inside[begin:]]
    return [*spans[:-1], spans[-1] + "-"]


def _members(spans: list[str]) -> list[str]:
    """Characters, with TO between the two ends of a range. `b-a` has no members; Postgres would refuse it."""
    kept = spans[-1:]
    for span in reversed(spans[:-1]):
        after = kept[0]
        kept[:1] = [span[:-1] + after[1:]] if span[-1] > after[0] else [span, after]
    return [member for span in kept for member in (TO, *span)][1:]


def _spelled(members: list[str]) -> Iterator[str]:
    for at, member in enumerate(members):
        # With nothing before it, it is a hyphen.
        yield "-" if member == TO and at > 0 else _character(member or "-")


def _character(character: str) -> str:
    """By its number, so that it means nothing else anywhere in a regular expression of Postgres."""
    return f"\\U{ord(character):08x}"
