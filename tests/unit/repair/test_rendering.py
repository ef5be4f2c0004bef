"""Plans that people read before anything is done."""

from __future__ import annotations

from typing import Any

import pytest

from medic_core.domain.repair.language import parse
from medic_core.domain.repair.playbooks import StepType
from medic_core.domain.repair.rendering import PlannedStep, plan
from medic_core.domain.repair.variables import Values

CONTEXT = {"SERVICE_NAME": "worker/1 ${secrets.TOKEN}", "HOST": "inner.example.com"}


def planned(
    *steps: str, context: dict[str, Any] = CONTEXT, outputs: dict[str, Any] = {}, allowed: tuple[str, ...] = ()
) -> tuple[PlannedStep, ...]:
    playbook = parse("name: x\nsteps:\n" + "\n".join(f"- {step}" for step in steps))
    return plan(playbook, Values(context, outputs, {"TOKEN": "S3cret"}), allowed)


def test_every_type_of_step_is_shown_as_it_would_run() -> None:
    steps = planned(
        "{name: a, type: webhook, url: 'https://a.example.com/${SERVICE_NAME}?k=${secrets.TOKEN}', if: HOST != null,"
        " headers: {Authorization: 'Bearer ${secrets.TOKEN}'}, body: {'${HOST}': ['${SERVICE_NAME}', 1]}}",
        "{name: b, type: script, script: s, parameters: {A: '${secrets.TOKEN}', B: 2}}",
        "{name: c, type: wait, duration: 90}",
        "{name: d, type: condition, check: heartbeat_received, parameters: {min_count: 2, service: other}}",
        "{name: e, type: condition, check: http_ok, timeout: 1h, parameters: {url: 'https://a.example.com/${HOST}'}}",
        "{name: f, type: condition, check: alert_resolved}",
        "{name: g, type: notify, message: 'It is ${SERVICE_NAME}'}",
        "{name: h, type: approval, message: 'Restart ${HOST}?', approvers: [ann], on_timeout: reject}",
    )
    assert [step.index for step in steps] == list(range(8))
    assert [step.name for step in steps] == list("abcdefgh")
    assert all(step.problems == () for step in steps)
    assert steps[0].only_if == "HOST != null"
    assert steps[0].type is StepType.WEBHOOK
    assert [dict(step.shown) for step in steps] == [
        {
            "url": "https://a.example.com/worker%2F1%20%24%7Bsecrets.TOKEN%7D?k=***",
            "method": "POST",
            "headers": {"Authorization": "Bearer ***"},
            "body": {"inner.example.com": ["worker/1 ${secrets.TOKEN}", 1]},
            "success_codes": [200, 201, 202],
            "timeout": "30s",
        },
        {"script": "s", "parameters": {"A": "***", "B": 2}, "timeout": "1m"},
        {"duration": "90s"},
        {"check": "heartbeat_received", "timeout": "5m", "min_count": 2, "service": "other"},
        {
            "check": "http_ok",
            "timeout": "1h",
            "url": "https://a.example.com/inner.example.com",
            "success_codes": [200],
        },
        {"check": "alert_resolved", "timeout": "5m"},
        {"message": "It is worker/1 ${secrets.TOKEN}", "title": None},
        {"message": "Restart inner.example.com?", "approvers": ["ann"], "timeout": "1h", "on_timeout": "reject"},
    ]
    assert "S3cret" not in repr(steps)


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ("url: 'https://a.example.com/${NOPE}'", "NOPE is unknown, and a URL needs every value"),
        ("url: 'https://${HOST}/x'", "HOST would decide the host of the URL, and inner.example.com is not among"),
        ("url: 'https://a.example.com/', body: {a: '${NOPE}'}", "NOPE is unknown, and stays as it is: ${NOPE}"),
        ("url: 'https://a.example.com/', headers: {a: '${LINES}'}", "a header must be one line"),
        ("url: 'https://a.example.com:9000/'", "the URL cannot be called: port not allowed"),
    ],
)
def test_what_would_go_wrong_is_said(step: str, problem: str) -> None:
    (one,) = planned(f"{{name: a, type: webhook, {step}}}", context={**CONTEXT, "LINES": "a\nb"})
    assert len(one.problems) == 1
    assert one.problems[0].startswith(problem)


def test_a_host_that_the_operator_excepted_may_come_from_a_variable() -> None:
    (one,) = planned("{name: a, type: webhook, url: 'https://${HOST}/x'}", allowed=("inner.example.com",))
    assert (one.shown["url"], one.problems) == ("https://inner.example.com/x", ())


def test_what_an_earlier_step_registers_is_no_problem_before_it_ran() -> None:
    steps = (
        "{name: a, type: script, script: s, register: one}",
        "{name: b, type: webhook, url: 'https://a.example.com/${one.output.id}', body: {x: '${one.status} ${NOPE}'}}",
        "{name: c, type: notify, message: '${later.status}'}",
    )
    _, before, wrong = planned(*steps)
    assert before.shown["url"] == "https://a.example.com/${one.output.id}"
    assert before.shown["body"] == {"x": "${one.status} ${NOPE}"}
    assert before.problems == ("NOPE is unknown, and stays as it is: ${NOPE}",)
    assert wrong.problems == ("later.status is unknown, and stays as it is: ${later.status}",)
    _, after, _ = planned(*steps, outputs={"one": {"status": "completed", "output": {"id": 7}}})
    assert after.shown["url"] == "https://a.example.com/7"
    assert after.shown["body"] == {"x": "completed ${NOPE}"}
    _, missing, _ = planned(*steps, outputs={"one": {"status": "failed"}})
    assert "one.output.id is unknown, and a URL needs every value" in missing.problems


def test_the_steps_of_finally_come_last() -> None:
    playbook = parse(
        "name: x\nsteps: [{name: a, type: wait, duration: 1}]\nfinally: [{name: b, type: notify, message: '${a}'}]"
    )
    assert [(step.index, step.name) for step in plan(playbook, Values({"a": 1}, {}, None), ())] == [(0, "a"), (1, "b")]
