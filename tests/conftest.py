"""What tests stand on: a real Postgres with a database of its own for each test, a real Redis."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

pytest_plugins = [
    "tests.fixtures.postgres",
    "tests.fixtures.aws",
    "tests.fixtures.functions",
    "tests.fixtures.receivers",
    "tests.fixtures.processes",
]
