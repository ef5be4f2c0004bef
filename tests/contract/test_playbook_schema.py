"""The schema that editors use says the same as the parser, as far as a schema can tell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from medic_core.domain.repair.language import problems
from medic_core.domain.repair.playbooks import StepType
from medic_core.domain.repair.reading import plain, read
from medic_core.domain.repair.schema import SCHEMA
from tests.unit.repair.test_language import BAD_STEPS, BAD_TOPS, KEYS, ODD, WEBHOOK, with_fields, with_step, with_top

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples" / "playbooks").glob("*.yaml"))
VALIDATOR = Draft202012Validator(SCHEMA)

GOOD_STEPS: list[tuple[str, ...]] = [
    WEBHOOK,
    ("type: WebHook", "url: ${BASE}/x", "method: patch", "headers: {A: 1, B: true}", "success_codes: [204, '404']"),
    (*WEBHOOK, "headers:", "body:", "success_codes:", "timeout:", "idempotent:", "method:"),
    (*WEBHOOK, "body: {a: [1, {b: null}]}", "timeout: 2m", "idempotent: false", "x-mine: {a: 1}"),
    (*WEBHOOK, "if: A == 1", "retry: {attempts: 3, delay: 0, backoff: 1.5}", "on_failure: Continue", "register: rEST"),
    (*WEBHOOK, "if: true", "retry: {}", "on_failure:", "register:"),
    ("type: script", "script: s", "parameters: {A: 1}", "timeout: 14m"),
    ("type: script", "script_name: s", "parameters:"),
    ("type: wait", "duration: 1"),
    ("type: wait", "duration: '90'"),
    ("type: wait", "duration: 168h"),
    ("type: condition", "check: heartbeat_received"),
    ("type: condition", "check: HEARTBEAT_RECEIVED", "parameters: {min_count: '3', status: up, service_id: 4}"),
    ("type: condition", "check: http_ok", "parameters: {url: 'https://a/', success_codes: [200]}"),
    ("type: condition", "check: alert_resolved", "parameters: {}"),
    ("type: notify", "message: m", "title: t"),
    ("type: approval",),
    ("type: approval", "message: m", "approvers: [a]", "timeout: 5m", "on_timeout: approve"),
    ("type: approval", "approvers_required: 2", "four_eyes: true"),
]
GOOD_TOPS = [
    "approval: none",
    "approval: TIMEOUT:15M",
    "approval: required\napprovers: [a]",
    "approval: required\napprovers: [a, b]\napprovers_required: 2\nfour_eyes: true",
    "approval: timeout:5m\napprovers_required: 1\nfour_eyes: false",
    "approval: required\napprovers_required: '3'",
    "approval:",
    "version: '3'",
    "description: 12",
    "timeout: 3600",
    "timeout: 1h",
    "verify: None",
    "verify: 10m",
    "trigger: [anything]",
    "metadata: {a: 1}",
    "x-mine: 1",
    "finally: [{name: z, type: notify, message: m}]",
    "finally:",
]
#: What only the parser sees: other values than one, text that YAML or a grammar has read, sums, sizes of durations.
ONLY_THE_PARSER = (
    "timeout: must be at most", "duration: must be at most", "delay: must be at most", "verify: must be at most",
    "is there already", "is there twice", "no step before", "secret", "at character", "has a meaning of its own",
    "belongs to the connection", "is no name of a header", "one line", "registered script", "nobody is asked",
    "approvers are named", "nobody's answer",
    "timeout:10081m", "control characters",
)  # fmt: skip


def accepted(text: str) -> bool:
    node = read(text, [])
    return node is not None and VALIDATOR.is_valid(plain(node))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_the_published_schema_is_the_one_of_the_code() -> None:
    assert (ROOT / "docs" / "playbook.schema.json").read_text() == json.dumps(SCHEMA, indent=2) + "\n"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.name))
def test_the_examples_are_valid(path: Path) -> None:
    node = read(path.read_text(), [])
    assert node is not None
    assert [error.message for error in VALIDATOR.iter_errors(plain(node))] == []


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize(
    "text", [*(with_step(*lines) for lines in GOOD_STEPS), *(with_top("name: x", line) for line in GOOD_TOPS)]
)
def test_what_both_take(text: str) -> None:
    assert [str(problem) for problem in problems(text)] == []
    assert accepted(text)


@pytest.mark.parametrize(
    "text",
    [
        *(with_step(*lines) for lines, problem in BAD_STEPS if not any(word in problem for word in ONLY_THE_PARSER)),
        *(
            with_top(line) if line.startswith("name") else with_top("name: x", line)
            for line, problem in BAD_TOPS
            if not any(word in problem + line for word in ONLY_THE_PARSER)
        ),
        "name: x",
        "name: x\nsteps: []",
        "name: x\nsteps: {}",
        "name: x\nsteps: [wait]",
        "name: x\nsteps: [{type: wait, duration: 1}]",
        "[]",
        with_top("name: x", "finally: [{name: z, type: Approval}]"),
    ],
)
def test_what_both_refuse(text: str) -> None:
    assert problems(text)
    assert not accepted(text)


@pytest.mark.parametrize("kind", list(StepType))
@pytest.mark.parametrize("key", KEYS)
def test_an_editor_never_complains_of_what_is_taken(key: str, kind: str) -> None:
    for value in [*ODD, "a", "1", "30s", "[a]", "[200]", "{a: b}", "{attempts: 2}", "escalate", "approve"]:
        text = with_fields(kind, key, value)
        assert problems(text) or accepted(text), text
