"""Medic's own rules for what is deployed: who may do what, what is hidden, what is kept, who hears of failures.

Pure. They look at a template after SAM's transform, and answer with what breaks them. A condition counts with both of
its outcomes. Exceptions have their reasons in scan-exceptions.yaml.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from infra.reading import (
    NO_VALUE,
    Properties,
    Template,
    all_statements,
    identity_statements,
    listed,
    of_type,
    outcomes,
    referred,
    resources,
    statements,
    texts,
    typed,
)

#: Where it is, and what is wrong there.
Fault: TypeAlias = tuple[str, str]
Rule: TypeAlias = Callable[[Template], Iterator[Fault]]

FUNCTION = "AWS::Lambda::Function"
#: Rights that give rights, or change what others run.
POWERFUL = re.compile(
    r"iam:|sts:|organizations:|lambda:(Add|Create|Delete|Put|Remove|Update)|states:(Create|Delete|Update)"
    r"|kms:(Create|Disable|Put|Schedule)|secretsmanager:(Delete|Put|Update)|cloudformation:|s3:Put.*Policy"
)
SECRET_NAME = re.compile(r"(SECRET|TOKEN|PASSWORD|CREDENTIAL|KEY|WEBHOOK_URL)S?$")
SECRET_ARN = re.compile(r"arn:[^:]+:secretsmanager:[^:]+:\d{12}:secret:\S+")
#: What is gone for ever when it is deleted.
KEPT = {"AWS::RDS::DBCluster", "AWS::KMS::Key"}
#: Properties without which something lies or travels in the clear.
HIDDEN = {
    "AWS::SQS::Queue": ("SqsManagedSseEnabled", "KmsMasterKeyId"),
    "AWS::SNS::Topic": ("KmsMasterKeyId",),
    "AWS::RDS::DBCluster": ("StorageEncrypted",),
    "AWS::RDS::DBProxy": ("RequireTLS",),
    "AWS::ElastiCache::ServerlessCache": ("KmsKeyId",),
}


class Finding(NamedTuple):
    """A rule that is broken somewhere."""

    rule: str
    resource: str
    what: str


def findings(template: Template) -> list[Finding]:
    """What breaks which rule."""
    return sorted({Finding(rule.__name__, resource, what) for rule in RULES for resource, what in rule(template)})


# Rights.


def rights_to_everything(template: Template) -> Iterator[Fault]:
    """What may be done is done to something. A right is named, so that an exception is for that one alone."""
    for name, statement in identity_statements(template):
        if "*" in listed(statement.get("Resource")):
            yield from ((f"{name} {action}", "may be done to everything") for action in listed(statement["Action"]))


def rights_by_pattern(template: Template) -> Iterator[Fault]:
    """Rights are named one by one: a pattern also gives what does not exist yet."""
    for name, statement in identity_statements(template):
        yield from ((name, f"{action} is a pattern") for action in listed(statement.get("Action")) if "*" in action)


def rights_to_give_rights(template: Template) -> Iterator[Fault]:
    """Nobody can make himself more than he is."""
    for name, statement in identity_statements(template):
        yield from (
            (name, f"{action} is too powerful")
            for action in listed(statement.get("Action"))
            if POWERFUL.match(action) or action == "*"
        )


def rights_by_exclusion(template: Template) -> Iterator[Fault]:
    """A right to all but something grows by itself."""
    for name, statement in all_statements(template):
        excluding = {"NotAction", "NotResource", "NotPrincipal"} & set(statement)
        if excluding and statement["Effect"] == "Allow":
            yield name, f"gives by exclusion: {', '.join(sorted(excluding))}"


def rights_for_anyone(template: Template) -> Iterator[Fault]:
    """Whoever is let in has a name; a service that acts for others says for whom."""
    for name, statement in all_statements(template):
        principal = statement.get("Principal", {})
        named = [principal] if isinstance(principal, str) else listed(list(principal.values()))
        if statement["Effect"] == "Allow" and "*" in named:
            yield name, "lets everyone in"
    for name, properties in of_type(template, "AWS::Lambda::Permission"):
        if properties["Principal"] == "*" or not {"SourceArn", "SourceAccount"} & set(properties):
            yield name, "lets a service call for anybody"


def roles_of_many(template: Template) -> Iterator[Fault]:
    """A role is of one function, or of one service."""
    roles = Counter(str(properties["Role"]) for _, properties in of_type(template, FUNCTION))
    for name, properties in of_type(template, FUNCTION):
        if roles[str(properties["Role"])] > 1:
            yield name, "shares its role with another function"
    for name, properties in of_type(template, "AWS::IAM::Role"):
        for statement in statements(properties["AssumeRolePolicyDocument"]):
            principal = statement.get("Principal", {})
            if set(principal) != {"Service"} or len(listed(principal["Service"])) != 1:
                yield name, "is not taken by one service alone"


def policies_of_aws(template: Template) -> Iterator[Fault]:
    """Their policies are for everything of a kind, and change when AWS likes."""
    for name, properties in of_type(template, "AWS::IAM::Role"):
        if any(":iam::aws:policy" in text for text in texts(properties.get("ManagedPolicyArns", []))):
            yield name, "has a managed policy of AWS"


# What is hidden.


def left_in_the_clear(template: Template) -> Iterator[Fault]:
    """What is stored and what travels is encrypted."""
    for kind, ways in HIDDEN.items():
        for name, properties in of_type(template, kind):
            if not any(_is_on(properties.get(way)) for way in ways):
                yield name, f"has no {' or '.join(ways)}"


def secrets_in_the_open(template: Template) -> Iterator[Fault]:
    """A function's environment says where a secret lies, never what it is."""
    unseen = {name for name, one in template.get("Parameters", {}).items() if one.get("NoEcho")}
    for name, properties in of_type(template, FUNCTION):
        for variable, value in properties.get("Environment", {}).get("Variables", {}).items():
            if SECRET_NAME.search(variable) and not all(_is_place(template, one) for one in outcomes(value)):
                yield name, f"{variable} is not the place of a secret"
            if unseen & set(referred(value)):
                yield name, f"{variable} shows what a parameter hides"


