"""Each rule of infra/rules.py, broken on purpose in a small template that breaks none."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from infra import rules
from infra.rules import RULES, Finding, findings

Template = dict[str, Any]


def trust(service: str = "lambda.amazonaws.com") -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]}


def role(*statements: dict[str, Any]) -> dict[str, Any]:
    policies = [{"PolicyName": "own", "PolicyDocument": {"Statement": list(statements)}}]
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": trust(), "Policies": policies},
    }


def allow(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def function(of_role: str) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Role": {"Fn::GetAtt": [of_role, "Arn"]},
            "LoggingConfig": {"LogGroup": {"Ref": "Log"}},
            "Environment": {
                "Variables": {
                    "DATABASE_URL": {"Ref": "DatabaseUrl"},
                    "A_TOKEN": {
                        "Fn::Sub": [
                            "${Arn}:A_TOKEN",
                            {"Arn": {"Fn::If": ["Made", {"Ref": "Secret"}, {"Ref": "GivenSecretArn"}]}},
                        ]
                    },
                    "DATABASE_CREDENTIALS": {"Fn::GetAtt": ["Data", "Outputs.DatabaseSecretArn"]},
                    "NO_SECRET": "",
                }
            },
            "VpcConfig": {"Fn::If": ["InNetwork", {"SubnetIds": ["subnet-1"]}, {"Ref": "AWS::NoValue"}]},
        },
    }


def queue(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": {"SqsManagedSseEnabled": True, **properties}}


GOOD: Template = {
    "Parameters": {"DatabaseUrl": {"Type": "String"}, "Hidden": {"Type": "String", "NoEcho": True}},
    "Resources": {
        "Role": role(
            allow("sqs:SendMessage", {"Fn::GetAtt": ["Queue", "Arn"]}),
            {"Fn::If": ["WithMore", allow(["sqs:ReceiveMessage"], [{"Ref": "X"}]), {"Ref": "AWS::NoValue"}]},
            {"Effect": "Deny", "Action": "*", "Resource": "*"},
        ),
        "OtherRole": role(allow("kms:Decrypt", {"Fn::GetAtt": ["Key", "Arn"]})),
        "Policy": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {"PolicyDocument": {"Statement": [allow("logs:PutLogEvents", {"Ref": "Log"})]}},
        },
        "Function": function("Role"),
        "Other": function("OtherRole"),
        "Permission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Principal": "apigateway.amazonaws.com",
                "SourceArn": {"Fn::Sub": "arn:${AWS::Partition}:x"},
            },
        },
        "Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 30}},
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {}},
        "Key": {
            "Type": "AWS::KMS::Key",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "EnableKeyRotation": True,
                "KeyPolicy": {"Statement": [allow("kms:*", "*", Principal={"AWS": {"Fn::Sub": "arn:root"}})]},
            },
        },
        "Queue": queue(RedrivePolicy={"deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}),
        "DeadLetters": queue(MessageRetentionPeriod=1209600),
        "Failures": queue(MessageRetentionPeriod=1209600),
        "Schedule": {
            "Type": "AWS::Scheduler::Schedule",
            "Properties": {
                "Target": {
                    "Arn": {"Fn::GetAtt": ["Function", "Arn"]},
                    "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["Failures", "Arn"]}},
                }
            },
        },
        "Custom": {
            "Type": "AWS::CloudFormation::CustomResource",
            "Properties": {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}},
        },
        "Invoked": {
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["Failures", "Arn"]}}},
            },
        },
        "Mapping": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {"FunctionResponseTypes": ["ReportBatchItemFailures"]},
        },
        "Group": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {"SecurityGroupIngress": [{"SourceSecurityGroupId": {"Ref": "Group"}}]},
        },
        "Way": {
            "Type": "AWS::EC2::SecurityGroupIngress",
            "Properties": {"SourceSecurityGroupId": {"Fn::GetAtt": ["Group", "GroupId"]}},
        },
        "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {"MapPublicIpOnLaunch": False}},
        "Cluster": {
            "Type": "AWS::RDS::DBCluster",
            "DeletionPolicy": "Snapshot",
            "UpdateReplacePolicy": "Snapshot",
            "Properties": {"StorageEncrypted": True},
        },
        "Instance": {"Type": "AWS::RDS::DBInstance", "Properties": {"PubliclyAccessible": False}},
        "Proxy": {"Type": "AWS::RDS::DBProxy", "Properties": {"RequireTLS": True}},
        "Cache": {"Type": "AWS::ElastiCache::ServerlessCache", "Properties": {"KmsKeyId": {"Ref": "Key"}}},
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"KmsMasterKeyId": {"Ref": "Key"}}},
    },
}

Plant = Callable[[Template], None]


def at(path: str, value: Any) -> Plant:
    """Put a value at `Resource/Property/…`; a number is a place in a list."""

    def plant(template: Template) -> None:
        name, *steps = path.split("/")
        place: Any = template["Resources"][name]
        place = place["Properties"] if steps[0] not in place else place
        for step in steps[:-1]:
            place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
        place[int(steps[-1]) if isinstance(place, list) else steps[-1]] = value

    return plant


def without(path: str) -> Plant:
    """Take a property away."""

    def plant(template: Template) -> None:
        name, *steps = path.split("/")
        place: Any = template["Resources"][name]
        place = place["Properties"] if steps[0] not in place else place
        for step in steps[:-1]:
            place = place[step]
        del place[steps[-1]]

    return plant


def added(kind: str, **properties: Any) -> Plant:
    return lambda template: template["Resources"].update(New={"Type": kind, "Properties": properties})


def may(statement: dict[str, Any]) -> Plant:
    """Give a role a right, under a condition."""
    return lambda template: template["Resources"].update(
        New=role({"Fn::If": ["Sometimes", statement, {"Ref": "AWS::NoValue"}]})
    )


def variable(name: str, value: Any) -> Plant:
    return at(f"Function/Environment/Variables/{name}", value)


FAULTS: list[tuple[Plant, str, str]] = [
    (may(allow(["s3:GetObject"], "*")), "rights_to_everything", "New s3:GetObject"),
    (may(allow("s3:GetObject", [{"Ref": "X"}, "*"])), "rights_to_everything", "New s3:GetObject"),
    (
        may(allow("s3:GetObject", {"Fn::If": ["A", {"Ref": "X"}, "*"]})),
        "rights_to_everything",
        "New s3:GetObject",
    ),
    (at("Policy/PolicyDocument/Statement/0/Resource", "*"), "rights_to_everything", "Policy logs:PutLogEvents"),
    (may(allow("sqs:*", {"Ref": "X"})), "rights_by_pattern", "New"),
    (may(allow("sqs:Send*", {"Ref": "X"})), "rights_by_pattern", "New"),
    (may(allow("iam:PassRole", {"Ref": "X"})), "rights_to_give_rights", "New"),
    (may(allow(["sqs:SendMessage", "sts:AssumeRole"], {"Ref": "X"})), "rights_to_give_rights", "New"),
    (may(allow("lambda:UpdateFunctionCode", {"Ref": "X"})), "rights_to_give_rights", "New"),
    (may(allow("states:CreateStateMachine", {"Ref": "X"})), "rights_to_give_rights", "New"),
    (may(allow("kms:PutKeyPolicy", {"Ref": "X"})), "rights_to_give_rights", "New"),
    (may(allow("secretsmanager:PutSecretValue", {"Ref": "X"})), "rights_to_give_rights", "New"),
    (may({"Effect": "Allow", "NotAction": "iam:PassRole", "Resource": {"Ref": "X"}}), "rights_by_exclusion", "New"),
    (may({"Effect": "Allow", "Action": "s3:GetObject", "NotResource": "x"}), "rights_by_exclusion", "New"),
    (at("Key/KeyPolicy/Statement/0/Principal", "*"), "rights_for_anyone", "Key"),
    (at("Key/KeyPolicy/Statement/0/Principal", {"AWS": ["arn:root", "*"]}), "rights_for_anyone", "Key"),
    (
        added("AWS::SQS::QueuePolicy", PolicyDocument={"Statement": [allow("sqs:SendMessage", "q", Principal="*")]}),
        "rights_for_anyone",
        "New",
    ),
    (without("Permission/SourceArn"), "rights_for_anyone", "Permission"),
    (at("Permission/Principal", "*"), "rights_for_anyone", "Permission"),
    (at("Other/Role", {"Fn::GetAtt": ["Role", "Arn"]}), "roles_of_many", "Other"),
    (
        at(
            "Role/AssumeRolePolicyDocument/Statement/0/Principal",
            {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]},
        ),
        "roles_of_many",
        "Role",
    ),
    (at("Role/AssumeRolePolicyDocument/Statement/0/Principal", {"AWS": "arn:x"}), "roles_of_many", "Role"),
    (
        at("Role/ManagedPolicyArns", [{"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AdministratorAccess"}]),
        "policies_of_aws",
        "Role",
    ),
    (without("Queue/SqsManagedSseEnabled"), "left_in_the_clear", "Queue"),
    (at("Queue/SqsManagedSseEnabled", {"Fn::If": ["A", True, False]}), "left_in_the_clear", "Queue"),
    (at("Cluster/StorageEncrypted", "false"), "left_in_the_clear", "Cluster"),
    (at("Proxy/RequireTLS", False), "left_in_the_clear", "Proxy"),
    (without("Cache/KmsKeyId"), "left_in_the_clear", "Cache"),
    (without("Topic/KmsMasterKeyId"), "left_in_the_clear", "Topic"),
    (variable("A_TOKEN", "xoxb-1"), "secrets_in_the_open", "Function"),
    (variable("SLACK_SIGNING_SECRET", {"Ref": "Anything"}), "secrets_in_the_open", "Function"),
    (variable("MEDIC_WEBHOOK_URL", {"Fn::Sub": "https://${Host}/x"}), "secrets_in_the_open", "Function"),
    (variable("SEALING_KEYS", {"Fn::If": ["A", {"Ref": "Secret"}, "plain"]}), "secrets_in_the_open", "Function"),
    (
        variable("DATABASE_CREDENTIALS", "{{resolve:secretsmanager:medic:SecretString:password}}"),
        "secrets_in_the_open",
        "Function",
    ),
    (variable("ANYTHING", {"Fn::Sub": "x${Hidden}"}), "secrets_in_the_open", "Function"),
    (variable("ANYTHING", {"Fn::If": ["A", {"Ref": "Hidden"}, ""]}), "secrets_in_the_open", "Function"),
    (at("Key/EnableKeyRotation", False), "keys_that_stay_the_same", "Key"),
    (without("Key/EnableKeyRotation"), "keys_that_stay_the_same", "Key"),
    (at("Group/SecurityGroupIngress", [{"CidrIp": "0.0.0.0/0"}]), "open_to_the_world", "Group"),
    (at("Way/CidrIpv6", "::/0"), "open_to_the_world", "Way"),
    (at("Subnet/MapPublicIpOnLaunch", True), "open_to_the_world", "Subnet"),
    (at("Instance/PubliclyAccessible", True), "open_to_the_world", "Instance"),
    (without("Instance/PubliclyAccessible"), "open_to_the_world", "Instance"),
    (added("AWS::Lambda::Url"), "open_to_the_world", "New"),
    (added("AWS::S3::Bucket"), "open_to_the_world", "New"),
    (variable("DATABASE_URL", ""), "networks_without_need", "Function"),
    (without("Log/RetentionInDays"), "logs_without_end", "Log"),
    (without("Function/LoggingConfig"), "logs_without_end", "Function"),
    (at("Function/LoggingConfig/LogGroup", "/aws/lambda/x"), "logs_without_end", "Function"),
    (without("Queue/RedrivePolicy"), "queues_that_lose", "Queue"),
    (without("DeadLetters/MessageRetentionPeriod"), "queues_that_lose", "DeadLetters"),
    (without("Schedule/Target/DeadLetterConfig"), "failures_that_nobody_hears", "Schedule"),
    (without("Invoked/DestinationConfig"), "failures_that_nobody_hears", "Invoked"),
    (at("Invoked/FunctionName", {"Ref": "Other"}), "failures_that_nobody_hears", "Function"),
    (without("Mapping/FunctionResponseTypes"), "failures_that_nobody_hears", "Mapping"),
    (without("Cluster/DeletionPolicy"), "lost_with_the_stack", "Cluster"),
    (at("Key/UpdateReplacePolicy", "Delete"), "lost_with_the_stack", "Key"),
    (at("Permission/SourceArn", "arn:aws:x"), "places_that_do_not_exist_everywhere", "Permission"),
    (variable("WHERE", "eu-west-1"), "places_that_do_not_exist_everywhere", "Function"),
]


def broken(plant: Plant) -> list[Finding]:
    template = deepcopy(GOOD)
    plant(template)
    return findings(template)


def test_a_template_without_fault_breaks_no_rule() -> None:
    assert findings(GOOD) == []


@pytest.mark.parametrize(
    ("plant", "rule", "resource"),
    FAULTS,
    ids=[f"{number}-{rule}-{resource}" for number, (_, rule, resource) in enumerate(FAULTS)],
)
def test_a_fault_is_found_where_it_was_planted(plant: Plant, rule: str, resource: str) -> None:
    assert (rule, resource) in {(one.rule, one.resource) for one in broken(plant)}


def test_every_rule_is_broken_by_a_fault() -> None:
    assert {rule.__name__ for rule in RULES} == {rule for _, rule, _ in FAULTS}


def test_every_rule_of_the_module_is_asked() -> None:
    public = {name for name, one in vars(rules).items() if getattr(one, "__module__", "") == rules.__name__}
    written = {name for name in public if name[0].islower()} - {"findings"}
    assert written - {name for name in written if name.startswith("_")} == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize(
    ("variable_name", "value"),
    [
        ("A_SECRET", {"Ref": "Secret"}),
        ("A_SECRET", {"Ref": "ChannelsSecretArn"}),
        ("A_SECRET", {"Fn::Sub": "${Secret}:A_SECRET"}),
        ("A_SECRET", {"Fn::Sub": "${GivenSecretArn}:A_SECRET"}),
        ("A_SECRET", {"Fn::If": ["A", {"Fn::Sub": "${Secret}:A"}, ""]}),
        ("A_SECRET", {"Fn::GetAtt": ["Data", "Outputs.RedisSecretArn"]}),
        ("EXTENSION_SECRETS_PORT", "2773"),
        ("KMS_KEY_ID", {"Fn::GetAtt": ["Key", "Arn"]}),
    ],
)
def test_the_place_of_a_secret_may_be_told(variable_name: str, value: Any) -> None:
    assert broken(variable(variable_name, value)) == []


def test_who_has_no_database_may_stand_outside_of_its_network() -> None:
    def plant(template: Template) -> None:
        variable("DATABASE_URL", "")(template)
        at("Function/VpcConfig", {"Ref": "AWS::NoValue"})(template)

    assert broken(plant) == []
