"""How a template is read: its resources, the statements of its policies, and what a value may be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Template: TypeAlias = Mapping[str, Any]
Properties: TypeAlias = Mapping[str, Any]
NO_VALUE = {"Ref": "AWS::NoValue"}
ROLE, POLICIES = "AWS::IAM::Role", {"AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"}
#: Where others are let in: by who takes a role, a key, a queue, a topic, a secret.
LETTING_IN = ("AssumeRolePolicyDocument", "KeyPolicy", "PolicyDocument", "ResourcePolicy")


def typed(template: Template) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    yield from ((name, one["Type"], one) for name, one in template["Resources"].items())


def resources(template: Template) -> Iterator[tuple[str, str, Properties]]:
    yield from ((name, kind, one.get("Properties", {})) for name, kind, one in typed(template))


def of_type(template: Template, wanted: str) -> Iterator[tuple[str, Properties]]:
    yield from ((name, properties) for name, kind, properties in resources(template) if kind == wanted)


def identity_statements(template: Template) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What roles and their policies allow."""
    for name, kind, properties in resources(template):
        documents = [one["PolicyDocument"] for one in listed(properties.get("Policies"))] if kind == ROLE else []
        documents += [properties["PolicyDocument"]] if kind in POLICIES else []
        for document in documents:
            yield from ((name, one) for one in statements(document) if one["Effect"] == "Allow")


def all_statements(template: Template) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Also whom others let in: trust, keys, queues, topics."""
    yield from identity_statements(template)
    for name, _, properties in resources(template):
        for document in LETTING_IN:
            if isinstance(properties.get(document), Mapping):
                yield from ((name, one) for one in statements(properties[document]))


def statements(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return listed(document["Statement"])


def outcomes(value: Any) -> Iterator[Any]:
    """What a value may be, whatever its conditions."""
    if isinstance(value, Mapping) and set(value) == {"Fn::If"}:
        for branch in value["Fn::If"][1:]:
            yield from outcomes(branch)
    else:
        yield value


def listed(value: Any) -> list[Any]:
    """One or several, whatever the conditions, as a list of what there may be."""
    if isinstance(value, list):
        return [found for one in value for found in listed(one)]
    if value is None or value == NO_VALUE:
        return []
    found = list(outcomes(value))
    return found if found == [value] else listed(found)


def texts(value: Any) -> Iterator[str]:
    """Every text somewhere within."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)


def referred(value: Any) -> Iterator[str]:
    """The names of everything that is referred to somewhere within."""
    if isinstance(value, Mapping):
        if "Ref" in value:
            yield value["Ref"]
        if "Fn::GetAtt" in value:
            yield value["Fn::GetAtt"].split(".")[0] if isinstance(value["Fn::GetAtt"], str) else value["Fn::GetAtt"][0]
        for text in listed(value.get("Fn::Sub"))[:1]:
            yield from re.findall(r"\$\{([\w:]+)", text)
        for one in value.values():
            yield from referred(one)
    elif isinstance(value, list):
        for one in value:
            yield from referred(one)
