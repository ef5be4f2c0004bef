"""The templates as CloudFormation gets them: after SAM's transform, which makes what nobody wrote.

`python -m infra.transform FOLDER` leaves them there as JSON, and prints what breaks Medic's own rules.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from infra.rules import Finding, findings
from local.template import Template

INFRA = Path(__file__).parent
#: What is deployed together, the nested ones by the first.
TEMPLATES = ("template.yaml", "data.yaml", "alarms.yaml")


def deployed(path: Path) -> dict[str, Any]:
    """A template after the transform, its code lying somewhere in S3."""
    template = Template(path)
    if "Transform" not in template.content:
        return template.content
    # boto3 wants to know; what comes out is for every region.
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    uris = {artifact.logical_id: f"s3://bucket/{artifact.logical_id}" for artifact in template.artifacts()}
    translated: dict[str, Any] = Translator({}, Parser()).translate(template.packaged(uris), {})
    return translated


def all_deployed() -> dict[str, dict[str, Any]]:
    """Every template by its name."""
    return {Path(name).stem: deployed(INFRA / name) for name in TEMPLATES}


def own_findings(templates: dict[str, dict[str, Any]]) -> list[Finding]:
    """What breaks a rule of ours, wherever it is."""
    return [
        one._replace(resource=f"{name}.{one.resource}")
        for name, template in templates.items()
        for one in findings(template)
    ]


if __name__ == "__main__":
    written = all_deployed()
    for stem, content in written.items():
        (Path(sys.argv[1]) / f"{stem}.json").write_text(json.dumps(content, default=str))
    print(json.dumps(own_findings(written)))
