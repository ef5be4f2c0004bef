"""Programs that tests start and kill."""

from __future__ import annotations

import os
from pathlib import Path

#: The variable that holds which file says that a program has loaded everything.
AT_WORK = "MEDIC_TESTS_AT_WORK"


def at_work() -> None:
    """Say that from here on it does what it was started for."""
    Path(os.environ[AT_WORK]).touch()
