"""`make lint`: the state machine as it will be deployed, held against two validators of the States Language.

cfn-lint knows the shape of every state; asl-validator (npm) also paths, targets and what cannot be reached. Where there
is no npm, that one is left out and said to be.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from infra import node

ROOT = Path(__file__).parents[1]
DEFINITION = ROOT / "infra" / "playbook.asl.json"
FUNCTION_ARN = r"arn:aws:lambda:us-east-1:123456789012:function:\1"
ROLE_ARN = "arn:aws:iam::123456789012:role/machine"


def main() -> int:
    text = DEFINITION.read_text().replace("${Partition}", "aws")
    definition = json.loads(re.sub(r"\$\{(\w+Function)\}", FUNCTION_ARN, text))
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {"RoleArn": ROLE_ARN, "Definition": definition},
    }
    with tempfile.TemporaryDirectory() as folder:
        template, deployed = Path(folder) / "template.json", Path(folder) / "definition.json"
        template.write_text(json.dumps({"Resources": {"Machine": machine}}))
        deployed.write_text(json.dumps(definition))
        cfn_lint = Path(sys.executable).with_name("cfn-lint")
        return subprocess.run([cfn_lint, "-t", template], check=False).returncode or _validated(deployed)


def _validated(definition: Path) -> int:
    packages = node.packages()
    if packages is None:
        print("asl-validator is left out: there is no npm here")
        return 0
    return subprocess.run([packages / ".bin" / "asl-validator", "--json-path", definition], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
