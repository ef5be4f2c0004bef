"""What the heartbeat function loads before its first heartbeat: a list, not a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
before = set(sys.modules)
import ingest
loaded = {name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)
print("\\n".join(sorted(loaded)))
"""
#: Its own code, the database's driver, and what that brings.
WANTED = {"ingest", "medic_core", "psycopg", "psycopg_binary", "typing_extensions", "cython_runtime", "zoneinfo"}
UNWANTED = {
    "boto3",
    "botocore",
    "requests",
    "pydantic",
    "jinja2",
    "croniter",
    "aws_lambda_powertools",
    "redis",
    "argon2",
}


def loaded() -> set[str]:
    paths = [str(ROOT / path) for path in ("layers/medic_core", "functions/heartbeat")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "DATABASE_URL": "postgresql://127.0.0.1:1/none"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    return {name for name in done.stdout.split() if not name.startswith("_")}


def test_nothing_but_what_a_heartbeat_needs_is_loaded() -> None:
    found = loaded()
    assert found <= WANTED, found - WANTED
    assert {"ingest", "medic_core", "psycopg"} <= found
    assert not found & UNWANTED
