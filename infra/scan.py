"""`make contract`: the templates, held against the rules of checkov. What is not kept has its reason beside it.

Run with the Python that has checkov (it has a place of its own: what it stands on is not what Medic stands on).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

INFRA = Path(__file__).parent
EXCEPTIONS = INFRA / "scan-exceptions.yaml"


def main() -> int:
    reasons: dict[str, str] = yaml.safe_load(EXCEPTIONS.read_text())
    found = _scanned()
    problems = judged(found, reasons)
    for problem in problems:
        print(problem)
    print(f"checkov: {len(found)} findings, {len(found) - len(problems)} with a reason, {len(problems)} problems")
    return 1 if problems else 0


def judged(findings: Iterable[Mapping[str, Any]], reasons: Mapping[str, str]) -> list[str]:
    """What must be mended: a finding without a reason, and a reason without a finding."""
    findings = list(findings)
    unexplained = [
        f"{one['check_id']} {one['resource']} ({one['file_path']}): {one['check_name']}"
        for one in findings
        if one["check_id"] not in reasons
    ]
    needed = {one["check_id"] for one in findings}
    return unexplained + [f"{rule} is kept everywhere: its exception can go" for rule in reasons if rule not in needed]


def _scanned() -> list[dict[str, Any]]:
    checkov = [str(Path(sys.executable).with_name("checkov")), "--framework", "cloudformation", "--skip-download"]
    # Its exit code says that there are findings; whether it ran shows in its output.
    done = subprocess.run(
        [*checkov, "--directory", str(INFRA), "--quiet", "--output", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        answer = json.loads(done.stdout)
        if answer["summary"]["parsing_errors"] or not answer["summary"]["passed"]:
            raise ValueError("it could not read a template")
    except (ValueError, KeyError, TypeError) as error:
        raise SystemExit(f"checkov did not run: {error} {done.stderr[-1000:]}") from error
    findings: list[dict[str, Any]] = answer["results"]["failed_checks"]
    return findings


if __name__ == "__main__":
    sys.exit(main())
