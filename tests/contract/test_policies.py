"""What everything in the templates may do, be reached by, and keep: after SAM's transform, as it will be deployed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from local.template import Template
from tests.conftest import ROOT

#: Actions for which AWS offers nothing narrower than everything, and why.
OF_NO_RESOURCE = {
    "xray:": "a trace belongs to no resource",
    "ec2:CreateNetworkInterface": "Lambda's own, made before it has a name",
    "ec2:DescribeNetworkInterfaces": "descriptions belong to no resource",
    "ec2:DescribeSubnets": "descriptions belong to no resource",
    "ec2:DeleteNetworkInterface": "Lambda's own, whose name nobody knows",
    "ec2:AssignPrivateIpAddresses": "the same",
    "ec2:UnassignPrivateIpAddresses": "the same",
    "logs:": "deliveries of logs belong to no resource",
}
#: Of these, `logs:` may go to everything only where log deliveries are set up.
WRITING_LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}


def deployed(name: str) -> dict[str, Any]:
    """A template's resources after the transform."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    template = Template(ROOT / "infra" / name)
    if "Transform" not in template.content:
        resources: dict[str, Any] = template.content["Resources"]
        return resources
    uris = {artifact.logical_id: f"s3://bucket/{artifact.logical_id}" for artifact in template.artifacts()}
    translated: dict[str, Any] = Translator({}, Parser()).translate(template.packaged(uris), {})["Resources"]
    return translated


RESOURCES = {
    f"{Path(name).stem}.{logical_id}": resource
    for name in ("template.yaml", "data.yaml", "alarms.yaml")
    for logical_id, resource in deployed(name).items()
}


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {name: one.get("Properties", {}) for name, one in RESOURCES.items() if one["Type"] == kind}


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of every role and policy."""
    for name, properties in of_type("AWS::IAM::Role").items():
        for policy in properties.get("Policies", []):
            yield from ((name, one) for one in unfolded(policy["PolicyDocument"]["Statement"]))
    for name, properties in of_type("AWS::IAM::ManagedPolicy").items():
        yield from ((name, one) for one in unfolded(properties["PolicyDocument"]["Statement"]))


def unfolded(found: list[Any]) -> Iterator[dict[str, Any]]:
    for one in found:
        branches = one["Fn::If"][1:] if "Fn::If" in one else [one]
        yield from (branch for branch in branches if "Effect" in branch)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_there_is_something_to_look_at() -> None:
    assert len(list(statements())) > 30
    assert len(of_type("AWS::Lambda::Function")) == 12
    assert len(of_type("AWS::SQS::Queue")) == 6


def test_what_may_be_done_to_everything_is_what_belongs_to_nothing() -> None:
    for name, statement in statements():
        if "*" not in listed(statement["Resource"]):
            continue
        for action in listed(statement["Action"]):
            assert any(action.startswith(known) for known in OF_NO_RESOURCE), (name, action)
            assert action not in WRITING_LOGS, name


@pytest.mark.parametrize("part", ["*", "iam:", "lambda:Update", "states:Create", "states:Update", "kms:*", "sts:"])
def test_nobody_may_do_everything_or_give_rights(part: str) -> None:
    for name, statement in statements():
        for action in listed(statement["Action"]):
            assert not (action == part if part == "*" else action.startswith(part)), name
            assert not action.endswith(":*"), name


def test_rights_are_only_given_never_left_open_by_exclusion() -> None:
    for _, statement in statements():
        assert statement["Effect"] == "Allow"
        assert not {"NotAction", "NotResource"} & set(statement)


def test_roles_are_taken_by_one_service_alone_and_by_one_function() -> None:
    for name, properties in of_type("AWS::IAM::Role").items():
        (statement,) = properties["AssumeRolePolicyDocument"]["Statement"]
        assert set(statement["Principal"]) == {"Service"}, name
        assert len(listed(statement["Principal"]["Service"])) == 1, name
    roles = [str(one["Role"]) for one in of_type("AWS::Lambda::Function").values()]
    assert len(set(roles)) == len(roles)


def test_no_managed_policy_of_aws_comes_along() -> None:
    """They are for everything: AWSLambdaBasicExecutionRole may write all logs."""
    for name, properties in of_type("AWS::IAM::Role").items():
        assert not re.search(r"arn:\S*:iam::aws:policy", str(properties.get("ManagedPolicyArns", []))), name


def test_queues_are_encrypted_and_what_cannot_be_handled_is_kept() -> None:
    kept_by = str([one["RedrivePolicy"] for one in of_type("AWS::SQS::Queue").values() if "RedrivePolicy" in one])
    for name, properties in of_type("AWS::SQS::Queue").items():
        assert properties["SqsManagedSseEnabled"] is True, name
        logical_id = name.partition(".")[2]
        is_dead_letters = f"'{logical_id}'" in kept_by or logical_id == "ScheduleDeadLetterQueue"
        assert ("RedrivePolicy" in properties) != is_dead_letters, name
        assert properties["MessageRetentionPeriod"] == 14 * 24 * 3600, name


def test_who_is_called_without_anybody_waiting_has_somewhere_to_fail_to() -> None:
    configured = str(of_type("AWS::Lambda::EventInvokeConfig"))
    for name in ("Monitor", "Housekeeping", "Migrate"):
        assert f"{name}Function" in configured
    for name, properties in of_type("AWS::Lambda::EventInvokeConfig").items():
        assert "OnFailure" in properties["DestinationConfig"], name
    for name, properties in of_type("AWS::Scheduler::Schedule").items():
        assert "DeadLetterConfig" in properties["Target"], name


def test_logs_end() -> None:
    assert len(of_type("AWS::Logs::LogGroup")) >= 4
    for name, properties in of_type("AWS::Logs::LogGroup").items():
        assert "RetentionInDays" in properties, name
    for name, properties in of_type("AWS::Lambda::Function").items():
        assert properties["LoggingConfig"] == {"LogGroup": {"Ref": "LogGroup"}}, name


def test_keys_rotate_and_obey_the_account_alone() -> None:
    assert len(of_type("AWS::KMS::Key")) >= 2
    for name, properties in of_type("AWS::KMS::Key").items():
        assert properties["EnableKeyRotation"] is True, name
        for statement in properties["KeyPolicy"]["Statement"]:
            assert "*" not in listed(statement["Principal"].get("AWS", "")), name


def test_nothing_can_be_reached_from_outside_but_the_api() -> None:
    for name, resource in RESOURCES.items():
        assert resource["Type"] not in {"AWS::Lambda::Url", "AWS::S3::Bucket"}, name
    for name, properties in of_type("AWS::EC2::SecurityGroup").items():
        for rule in properties.get("SecurityGroupIngress", []):
            assert "CidrIp" not in rule, name
            assert "CidrIpv6" not in rule, name
    for name, properties in of_type("AWS::RDS::DBInstance").items():
        assert properties["PubliclyAccessible"] is False, name
