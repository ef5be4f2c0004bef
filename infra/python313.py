"""The Python that Lambda runs our functions with, found by trying: a name on the PATH need not run.

Run as a program it prints the path, or one line that says what is missing (and exits with 1).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

VERSION = (3, 13)
NAME = "python" + ".".join(map(str, VERSION))
#: An interpreter says itself where it is: what was called may be a shim.
ASK = f"import sys; sys.version_info[:2] == {VERSION} or sys.exit(1); print(sys.executable)"
PATIENCE_SECONDS = 20


class Missing(Exception):
    """There is none; the message is one line that says what to do."""


def find(environment: Mapping[str, str]) -> Path:
    """The path of a Python 3.13 that runs. Raises Missing.

    PYTHON313 is an order: where it names one that does not run, no other is taken for it.
    """
    ordered = environment.get("PYTHON313")
    if ordered:
        found = _tried(ordered)
        if found is None:
            raise Missing(f"PYTHON313 is {ordered}, which is no Python 3.13 that runs.")
        return found
    for candidate in candidates(environment):
        if found := _tried(candidate):
            return found
    raise Missing("Python 3.13 (Lambda's) is needed and was not found: PYTHON313=/path/to/python3.13 names one.")


def candidates(environment: Mapping[str, str]) -> Iterator[str]:
    """Where one may be: on the PATH, then among pyenv's, newest first."""
    yield NAME
    root = Path(environment.get("PYENV_ROOT") or Path.home() / ".pyenv")
    versions = sorted((root / "versions").glob("3.13*"), key=_as_version, reverse=True)
    yield from (str(version / "bin" / NAME) for version in versions)


def _as_version(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in folder.name.split(".") if part.isdigit())


def _tried(python: str) -> Path | None:
    try:
        asked = subprocess.run(
            [python, "-c", ASK], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Path(asked.stdout.strip()) if asked.returncode == 0 else None


def main() -> int:
    try:
        print(find(os.environ))
    except Missing as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
