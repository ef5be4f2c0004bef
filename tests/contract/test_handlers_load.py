"""Each function's module loads in an interpreter that has loaded nothing before, as Lambda's has not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.contract.test_template import FUNCTIONS, ROOT


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_it_loads_by_itself(name: str) -> None:
    module = FUNCTIONS[name]["Handler"].split(".")[0]
    folder = (ROOT / "infra" / FUNCTIONS[name]["CodeUri"]).resolve()
    path = os.pathsep.join([str(folder), str(ROOT / "layers" / "medic_core")])
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "AWS_DEFAULT_REGION": "us-east-1"}
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}; assert callable({module}.handler)"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