def keys_that_stay_the_same(template: Template) -> Iterator[Fault]:
    """A key gets new material each year."""
    for name, properties in of_type(template, "AWS::KMS::Key"):
        if not _is_on(properties.get("EnableKeyRotation")):
            yield name, "is never changed"


def open_to_the_world(template: Template) -> Iterator[Fault]:
    """What can be reached from outside is the API, and nothing else."""
    for name, kind, properties in resources(template):
        inline = properties.get("SecurityGroupIngress", []) if kind == "AWS::EC2::SecurityGroup" else []
        alone = [properties] if kind == "AWS::EC2::SecurityGroupIngress" else []
        if any({"CidrIp", "CidrIpv6"} & set(rule) for rule in [*inline, *alone]):
            yield name, "takes calls from addresses"
        if kind in {"AWS::Lambda::Url", "AWS::S3::Bucket"}:
            yield name, f"is a {kind}"
    for name, properties in of_type(template, "AWS::EC2::Subnet"):
        if properties.get("MapPublicIpOnLaunch"):
            yield name, "gives public addresses"
    for name, properties in of_type(template, "AWS::RDS::DBInstance"):
        if properties.get("PubliclyAccessible") is not False:
            yield name, "can be public"


def networks_without_need(template: Template) -> Iterator[Fault]:
    """Who has no database stands in no network where there is one."""
    for name, properties in of_type(template, FUNCTION):
        variables = properties.get("Environment", {}).get("Variables", {})
        networks = [one for one in outcomes(properties.get("VpcConfig", NO_VALUE)) if one != NO_VALUE]
        if networks and variables.get("DATABASE_URL") == "":
            yield name, "has no database, but its network"


# What is kept, and who hears of failures.


def logs_without_end(template: Template) -> Iterator[Fault]:
    """Logs end, and no function makes a log that is nobody's."""
    groups = dict(of_type(template, "AWS::Logs::LogGroup"))
    for name, properties in groups.items():
        if "RetentionInDays" not in properties:
            yield name, "is kept for ever"
    for name, properties in of_type(template, FUNCTION):
        if not set(groups) & set(referred(properties.get("LoggingConfig"))):
            yield name, "has a log that Lambda makes, and that is kept for ever"


def queues_that_lose(template: Template) -> Iterator[Fault]:
    """What a queue cannot get rid of is put aside, where it is kept as long as can be."""
    aside = set(referred([properties.get("RedrivePolicy") for _, properties in of_type(template, "AWS::SQS::Queue")]))
    aside |= set(referred([_fails_to(properties) for _, _, properties in resources(template)]))
    for name, properties in of_type(template, "AWS::SQS::Queue"):
        if "RedrivePolicy" not in properties and name not in aside:
            yield name, "has no dead letters, and holds none"
        if name in aside and properties.get("MessageRetentionPeriod") != 14 * 24 * 3600:
            yield name, "does not keep dead letters for 14 days"


