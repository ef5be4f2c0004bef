"""What everything in the templates may do, be reached by, and keep: as it will be deployed, held against our rules."""

from __future__ import annotations

from typing import Any

import pytest

from infra.scan import EXCEPTIONS, Excuse, excuses, judged
from infra.transform import TEMPLATES, all_deployed, own_findings

DEPLOYED = all_deployed()
EXCUSED = excuses(EXCEPTIONS.read_text())


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {
        f"{template}.{name}": one.get("Properties", {})
        for template, content in DEPLOYED.items()
        for name, one in content["Resources"].items()
        if one["Type"] == kind
    }


def ours() -> list[Excuse]:
    """Exceptions from rules of our own; those of checkov have numbers, and `make scan` looks at them."""
    return [one for one in EXCUSED if one.rule.islower()]


def test_there_is_something_to_look_at() -> None:
    assert len(DEPLOYED) == len(TEMPLATES) == 3
    assert len(of_type("AWS::Lambda::Function")) == 12
    assert len(of_type("AWS::IAM::Role")) > 12
    assert len(of_type("AWS::SQS::Queue")) == 6
    assert len(of_type("AWS::Logs::LogGroup")) >= 5
    assert len(of_type("AWS::KMS::Key")) >= 2
    assert len(of_type("AWS::Scheduler::Schedule")) == 2
    assert len(of_type("AWS::EC2::SecurityGroup")) == 5


def test_no_rule_is_broken_without_a_reason_and_no_reason_is_idle() -> None:
    assert judged(own_findings(DEPLOYED), ours()) == []


@pytest.mark.parametrize("action", ["logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage", "kms:Decrypt"])
def test_what_has_a_resource_is_never_excused_for_everything(action: str) -> None:
    for excuse in ours():
        assert not (excuse.rule == "rights_to_everything" and action in excuse.resource)
        assert excuse.resource not in {"*", "template.*", "template.* *"}


def test_all_functions_write_into_one_log() -> None:
    for name, properties in of_type("AWS::Lambda::Function").items():
        assert properties["LoggingConfig"] == {"LogGroup": {"Ref": "LogGroup"}}, name
