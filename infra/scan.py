"""`make scan`: the templates as they are deployed, held against Medic's own rules and those of checkov.

    python infra/scan.py [the Python that has checkov]

Two virtual environments have a part in it: ours, with SAM's transform, and one within it for checkov, whose pins are
not ours. checkov asks nobody over the network. What is not kept has its reason in scan-exceptions.yaml; a reason that
excuses nothing any more must go.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeAlias

import yaml

ROOT = Path(__file__).parents[1]
EXCEPTIONS = ROOT / "infra" / "scan-exceptions.yaml"
OURS = ROOT / ".venv" / "bin" / "python"
WITH_CHECKOV = ROOT / ".venv" / "scan" / "bin" / "python"
#: A rule, where it is broken, and what is wrong there.
Finding: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Excuse:
    """A rule that is not kept somewhere, and why. `resource` is a name or a pattern of names."""

    rule: str
    resource: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        rule, resource, _ = finding
        return self.rule == rule and fnmatchcase(resource, self.resource)


def main(arguments: list[str]) -> int:
    with_checkov = Path(arguments[0]) if arguments else WITH_CHECKOV
    with tempfile.TemporaryDirectory() as folder:
        found = own_findings(Path(folder)) + checkov_findings(with_checkov, Path(folder))
    problems = judged(found, excuses(EXCEPTIONS.read_text()))
    for problem in problems:
        print(problem)
    print(f"scan: {len(found)} findings, {len(problems)} problems")
    return 1 if problems else 0


def excuses(text: str) -> list[Excuse]:
    """What the file says, place by place. Raises ValueError for one without a reason or a place."""
    read = []
    for rule, groups in (yaml.safe_load(text) or {}).items():
        for group in groups:
            if set(group) != {"resources", "reason"} or not group["resources"] or not str(group["reason"]).strip():
                raise ValueError(f"{rule}: an exception has resources and a reason")
            read += [Excuse(rule, resource, group["reason"]) for resource in group["resources"]]
    return read


def judged(found: Iterable[Finding], excused: Iterable[Excuse]) -> list[str]:
    """What must be mended: a finding without a reason, and a reason without a finding."""
    found, excused = sorted(set(found)), list(excused)
    problems = [": ".join(one) for one in found if not any(excuse.covers(one) for excuse in excused)]
    idle = [excuse for excuse in excused if not any(excuse.covers(one) for one in found)]
    return problems + [f"{one.rule}: {one.resource}: is kept, its exception can go" for one in idle]


def own_findings(folder: Path) -> list[Finding]:
    """What our own rules find. Leaves the templates in the folder as they are deployed."""
    command = [str(OURS), "-m", "infra.transform", str(folder)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return [(rule, resource, what) for rule, resource, what in json.loads(done.stdout)]


def checkov_findings(python: Path, folder: Path) -> list[Finding]:
    """What checkov finds in the templates of a folder."""
    command = [str(python), str(python.with_name("checkov")), "--framework", "cloudformation", "--skip-download"]
    # Its exit code says that there are findings; whether it ran shows in its output.
    done = subprocess.run(
        [*command, "--directory", str(folder), "--output", "json"], capture_output=True, text=True, check=False
    )
    try:
        return read_checkov(json.loads(done.stdout), {path.name for path in folder.iterdir()})
    except (ValueError, KeyError, TypeError) as error:
        raise SystemExit(f"checkov did not run: {error} {done.stderr[-1000:]}") from error


def read_checkov(answer: Mapping[str, Any], templates: set[str]) -> list[Finding]:
    """Its findings, named as ours are. Raises ValueError where it has not read every template."""
    results = answer["results"]
    read = {Path(one["file_path"]).name for one in results["passed_checks"] + results["failed_checks"]}
    if answer["summary"]["parsing_errors"] or read != templates:
        raise ValueError(f"it has not read all of {', '.join(sorted(templates))}.")
    return [
        (
            one["check_id"],
            f"{Path(one['file_path']).stem}.{one['resource'].rpartition('.')[2]}",
            one["check_name"],
        )
        for one in results["failed_checks"]
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