def failures_that_nobody_hears(template: Template) -> Iterator[Fault]:
    """Whoever is called without anybody waiting has somewhere to fail to."""
    for name, properties in of_type(template, "AWS::Scheduler::Schedule"):
        if "DeadLetterConfig" not in properties["Target"]:
            yield name, "has no dead letters"
    configured = set()
    for name, properties in of_type(template, "AWS::Lambda::EventInvokeConfig"):
        configured |= set(referred(properties["FunctionName"]))
        if "OnFailure" not in properties.get("DestinationConfig", {}):
            yield name, "has no destination on failure"
    for name, properties in of_type(template, "AWS::Lambda::EventSourceMapping"):
        if "ReportBatchItemFailures" not in properties.get("FunctionResponseTypes", []):
            yield name, "repeats a whole batch for one failure"
    called = [properties["Target"]["Arn"] for _, properties in of_type(template, "AWS::Scheduler::Schedule")]
    called += [one["Properties"]["ServiceToken"] for _, kind, one in typed(template) if _is_custom(kind)]
    functions = dict(of_type(template, FUNCTION))
    for name in sorted(set(referred(called)) & set(functions) - configured):
        yield name, "is called without anybody waiting, and fails unheard"


def lost_with_the_stack(template: Template) -> Iterator[Fault]:
    """What cannot be made again outlives what made it."""
    for name, kind, resource in typed(template):
        policies = {resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")}
        if kind in KEPT and not policies <= {"Retain", "Snapshot"}:
            yield name, "is deleted with the stack"


def places_that_do_not_exist_everywhere(template: Template) -> Iterator[Fault]:
    """AWS has partitions (GovCloud, China) and regions: none is written down."""
    for name, _, properties in resources(template):
        if any(
            re.search(r"\barn:aws[a-z-]*:|\b[a-z]{2}-(north|south|east|west|central)[a-z]*-\d\b", text)
            for text in texts(properties)
        ):
            yield name, "names a partition or a region"


RULES: tuple[Rule, ...] = (
    rights_to_everything,
    rights_by_pattern,
    rights_to_give_rights,
    rights_by_exclusion,
    rights_for_anyone,
    roles_of_many,
    policies_of_aws,
    left_in_the_clear,
    secrets_in_the_open,
    keys_that_stay_the_same,
    open_to_the_world,
    networks_without_need,
    logs_without_end,
    queues_that_lose,
    failures_that_nobody_hears,
    lost_with_the_stack,
    places_that_do_not_exist_everywhere,
)


def _is_on(value: Any) -> bool:
    """Whether something is set, whatever the conditions."""
    return all(one not in (None, False, "false", "", NO_VALUE) for one in outcomes(value))


def _is_custom(kind: str) -> bool:
    return kind == "AWS::CloudFormation::CustomResource" or kind.startswith("Custom::")


def _fails_to(properties: Properties) -> list[Any]:
    """Where something puts what it could not do."""
    return [
        properties.get("DeadLetterConfig"),
        properties.get("DestinationConfig"),
        properties["Target"].get("DeadLetterConfig") if isinstance(properties.get("Target"), Mapping) else None,
    ]


def _is_place(template: Template, value: Any) -> bool:
    """Whether this names a secret of Secrets Manager, or a field of one. Nothing is no secret."""
    if isinstance(value, str):
        return value == "" or bool(SECRET_ARN.fullmatch(value))
    if not isinstance(value, Mapping):
        return False
    if "Fn::Sub" in value:
        text, given = listed(value["Fn::Sub"])[0], (value["Fn::Sub"][1] if isinstance(value["Fn::Sub"], list) else {})
        whole = re.fullmatch(r"\$\{([\w.]+)\}(:\w+)?", text)
        if whole is None:
            return False
        return all(_is_place(template, one) for one in outcomes(given.get(whole[1], {"Ref": whole[1]})))
    if "Ref" in value:
        made = template["Resources"].get(value["Ref"], {}).get("Type") == "AWS::SecretsManager::Secret"
        return made or bool(re.search(r"SecretArn$", value["Ref"]))
    return str(value.get("Fn::GetAtt", [""])[-1]).endswith("SecretArn")
