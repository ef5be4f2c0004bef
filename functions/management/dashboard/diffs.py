"""A unified diff, line by line, for people who see colours and for those who do not."""

from __future__ import annotations

from dataclasses import dataclass

#: The names of what is compared come first.
HEADINGS = ("--- ", "+++ ")
KINDS = {"+": "added", "-": "removed", "@": "place"}


@dataclass(frozen=True, slots=True)
class Line:
    """A line with its sign."""

    kind: str
    text: str


def marked(diff: str) -> list[Line]:
    """The lines of a unified diff, each as what it is: added, removed, kept, heading, or where the next ones stand."""
    return [
        Line("heading" if number < len(HEADINGS) else KINDS.get(text[:1], "kept"), text)
        for number, text in enumerate(diff.removesuffix("\n").split("\n") if diff else [])
    ]
