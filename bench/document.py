"""docs/benchmarks.md: a section for each thing that is measured, each with the machine that it was measured on."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping, Sequence

INTRODUCTION = """# Benchmarks

Written by `make bench WRITE=1`; a section alone, which leaves the others as they are, by
`python -m bench --only <section> --write`. Read the ratios: both sides of each were measured in the same run on the
same machine, in turn. Absolute figures drift with the machine and with what else it does, so each section says where
and beside what it was measured. In brackets: the lowest and the highest of the rounds.
`healthchecks` is left out where there is no checkout of it; `bench/healthchecks.py` says what it needs.

What was tried on the way, and what it gave: [ADR 27](adr/0027-record-a-heartbeat-in-a-function.md).
"""
SECTION = re.compile(r"^## (?P<name>\S+)\n(?P<content>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def sections(document: str) -> dict[str, str]:
    """What stands under each title, in the document's order."""
    return {part["name"]: part["content"].strip() for part in SECTION.finditer(document)}


def written(document: str, found: Mapping[str, str], names: Sequence[str]) -> str:
    """The document with these sections measured anew, in the order of all names; what has no name any more goes."""
    known = sections(document) | found
    parts = [f"## {name}\n\n{known[name].strip()}\n" for name in names if name in known]
    return "\n".join([INTRODUCTION, *parts])


def circumstances() -> str:
    """The machine, and what it had to do when this was asked."""
    load = f", load average {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return f"CPython {platform.python_version()}, {os.cpu_count()} cores{load}."
