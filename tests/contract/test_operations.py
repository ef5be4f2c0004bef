"""What the runbook tells people to type can be typed: SQL, commands of the AWS CLI, paths of the API, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import botocore.session
import psycopg
import pytest
from botocore import xform_name
from botocore.exceptions import DataNotFoundError

from local.template import Template
from medic_core.adapters.migrations import apply_all
from tests.conftest import ROOT
from tests.fixtures.functions import Functions
from tests.fixtures.postgres import MIGRATIONS, PostgresServer

DOCUMENT = ROOT / "docs" / "operations.md"
TEXT = DOCUMENT.read_text()
#: The command line's own options, and those that it spells otherwise than the service.
OF_EVERY_COMMAND = {"query", "output", "region", "cli-read-timeout"}
OF_LISTS = {"max-items"}
SPELLED_OTHERWISE = {("sns", "subscribe", "notification-endpoint"): "endpoint"}
COMMAND = re.compile(r"\baws ([a-z0-9-]+) ([a-z0-9-]+)(.*?)(?=\baws [a-z0-9-]+ [a-z]|$)", re.MULTILINE)
OPTION = re.compile(r"(?<= )--([a-z0-9-]+)")
SESSION = botocore.session.get_session()


def blocks(language: str) -> list[str]:
    """Fenced code, also where it is indented as a part of a list."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", TEXT, re.MULTILINE | re.DOTALL)


def code() -> str:
    """All that can be typed into a shell, a command a line."""
    outside = re.sub(r"^ *```.*?^ *```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`([^`]+)`", outside)
    return "\n".join([*blocks("bash"), *inline]).replace("\\\n", " ")


def anchors() -> list[str]:
    """What headings are called in links."""
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"^ *```.*?^ *```$", "", TEXT, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


def commands() -> list[tuple[str, str, tuple[str, ...]]]:
    """(service, operation, options) of every command of the AWS CLI, in an order that all test processes share."""
    found = COMMAND.findall(code())
    return sorted({(service, operation, tuple(OPTION.findall(rest))) for service, operation, rest in found})


@pytest.fixture
def migrated(own_server: PostgresServer) -> Iterator[psycopg.Connection[Any]]:
    """A migrated database on a server of its own: some statements end other people's connections."""
    apply_all(own_server.url("postgres"), MIGRATIONS)
    with psycopg.connect(own_server.url("postgres")) as connection:
        yield connection


def test_every_statement_runs_on_a_migrated_database(migrated: psycopg.Connection[Any]) -> None:
    statements = blocks("sql")
    assert len(statements) > 15
    for block in statements:
        migrated.execute(block)  # type: ignore[call-overload]
        migrated.rollback()


def test_a_statement_that_names_what_is_not_there_is_found(migrated: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.UndefinedColumn):
        migrated.execute("SELECT last_sweep FROM medic.monitor_state")


def test_there_are_commands_to_check() -> None:
    assert len(commands()) > 40


@pytest.mark.parametrize(("service", "operation", "options"), [one for one in commands() if one[1] != "wait"])
def test_the_aws_cli_has_the_command(service: str, operation: str, options: tuple[str, ...]) -> None:
    model = SESSION.get_service_model(service)
    by_command = {xform_name(one, "-"): one for one in model.operation_names}
    assert operation in by_command
    shape = model.operation_model(by_command[operation]).input_shape
    members = {xform_name(member, "-") for member in (shape.members if shape else {})}
    given = {SPELLED_OTHERWISE.get((service, operation, one), one) for one in set(options) - OF_EVERY_COMMAND}
    assert given - members <= (OF_LISTS if is_list(service, by_command[operation]) else set())
    required = {xform_name(member, "-") for member in (shape.required_members if shape else [])}
    # What the text only mentions is not typed.
    assert required <= given or not options


def is_list(service: str, operation: str) -> bool:
    try:
        return operation in SESSION.get_paginator_model(service)._paginator_config
    except DataNotFoundError:
        return False


def test_what_is_waited_for_can_be() -> None:
    for service, waiter in re.findall(r"\baws ([a-z0-9-]+) wait ([a-z-]+)", code()):
        names = {xform_name(one, "-") for one in SESSION.get_waiter_model(service).waiter_names}
        assert waiter in names


def test_every_path_is_one_of_the_api(functions: Functions) -> None:
    document: dict[str, Any] = functions.api("GET", "/openapi.json", key=None).json
    patterns = [re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)) for path in document["paths"]]
    used = set(re.findall(r"(?:\$URL|`(?:[A-Z]+ )?)(/(?:v1|v2|health|service|heartbeat|ping)[\w/{}.-]*)", TEXT))
    assert len(used) > 25
    assert {path for path in used if not any(one.fullmatch(path) for one in patterns)} == set()


def test_every_part_of_the_stack_that_is_named_is_there() -> None:
    resources = Template(ROOT / "infra" / "template.yaml").content["Resources"]
    events = {
        f"{logical_id}{event}"
        for logical_id, resource in resources.items()
        for event in resource["Properties"].get("Events", {})
    }
    named = set(re.findall(r"(?<![\w-])(?:name|errors|waiting|logs|arn) ([A-Z]\w+)", code()))
    assert len(named) > 15
    assert named <= set(resources) | events


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", TEXT)
    assert len(links) > 40
    for link in links:
        path, _, anchor = link.partition("#")
        assert (DOCUMENT.parent / path).exists(), link
        assert not anchor or anchor in anchors(), link


def test_no_two_headings_have_the_same_link() -> None:
    assert len(anchors()) == len(set(anchors()))
