"""What the heartbeat function loads before its first heartbeat: a list, not a time."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
before = set(sys.modules)
import ingest
print(*sorted(set(sys.modules) - before))
"""
#: Its own code, the database's driver, and what that brings.
WANTED = {"ingest", "bodies", "medic_core", "psycopg", "psycopg_binary", "cython_runtime", "typing_extensions"}
#: A newer Python has in its own library what older ones get from this.
ONLY_OF_OLDER_PYTHONS = {"typing_extensions"}
#: Of ours: what a change of state needs, a new key, or somebody who is told.
NOT_YET = [
    "medic_core.flows.settle",
    "medic_core.domain.watching.states",
    "medic_core.domain.watching.deadlines",
    "medic_core.domain.watching.schedules",
    "medic_core.store.service_states",
    "medic_core.telemetry",
    "medic_core.adapters.hashing",
    "medic_core.domain.alerting.alerts",
    "medic_core.domain.routing.messages",
    "http.client",
]
UNWANTED = [
    "boto3", "botocore", "requests", "urllib3", "pydantic", "jinja2", "croniter", "aws_lambda_powertools", "redis",
    "argon2", "slack_sdk", "yoyo",
]  # fmt: skip


def python_path() -> str:
    """The folders that pyproject.toml names for tests."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return os.pathsep.join(str(ROOT / path) for path in settings["tool"]["pytest"]["ini_options"]["pythonpath"])


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules that a fresh interpreter has once it has the function; nobody listens where its database should."""
    environment = {**os.environ, "PYTHONPATH": python_path(), "DATABASE_URL": "postgresql://127.0.0.1:1/none"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def packages(modules: set[str]) -> set[str]:
    """Top-level packages that are not Python's own; those that compilers make for themselves begin with a line."""
    names = {module.partition(".")[0] for module in modules}
    return {name for name in names - set(sys.stdlib_module_names) if not name.startswith("_")}


def test_a_heartbeat_needs_its_driver_and_medics_core_and_nothing_else(loaded: set[str]) -> None:
    assert packages(loaded) | ONLY_OF_OLDER_PYTHONS == WANTED


@pytest.mark.parametrize("package", UNWANTED)
def test_what_only_a_rare_path_needs_is_not_loaded(loaded: set[str], package: str) -> None:
    assert package not in packages(loaded)


@pytest.mark.parametrize("module", NOT_YET)
def test_what_only_a_change_of_state_needs_is_not_loaded_either(loaded: set[str], module: str) -> None:
    assert "medic_core.flows.record" in loaded
    assert module not in loaded
