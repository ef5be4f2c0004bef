"""Packages of npm that checks and tests want, pinned with all that they stand on. Without npm there are none."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
PINS = ROOT / "requirements" / "node"
#: Beside the other packages, so that `make clean` finds it.
PLACE = ROOT / ".venv" / "node"


def packages() -> Path | None:
    """The folder of the packages, installed as they are pinned; None without npm.

    Raises CalledProcessError where they cannot be installed.
    """
    npm = shutil.which("npm")
    if npm is None:
        return None
    PLACE.mkdir(parents=True, exist_ok=True)
    # Tests run in several processes, and one of them is the first.
    with (PLACE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _are_as_pinned():
            shutil.copy(PINS / "package.json", PLACE)
            shutil.copy(PINS / "package-lock.json", PLACE)
            subprocess.run([npm, "ci", "--silent", "--no-audit", "--no-fund"], cwd=PLACE, check=True)
            shutil.copy(PINS / "package-lock.json", PLACE / "installed.json")
    return PLACE / "node_modules"


def _are_as_pinned() -> bool:
    installed = PLACE / "installed.json"
    return installed.exists() and installed.read_bytes() == (PINS / "package-lock.json").read_bytes()
