"""The template, the code and the stage say the same thing."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from local.settings import FIXED, PARAMETERS, SECRETS, SERVERS
from local.template import FUNCTION, MACHINE, Template
from medic_core.domain.repair.advance import RUNNER_MARGIN
from medic_core.domain.repair.execution import DirectiveKind
from medic_core.domain.repair.playbooks import LONGEST_SCRIPT, LONGEST_WEBHOOK

ROOT = Path(__file__).parents[2]
TEMPLATE = Template(ROOT / "infra" / "template.yaml")
RESOURCES: dict[str, Any] = TEMPLATE.content["Resources"]
FUNCTIONS = {name: resource["Properties"] for name, resource in RESOURCES.items() if resource["Type"] == FUNCTION}
QUEUES = {name: resource["Properties"] for name, resource in RESOURCES.items() if resource["Type"] == "AWS::SQS::Queue"}
#: Lambda sets these itself.
GIVEN_BY_LAMBDA = {"AWS_SESSION_TOKEN"}
#: What Medic is about: words that the stage has no use for.
GLOSSARY = re.compile(r"heartbeat|alert|playbook|pagerduty_|slack_|sweep\b|router|deadline", re.IGNORECASE)


def read_variables() -> set[str]:
    """The environment variables that the code reads."""
    source = (ROOT / "layers/medic_core/medic_core/config.py").read_text()
    return {
        str(node.args[0].value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") in {"text", "limit", "number", "several", "secret"}
        and isinstance(node.args[0], ast.Constant)
    }


def set_variables() -> set[str]:
    found = set(TEMPLATE.content["Globals"]["Function"]["Environment"]["Variables"])
    for properties in FUNCTIONS.values():
        found |= set(properties.get("Environment", {}).get("Variables", {}))
    return {name for name in found if not name.startswith("POWERTOOLS_")} | GIVEN_BY_LAMBDA


def test_every_variable_that_is_read_is_set_and_the_reverse() -> None:
    assert read_variables() == set_variables()


def test_every_parameter_of_the_stage_is_one_of_the_template() -> None:
    named = {*PARAMETERS.values(), *SECRETS.values(), *SERVERS.values(), *FIXED}
    assert named <= set(TEMPLATE.content["Parameters"])
    assert {*PARAMETERS, *SECRETS, *SERVERS} <= read_variables()


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


def test_alerts_wait_a_minute_at_most_for_what_a_killed_replay_had_in_its_hands() -> None:
    assert QUEUES["SpoolQueue"]["VisibilityTimeout"] <= 60


def test_no_secret_is_a_parameter_or_a_variable() -> None:
    for name, parameter in TEMPLATE.content["Parameters"].items():
        if parameter["Type"] == "Number":
            continue
        assert not re.search(r"Secret|Token|Password|RoutingKey|ApiKey", name) or name.endswith("Arn"), name
    for name, properties in FUNCTIONS.items():
        for variable, value in properties.get("Environment", {}).get("Variables", {}).items():
            if variable in SECRETS or variable.endswith("_CREDENTIALS"):
                assert value == "" or "Arn" in json.dumps(value), (name, variable)


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


def statements(name: str) -> list[dict[str, Any]]:
    """What a role may do by a policy of its own."""
    (policy,) = RESOURCES[f"{name}Role"]["Properties"]["Policies"]
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return found


def test_the_state_machine_gets_what_it_names_and_may_call_that_alone() -> None:
    text, properties = machine()
    named = set(re.findall(r"\$\{(\w+)\}", text))
    assert named == set(properties["DefinitionSubstitutions"])
    functions = {name for name in named if name.endswith("Function")}
    assert functions <= set(FUNCTIONS)
    assert properties["Role"] == {"Fn::GetAtt": ["MachineRole", "Arn"]}
    (invoking,) = [one for one in statements("Machine") if one["Action"] == "lambda:InvokeFunction"]
    assert {one["Fn::GetAtt"][0] for one in invoking["Resource"]} == functions


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
    given = dict(FUNCTIONS["ScriptStepFunction"]["Environment"]["Variables"])
    assert (given.pop("DATABASE_URL"), given.pop("DATABASE_CREDENTIALS")) == ("", "")
    assert set(given) == {"MEDIC_ORDERS_KEY", "MEDIC_KMS_KEY_ID", "MEDIC_ADDITIONAL_SCRIPT_ENV_VARS"}
    allowed = [one["Fn::If"][1] for one in statements("ScriptStep")]
    assert [one["Action"] for one in allowed] == ["kms:Decrypt", "kms:GenerateDataKey", "secretsmanager:GetSecretValue"]
    assert all("kms:EncryptionContext:purpose" in str(one["Condition"]) for one in allowed[:2])
    assert allowed[2]["Resource"] == {"Ref": "OrdersKeySecretArn"}


def test_every_function_has_a_role_of_its_own_and_waits_for_the_schema() -> None:
    for name, properties in FUNCTIONS.items():
        assert properties["Role"] == {"Fn::GetAtt": [name.removesuffix("Function") + "Role", "Arn"]}
        assert "Policies" not in properties
        assert (RESOURCES[name].get("DependsOn") == "Migrations") == (name != "MigrateFunction"), name
        assert RESOURCES[name]["Metadata"]["BuildMethod"] == "makefile"


def test_all_functions_may_stand_in_a_network_but_the_script_runner() -> None:
    for name, properties in FUNCTIONS.items():
        allowed = str(RESOURCES[name.removesuffix("Function") + "Role"]["Properties"]["ManagedPolicyArns"])
        is_runner = name == "ScriptStepFunction"
        assert ("NetworkPolicy" in allowed) != is_runner, name
        assert (properties.get("VpcConfig") == {"Ref": "AWS::NoValue"}) == is_runner, name


def test_what_is_logged_of_a_request_is_not_its_path() -> None:
    """Paths of pings and approvals are secrets."""
    assert not re.search(r"\$context\.(path|domainName.*path|httpMethod.*path)\b", str(RESOURCES["Api"]["Properties"]))
