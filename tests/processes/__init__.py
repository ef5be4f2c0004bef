"""Programs that tests start and kill."""

from __future__ import annotations

import os
from pathlib import Path

from medic_core.store import connection
from tests.fixtures.postgres import PATIENCE_SECONDS

#: The variable that holds which file says that a program has loaded everything.
AT_WORK = "MEDIC_TESTS_AT_WORK"


def waits_for_long() -> None:
    """Have this program wait for its database for longer than on AWS: it may answer late where the machine is busy."""
    connection.CONNECT["connect_timeout"] = PATIENCE_SECONDS


def at_work() -> None:
    """Say that from here on it does what it was started for."""
    Path(os.environ[AT_WORK]).touch()
