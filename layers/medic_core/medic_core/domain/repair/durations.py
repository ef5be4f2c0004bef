"""Lengths of time as playbooks spell them: `30s`, `5m`, `1h`, or whole seconds."""

from __future__ import annotations

import re
from datetime import timedelta

SPELLED = re.compile(r"([0-9]{1,9})([smh]?)", re.ASCII)
UNITS = {"": timedelta(seconds=1), "s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1)}


def duration(text: str) -> timedelta | None:
    """The length of time that a text spells, if it spells one."""
    found = SPELLED.fullmatch(text.strip())
    return int(found[1]) * UNITS[found[2]] if found else None


def spelled(length: timedelta) -> str:
    """A length of time in whole seconds as it would be written: in the largest unit that leaves nothing over."""
    for unit in ("h", "m"):
        if length and not length % UNITS[unit]:
            return f"{length // UNITS[unit]}{unit}"
    return f"{length // UNITS['s']}s"
