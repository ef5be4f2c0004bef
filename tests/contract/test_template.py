"""The template, the code and the stage say the same thing."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from local.settings import PARAMETERS
from local.template import FUNCTION, MACHINE, Template
from medic_core.domain.repair.advance import RUNNER_MARGIN
from medic_core.domain.repair.execution import DirectiveKind
from medic_core.domain.repair.playbooks import LONGEST_SCRIPT, LONGEST_WEBHOOK

ROOT = Path(__file__).parents[2]
TEMPLATE = Template(ROOT / "infra" / "template.yaml")
RESOURCES: dict[str, Any] = TEMPLATE.content["Resources"]
FUNCTIONS = {name: resource["Properties"] for name, resource in RESOURCES.items() if resource["Type"] == FUNCTION}
QUEUES = {name: resource["Properties"] for name, resource in RESOURCES.items() if resource["Type"] == "AWS::SQS::Queue"}
#: What Medic is about: words that the stage has no use for.
GLOSSARY = re.compile(r"heartbeat|alert|playbook|pagerduty_|slack_|sweep\b|router|deadline", re.IGNORECASE)


def read_variables() -> set[str]:
    """The environment variables that the code reads."""
    source = (ROOT / "layers/medic_core/medic_core/config.py").read_text()
    return {
        str(node.args[0].value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") in {"text", "limit", "number", "several"}
        and isinstance(node.args[0], ast.Constant)
    }


def set_variables() -> set[str]:
    found = set(TEMPLATE.content["Globals"]["Function"]["Environment"]["Variables"])
    for properties in FUNCTIONS.values():
        found |= set(properties.get("Environment", {}).get("Variables", {}))
    return {name for name in found if not name.startswith("POWERTOOLS_")}


def test_every_variable_that_is_read_is_set_and_the_reverse() -> None:
    assert read_variables() == set_variables()


def test_every_parameter_of_the_stage_is_one_of_the_template() -> None:
    assert set(PARAMETERS.values()) <= set(TEMPLATE.content["Parameters"])
    assert set(PARAMETERS) <= read_variables()


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_handler_exists_once(name: str) -> None:
    properties = FUNCTIONS[name]
    module, function = properties["Handler"].split(".")
    path = ROOT / "infra" / properties["CodeUri"] / f"{module}.py"
    defined = {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
    assert function in defined
    assert len(list((ROOT / "functions").rglob(f"{module}.py"))) == 1


def test_heartbeats_have_their_own_function_and_all_else_has_the_management_api() -> None:
    routes = dict(TEMPLATE.routes())
    assert routes.pop("$default") == "ManagementFunction"
    assert set(routes.values()) == {"HeartbeatFunction"}
    assert set(routes) == {
        "POST /heartbeat",
        "POST /v2/heartbeats",
        "POST /v2/heartbeat/{proxy+}",
        *(f"{method} /ping/{{proxy+}}" for method in ("GET", "HEAD", "POST")),
    }


def test_every_queue_that_is_read_has_dead_letters_and_time_for_six_tries() -> None:
    for name, properties in FUNCTIONS.items():
        for event in properties.get("Events", {}).values():
            if event["Type"] == "SQS":
                queue = QUEUES[event["Properties"]["Queue"]["Fn::GetAtt"][0]]
                assert "RedrivePolicy" in queue, name
                assert queue["VisibilityTimeout"] >= 6 * properties["Timeout"], name
                assert event["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_secrets_are_not_echoed() -> None:
    for name, parameter in TEMPLATE.content["Parameters"].items():
        if re.search(r"Secret|Token|Key|DatabaseUrl|RedisUrl|WebhookUrl", name):
            assert parameter.get("NoEcho") is True, name


def test_the_stage_does_not_know_the_play() -> None:
    for path in (ROOT / "local").glob("*.py"):
        code = ast.parse(path.read_text())
        names = {node.id for node in ast.walk(code) if isinstance(node, ast.Name)}
        names |= {node.name for node in ast.walk(code) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assert not {name for name in names if GLOSSARY.search(name)}, path


def machine() -> tuple[str, dict[str, Any]]:
    """The definition of the state machine, and how the template declares it."""
    (properties,) = (one["Properties"] for one in RESOURCES.values() if one["Type"] == MACHINE)
    return (ROOT / "infra" / properties["DefinitionUri"]).read_text(), properties


def test_the_state_machine_gets_what_it_names_and_may_call_that_alone() -> None:
    text, properties = machine()
    named = set(re.findall(r"\$\{(\w+)\}", text))
    assert named == set(properties["DefinitionSubstitutions"])
    functions = {name for name in named if name.endswith("Function")}
    assert functions <= set(FUNCTIONS)
    (statement,) = properties["Policies"][0]["Statement"]
    assert {one["Fn::GetAtt"][0] for one in statement["Resource"]} == functions


def test_the_state_machine_knows_every_directive() -> None:
    text, _ = machine()
    rules = json.loads(text)["States"]["Choose"]["Choices"]
    # What it does not know ends as failed.
    assert {rule["StringEquals"] for rule in rules} == set(DirectiveKind) - {DirectiveKind.FAIL}


def test_the_machine_waits_longer_than_any_of_its_functions_takes() -> None:
    text, _ = machine()
    states = json.loads(text)["States"]
    assert states["Advance"]["TimeoutSeconds"] > FUNCTIONS["AdvanceFunction"]["Timeout"]
    assert states["MarkFailed"]["TimeoutSeconds"] > FUNCTIONS["MarkFailedFunction"]["Timeout"]
    longest = {"WebhookStepFunction": LONGEST_WEBHOOK, "ScriptStepFunction": LONGEST_SCRIPT}
    for name, step in longest.items():
        assert step.total_seconds() < FUNCTIONS[name]["Timeout"] <= (step + RUNNER_MARGIN).total_seconds(), name


def test_around_the_script_runner_there_is_nothing_worth_stealing() -> None:
    given = FUNCTIONS["ScriptStepFunction"]["Environment"]["Variables"]
    assert given.pop("DATABASE_URL") == ""
    assert set(given) == {"MEDIC_ORDERS_KEY", "MEDIC_KMS_KEY_ID", "MEDIC_ADDITIONAL_SCRIPT_ENV_VARS"}
    (with_kms,) = FUNCTIONS["ScriptStepFunction"]["Policies"]
    statements = with_kms["Fn::If"][1]["Statement"]
    assert [statement["Action"] for statement in statements] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert all("kms:EncryptionContext:purpose" in str(statement["Condition"]) for statement in statements)
