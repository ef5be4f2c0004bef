"""What the script runner loads: of Medic, what opens an order and what writes a line of log. Nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.test_hot_path import packages, python_path

ROOT = Path(__file__).parents[2]
RUNNER = ROOT / "functions" / "playbook_steps" / "script_runner"
OWN = {"script_step", "jail", "keeper", "processes", "leftovers"}
#: Of the core: these, what they stand on (a log holds no secret), and the packages that they are in.
CORE = {
    "medic_core",
    "medic_core.adapters",
    "medic_core.api",
    "medic_core.api.events",
    "medic_core.adapters.sealing",
    "medic_core.config",
    "medic_core.credentials",
    "medic_core.errors",
    "medic_core.domain",
    "medic_core.domain.access",
    "medic_core.domain.access.rate_limits",
    "medic_core.domain.observing",
    "medic_core.domain.observing.correlation",
    "medic_core.domain.observing.redaction",
    "medic_core.domain.observing.traces",
    "medic_core.domain.repair",
    "medic_core.domain.repair.orders",
    "medic_core.domain.routing",
    "medic_core.domain.routing.redaction",
    "medic_core.telemetry",
}
UNWANTED = ["psycopg", "redis", "argon2", "slack_sdk", "yaml", "pydantic", "yoyo", "croniter", "apprise"]


def loaded_by(options: list[str], module: str, path: str) -> set[str]:
    program = (
        f"import sys; sys.path[:0] = {path.split(os.pathsep)!r}; before = set(sys.modules); "
        f"import {module}; print(*set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, *options, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    return loaded_by([], "script_step", python_path())


def test_of_medics_core_the_runner_loads_what_opens_an_order_and_no_more(loaded: set[str]) -> None:
    assert {module for module in loaded if module.partition(".")[0] == "medic_core"} == CORE
    assert loaded >= OWN


@pytest.mark.parametrize("package", UNWANTED)
def test_the_runner_has_nothing_to_reach_anything_else_with(loaded: set[str], package: str) -> None:
    assert package not in packages(loaded)


def test_the_keeper_needs_pythons_own_library_alone() -> None:
    loaded = loaded_by(["-E", "-s", "-S"], "keeper", str(RUNNER))
    assert packages(loaded) == {"keeper", "processes", "leftovers"}


def test_the_folder_holds_what_is_looked_at_here() -> None:
    assert {path.stem for path in RUNNER.glob("*.py")} == OWN
