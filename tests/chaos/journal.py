"""What somebody saw, line by line in a file, as it happened. A line is whole or was never written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


class Journal:
    """Appends; several threads of a process may share one."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("a", buffering=1)

    def note(self, entry: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(entry) + "\n")


def entries(folder: Path, name: str) -> Iterator[Entry]:
    """Those of all journals whose file names begin so."""
    for file in sorted(folder.glob(f"{name}*.jsonl")):
        for line in file.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                yield json.loads(line)
