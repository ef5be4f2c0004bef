"""schemathesis over the whole description, against the running system, with a key of each scope and with none."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.functions import ADMIN_KEY
from tests.system.conftest import ROOT, Medic

#: Examples of each operation in each phase; `make fuzz` asks for more.
EXAMPLES = os.environ.get("MEDIC_FUZZ_EXAMPLES", "4")
#: Of those whom most operations refuse whatever they send.
FEW = str(max(2, int(EXAMPLES) // 3))
#: What is valid by itself may contradict what is there, or another field: that is a 400 which no schema can tell.
EXCLUDED = "positive_data_acceptance"
#: Where nobody can start playbooks by webhook, that is a 503.
OPEN_TO_WEBHOOKS = {"MEDIC_TRIGGER_SECRET": "a secret of the tests"}
ALL_PHASES = "examples,coverage,fuzzing,stateful"
SETTINGS = Path(__file__).with_name("schemathesis.toml")
SUMMARY = re.compile(r"Selected: (\d+)/(\d+)[\s\S]*?Tested: (\d+)")


def explored(
    medic: Medic,
    key: str,
    excluded: str = EXCLUDED,
    examples: str = EXAMPLES,
    phases: str = ALL_PHASES,
) -> str:
    """What schemathesis says of the running system; it ends badly where anything contradicts the description."""
    # Made at the first request, and for that schemathesis has ten seconds.
    assert medic.ask("GET", "/openapi.json").status == 200
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(SETTINGS), "--no-color", "run"]
    command += [f"http://127.0.0.1:{medic.port}/openapi.json", "--header", f"X-API-Key: {key}", "--seed", "1"]
    command += ["--exclude-checks", excluded, "--max-examples", examples, "--phases", phases]
    hooks = {
        "SCHEMATHESIS_HOOKS": "tests.system.description_hooks",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **hooks}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def a_key(medic: Medic, scope: str) -> str:
    reply = medic.ask("POST", "/v2/api-keys", {"name": f"only {scope}", "scopes": [scope]})
    made: str = reply.json["results"]["api_key"]
    return made


@pytest.mark.timeout(1200)
def test_an_admin_finds_no_contradiction(start_medic: Callable[..., Medic]) -> None:
    medic = start_medic(**OPEN_TO_WEBHOOKS)
    found = SUMMARY.search(explored(medic, ADMIN_KEY))
    assert found is not None
    paths = medic.ask("GET", "/openapi.json").json["paths"]
    # All but the description itself, which is what they were read from.
    count = sum(len(item) for item in paths.values()) - 1
    assert [int(number) for number in found.groups()] == [count] * 3
    # The key that was used works still: what was seen was not one long 401.
    assert medic.ask("GET", "/v2/api-keys/1").status == 200


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("scope", ["heartbeat", "read", "write"])
def test_who_may_less_finds_none_either(start_medic: Callable[..., Medic], scope: str) -> None:
    medic = start_medic(**OPEN_TO_WEBHOOKS)
    # A key that may not is told so before anything else is looked at; every corner of every field is an admin's to try.
    excluded = f"{EXCLUDED},negative_data_rejection,missing_required_header"
    explored(medic, a_key(medic, scope), excluded, FEW, "fuzzing")


def test_nothing_answers_without_a_key_unless_it_is_open(start_medic: Callable[..., Medic]) -> None:
    medic = start_medic()
    document = medic.ask("GET", "/openapi.json", key=None).json
    readers = {scope: a_key(medic, scope) for scope in ("heartbeat", "read", "write")}
    implied = {"heartbeat": {"heartbeat"}, "read": {"read"}, "write": {"write", "heartbeat"}}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            target = re.sub(r"{\w+}", "1", path)
            statuses = {key: _asked(medic, method, target, operation, key) for key in (None, "nonsense")}
            if not operation["security"]:
                assert 401 not in statuses.values(), (method, path)
                continue
            assert set(statuses.values()) == {401}, (method, path)
            (needed,) = operation["security"][0]["ApiKey"]
            for scope, key in readers.items():
                allowed = needed in implied[scope]
                assert (_asked(medic, method, target, operation, key) == 403) == (not allowed), (method, path, scope)


def _asked(medic: Medic, method: str, target: str, operation: dict[str, Any], key: str | None) -> int:
    body = json.dumps({}) if "requestBody" in operation else None
    return medic.ask(method.upper(), target, body, key=key).status
