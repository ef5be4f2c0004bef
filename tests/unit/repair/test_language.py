"""The playbook language: what is taken, with which defaults, and every problem at once with its line."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.repair import playbooks as is_
from medic_core.domain.repair.durations import duration, spelled
from medic_core.domain.repair.expressions import parse as expression
from medic_core.domain.repair.language import InvalidPlaybook, Problem, parse, problems
from medic_core.domain.repair.playbooks import (
    Approval,
    ApprovalMode,
    Approvers,
    Ask,
    Check,
    Condition,
    Method,
    Notify,
    OnFailure,
    OnTimeout,
    Playbook,
    Retry,
    Script,
    Step,
    Wait,
    Webhook,
)

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "playbooks").glob("*.yaml"))
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def with_step(*lines: str) -> str:
    """A playbook with one step that has these lines after its name (line 3)."""
    return "name: x\nsteps:\n- name: a\n" + "".join(f"  {line}\n" for line in lines)


def with_top(*lines: str) -> str:
    """A playbook that has these lines at the top (line 1)."""
    return "\n".join([*lines, "steps: [{name: a, type: wait, duration: 1}]"])


def step(*lines: str) -> Step:
    return parse(with_step(*lines)).steps[0]


def found(text: str) -> list[str]:
    return [str(problem) for problem in problems(text)]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.name))
def test_the_examples_are_playbooks(path: Path) -> None:
    text = path.read_text()
    assert found(text) == []
    assert parse(text).name == path.stem


def test_the_reference_s_playbook() -> None:
    playbook = parse(next(path for path in EXAMPLES if path.name == "restart-worker.yaml").read_text())
    restart, wait, condition = playbook.steps
    assert playbook.approval == Approval()
    assert restart == Step(
        "restart",
        Webhook(
            "https://deploy.example.com/api/restart",
            Method.POST,
            {"Content-Type": "application/json"},
            {"service": "${SERVICE_NAME}", "reason": "${CONSECUTIVE_FAILURES} missed in a row"},
        ),
    )
    assert wait == Step("let-it-start", Wait(30 * SECOND))
    assert condition.action == Condition(Check.HEARTBEAT_RECEIVED, 5 * MINUTE)
    assert condition.on_failure is OnFailure.ESCALATE


def test_what_is_left_out_has_the_reference_s_defaults() -> None:
    playbook = parse(
        "name: x\nsteps:\n- {name: a, type: webhook, url: http://a.example.com}\n- {name: b, type: script, script: s}\n"
        "- {name: c, type: condition, check: heartbeat_received}\n"
    )
    assert playbook == Playbook(
        name="x",
        steps=(
            Step("a", Webhook("http://a.example.com", Method.POST, {}, None, (200, 201, 202), 30 * SECOND)),
            Step("b", Script("s", {}, 60 * SECOND)),
            Step("c", Condition(Check.HEARTBEAT_RECEIVED, 5 * MINUTE, min_count=1), on_failure=OnFailure.FAIL),
        ),
        description="",
        approval=Approval(ApprovalMode.NONE),
        version=1,
        scripts=frozenset({"s"}),
    )


def test_everything_at_the_top() -> None:
    playbook = parse(
        with_top(
            "name: 12",
            "description: >",
            "  Two",
            "  lines",
            "approval: Timeout:15M",
            "approvers: [ann, U1]",
            "version: '3'",
            "timeout: 1h",
            "verify: 90",
            "trigger: {service_pattern: 'worker-*', consecutive_failures: 3}",
            "metadata: [anything]",
            "x-mine: {a: 1}",
            "finally:",
            "- {name: z, type: notify, message: m}",
        )
    )
    assert playbook.name == "12"
    assert playbook.description == "Two lines\n"
    assert playbook.approval == Approval(ApprovalMode.TIMEOUT, 15 * MINUTE, Approvers(("ann", "U1")))
    assert str(playbook.approval) == "timeout:15m"
    assert playbook.version == 3
    assert playbook.timeout == 60 * MINUTE
    assert playbook.verify == 90 * SECOND
    assert [one.name for one in playbook.all_steps] == ["a", "z"]


@pytest.mark.parametrize(
    ("line", "approval"),
    [
        ("approval: none", Approval()),
        ("approval: NONE", Approval()),
        ("approval:", Approval()),
        ("approval: Required", Approval(ApprovalMode.REQUIRED)),
        ("approval: timeout:1m", Approval(ApprovalMode.TIMEOUT, MINUTE)),
    ],
)
def test_approval(line: str, approval: Approval) -> None:
    assert parse(with_top("name: x", line)).approval == approval


@pytest.mark.parametrize("word", ["none", "None", " NONE "])
def test_no_proof_is_asked_for(word: str) -> None:
    assert parse(with_top("name: x", f"verify: {word}")).verify is None


def test_every_type_of_step() -> None:
    assert step(
        "type: WebHook", "url: ${BASE}/x", "method: patch", "headers: {A: 1, B: true, C: 1.10}",
        "body: {yes: [no, 012, 1.5, null, 12:30, 2024-01-01]}", "success_codes: [204, '404']", "timeout: 2m",
        "idempotent: true",
    ).action == Webhook(
        "${BASE}/x",
        Method.PATCH,
        {"A": "1", "B": "true", "C": "1.10"},
        {"yes": ["no", "012", 1.5, None, "12:30", "2024-01-01"]},
        (204, 404),
        2 * MINUTE,
        idempotent=True,
    )  # fmt: skip
    assert step("type: script", "script_name: s", "parameters: {A: '${X}'}", "timeout: 14m").action == Script(
        "s", {"A": "${X}"}, 14 * MINUTE
    )
    assert step("type: wait", "duration: 168h").action == Wait(timedelta(days=7))
    assert step(
        "type: condition",
        "check: heartbeat_received",
        "parameters: {min_count: 3, status: ok, service: b, service_id: 4}",
    ).action == Condition(Check.HEARTBEAT_RECEIVED, min_count=3, status="ok", service="b", service_id=4)
    assert step(
        "type: condition",
        "check: http_ok",
        "timeout: 24h",
        "parameters: {url: 'https://a/', success_codes: [200, 204]}",
    ).action == Condition(Check.HTTP_OK, timedelta(hours=24), url="https://a/", success_codes=(200, 204))
    assert step("type: condition", "check: alert_resolved").action == Condition(Check.ALERT_RESOLVED)
    assert step("type: notify", "message: m", "title: t").action == Notify("m", "t")
    assert step(
        "type: approval", "message: m", "approvers: [a]", "timeout: 5m", "on_timeout: approve"
    ).action == Ask("m", Approvers(("a",)), 5 * MINUTE, OnTimeout.APPROVE)  # fmt: skip
    assert step(
        "type: approval", "approvers: [a, b, U1]", "approvers_required: 2", "four_eyes: true"
    ).action == Ask(approvers=Approvers(("a", "b", "U1"), 2, four_eyes=True))  # fmt: skip
    assert step("type: approval").action == Ask()


def test_what_every_step_can_have() -> None:
    assert step(
        "type: wait", "duration: 5", "if: A == 1", "retry: {attempts: 3, delay: 0, backoff: 1.5}",
        "on_failure: continue", "register: waited", "x-note: mine",
    ) == Step(
        "a", Wait(5 * SECOND), expression("A == 1"), OnFailure.CONTINUE, Retry(3, timedelta(0), 1.5), "waited"
    )  # fmt: skip
    assert step("type: wait", "duration: 5", "if: true").only_if == expression("true")
    assert step("type: wait", "duration: 5", "if:", "retry:", "register:", "on_failure:") == Step("a", Wait(5 * SECOND))


def test_secrets_and_scripts_are_collected() -> None:
    playbook = parse(
        """
name: x
steps:
- name: a
  type: webhook
  url: https://a.example.com/${secrets.A}
  headers: {X: "${secrets.B}"}
  body: {x: [{"${secrets.C}": 1}]}
- {name: b, type: script, script: one, parameters: {K: "${secrets.D}"}}
- {name: c, type: condition, check: http_ok, parameters: {url: "https://a.example.com/?k=${secrets.E}"}}
finally:
- {name: d, type: script, script: two, parameters: {K: "${secrets.F}"}}
"""
    )
    assert playbook.secrets == set("ABCDEF")
    assert playbook.scripts == {"one", "two"}


WEBHOOK = ("type: webhook", "url: https://a.example.com")
BAD_TOPS = [
    ("name:", "line 1, name: is missing"),
    ("name: ''", "line 1, name: is missing"),
    ("name: [x]", "line 1, name: must be text"),
    ("name: '" + "x" * 201 + "'", "line 1, name: must have 1 to 200 characters"),
    ('name: "a\\tb"', "line 1, name: must not contain control characters"),
    (
        "approval: sometimes",
        "line 2, approval: must be none, required, or timeout:<minutes>m like timeout:15m, 10080 at most",
    ),
    ("approval: timeout:0m", "line 2, approval: must be none"),
    ("approval: timeout:15", "line 2, approval: must be none"),
    ("approval: timeout:1h", "line 2, approval: must be none"),
    ("approval: timeout:10081m", "line 2, approval: must be none"),
    ("approvers: [a]", "line 2, approvers: nobody is asked without approval"),
    ("approvers_required: 2", "line 2, approvers_required: nobody is asked without approval"),
    ("four_eyes: true", "line 2, four_eyes: nobody is asked without approval"),
    ("approval: required\napprovers_required: 0", "line 3, approvers_required: must be a whole number from 1 to 20"),
    ("approval: required\napprovers_required: 21", "line 3, approvers_required: must be a whole number from 1 to 20"),
    ("approval: required\nfour_eyes: 4", "line 3, four_eyes: must be true or false"),
    (
        "approval: required\napprovers: [a, a]\napprovers_required: 2",
        "line 4, approvers_required: only 1 approvers are named: name more, or ask for fewer",
    ),
    (
        "approval: timeout:5m\napprovers_required: 2",
        "line 3, approvers_required: nobody's answer is not 2 people's: leave out approval: timeout",
    ),
    (
        "approval: timeout:5m\nfour_eyes: true",
        "line 3, four_eyes: nobody's answer is nobody's four eyes: leave out approval: timeout",
    ),
    ("approvers: a", "line 2, approvers: must be a list of 1 to 20 names"),
    ("approvers: [a, null]", "line 2, approvers: must be a list of 1 to 20 names"),
    ("version: 1.5", "line 2, version: must be a whole number"),
    ("version: true", "line 2, version: must be a whole number"),
    ("version: x", "line 2, version: must be a whole number"),
    ("timeout: 0", "line 2, timeout: must be more than 0"),
    ("timeout: 169h", "line 2, timeout: must be at most 168h"),
    ("verify: never", "line 2, verify: must be like 30s, 5m or 1h, or whole seconds"),
    ("verify: 25h", "line 2, verify: must be at most 24h"),
    ("finally: {}", "line 2, finally: must be a list of steps"),
    ("aproval: none", "line 2: unknown key 'aproval': did you mean approval?"),
    ("frobnicate: 1", "line 2: unknown key 'frobnicate': known are approval"),
    ("version: 1\nversion: 2", "line 3: the key 'version' is there already, at line 2"),
]
BAD_STEPS: list[tuple[tuple[str, ...], str]] = [
    (("duration: 1",), "line 3, step 'a', type: is missing: one of webhook, script, wait"),
    (
        ("type: approval", "on_timeout: approve", "approvers_required: 3"),
        "line 6, step 'a', approvers_required: nobody's answer is not 3 people's: leave out on_timeout: approve",
    ),
    (
        ("type: approval", "four_eyes: true", "on_timeout: approve"),
        "line 5, step 'a', four_eyes: nobody's answer is nobody's four eyes: leave out on_timeout: approve",
    ),
    (
        ("type: approval", "approvers: [a]", "approvers_required: 2"),
        "line 6, step 'a', approvers_required: only 1 approvers are named",
    ),
    (("type: email",), "line 4, step 'a', type: must be one of webhook"),
    (("type: [wait]",), "line 4, step 'a', type: must be text"),
    (("type: webhook",), "line 3, step 'a', url: is missing"),
    (("type: webhook", "url: ftp://a"), "line 5, step 'a', url: must begin with http://, https:// or ${"),
    (("type: webhook", "url: [a]"), "line 5, step 'a', url: must be text"),
    (("type: webhook", "url: https://${secrets.A}/"), "line 5, step 'a', url: must not have a secret in its scheme"),
    (
        ("type: webhook", "url: https://a.example.com/${b.x}"),
        "line 5, step 'a', url: no step before this one has register: b",
    ),
    ((*WEBHOOK, "method: HEAD"), "line 6, step 'a', method: must be one of GET, POST, PUT, PATCH, DELETE"),
    ((*WEBHOOK, "headers: [a]"), "line 6, step 'a', headers: must be a mapping"),
    ((*WEBHOOK, "headers: {A: [b]}"), "line 6, step 'a', headers: 'A' must be one line of text"),
    ((*WEBHOOK, 'headers: {A: "b\\nc"}'), "line 6, step 'a', headers: 'A' must be one line of text"),
    ((*WEBHOOK, "headers:", "  A: b", "  Host: c"), "line 8, step 'a', headers: 'Host' belongs to the connection"),
    ((*WEBHOOK, "headers: {'a b': c}"), "line 6, step 'a', headers: 'a b' is no name of a header"),
    (
        (*WEBHOOK, "headers: {" + ", ".join(f"h{at}: x" for at in range(51)) + "}"),
        "line 6, step 'a', headers: must be at most 50",
    ),
    ((*WEBHOOK, "headers: {A: b, a: c}"), "line 6, step 'a', headers: 'a' is there twice"),
    ((*WEBHOOK, "body: [1]"), "line 6, step 'a', body: must be a mapping"),
    ((*WEBHOOK, "body: text"), "line 6, step 'a', body: must be a mapping"),
    ((*WEBHOOK, "body: {a: '${secrets.b.c}'}"), "line 6, step 'a', body: no secret can be called b.c"),
    ((*WEBHOOK, "success_codes: 200"), "line 6, step 'a', success_codes: must be a list of status codes"),
    ((*WEBHOOK, "success_codes: []"), "line 6, step 'a', success_codes: must be a list of status codes"),
    ((*WEBHOOK, "success_codes: [ok]"), "line 6, step 'a', success_codes: must be a list of status codes"),
    ((*WEBHOOK, "success_codes: [99]"), "line 6, step 'a', success_codes: must be a list of status codes"),
    ((*WEBHOOK, "timeout: 1d"), "line 6, step 'a', timeout: must be like 30s, 5m or 1h, or whole seconds"),
    ((*WEBHOOK, "timeout: 1.5"), "line 6, step 'a', timeout: must be like 30s"),
    ((*WEBHOOK, "timeout: 1m30s"), "line 6, step 'a', timeout: must be like 30s"),
    ((*WEBHOOK, "timeout: [1]"), "line 6, step 'a', timeout: must be like 30s"),
    ((*WEBHOOK, "timeout: 0s"), "line 6, step 'a', timeout: must be more than 0"),
    ((*WEBHOOK, "timeout: -1"), "line 6, step 'a', timeout: must be like 30s"),
    ((*WEBHOOK, "timeout: 121"), "line 6, step 'a', timeout: must be at most 2m"),
    ((*WEBHOOK, "timeout: 99999999999999999999"), "line 6, step 'a', timeout: must be like 30s"),
    ((*WEBHOOK, "idempotent: yes"), "line 6, step 'a', idempotent: must be true or false"),
    ((*WEBHOOK, "timout: 5s"), "line 6, step 'a': unknown key 'timout': did you mean timeout?"),
    ((*WEBHOOK, "duration: 5s"), "line 6, step 'a': unknown key 'duration'"),
    (("type: script",), "line 3, step 'a', script: is missing"),
    (("type: script", "script: a", "script_name: a"), "line 6, step 'a', script_name: means the same as script"),
    (("type: script", "script: '${A}'"), "line 5, step 'a', script: must be the name of a registered script"),
    (("type: script", "script: s", "parameters: [1]"), "line 6, step 'a', parameters: must be a mapping"),
    (("type: script", "script: s", "timeout: 15m"), "line 6, step 'a', timeout: must be at most 14m"),
    (("type: wait",), "line 3, step 'a', duration: is missing"),
    (("type: wait", "duration: 0"), "line 5, step 'a', duration: must be more than 0"),
    (("type: wait", "duration: 169h"), "line 5, step 'a', duration: must be at most 168h"),
    (("type: wait", "duration: 1", "idempotent: true"), "line 6, step 'a': unknown key 'idempotent'"),
    (("type: condition",), "line 3, step 'a', check: is missing: one of heartbeat_received, http_ok, alert_resolved"),
    (("type: condition", "check: moon"), "line 5, step 'a', check: must be one of heartbeat_received"),
    (
        ("type: condition", "check: heartbeat_received", "parameters: {min_count: 0}"),
        "line 6, step 'a', parameters.min_count: must be a whole number from 1 to 1000",
    ),
    (
        ("type: condition", "check: heartbeat_received", "parameters: {minimum: 1}"),
        "line 6, step 'a', parameters: unknown key 'minimum'",
    ),
    (
        ("type: condition", "check: heartbeat_received", "parameters: {status: '${secrets.A}'}"),
        "line 6, step 'a', parameters.status: secrets cannot be used here",
    ),
    (
        ("type: condition", "check: heartbeat_received", "parameters: x"),
        "line 6, step 'a', parameters: must be a mapping",
    ),
    (("type: condition", "check: http_ok"), "line 3, step 'a', parameters.url: is missing"),
    (
        ("type: condition", "check: http_ok", "parameters: {url: 'https://a:${secrets.P}/'}"),
        "line 6, step 'a', parameters.url: must not have a secret",
    ),
    (("type: condition", "check: alert_resolved", "timeout: 25h"), "line 6, step 'a', timeout: must be at most 24h"),
    (("type: notify",), "line 3, step 'a', message: is missing"),
    (("type: notify", "message: '${secrets.A}'"), "line 5, step 'a', message: secrets cannot be used here"),
    (("type: notify", "message: m", "title: '${secrets.A}'"), "line 6, step 'a', title: secrets cannot be used here"),
    (("type: notify", "message: " + "x" * 3001), "line 5, step 'a', message: must have at most 3000 characters"),
    (("type: approval", "message: '${secrets.A}'"), "line 5, step 'a', message: secrets cannot be used here"),
    (("type: approval", "on_timeout: maybe"), "line 5, step 'a', on_timeout: must be one of approve, reject, fail"),
    (("type: approval", "retry: {attempts: 2}"), "line 5, step 'a', retry: an approval cannot be retried"),
    (("type: approval", "timeout: 169h"), "line 5, step 'a', timeout: must be at most 168h"),
    ((*WEBHOOK, "on_failure: ignore"), "line 6, step 'a', on_failure: must be one of fail, continue, escalate"),
    ((*WEBHOOK, "retry: 3"), "line 6, step 'a', retry: must be a mapping"),
    ((*WEBHOOK, "retry: {delay: 1}"), "line 6, step 'a', retry.attempts: is missing"),
    ((*WEBHOOK, "retry: {attempts: 11}"), "line 6, step 'a', retry.attempts: must be a whole number from 1 to 10"),
    ((*WEBHOOK, "retry: {attempts: 0}"), "line 6, step 'a', retry.attempts: must be a whole number from 1 to 10"),
    ((*WEBHOOK, "retry: {attempts: 2, delay: 2h}"), "line 6, step 'a', retry.delay: must be at most 1h"),
    (
        (*WEBHOOK, "retry: {attempts: 2, backoff: 0.5}"),
        "line 6, step 'a', retry.backoff: must be a number from 1 to 10",
    ),
    ((*WEBHOOK, "retry: {attempts: 2, backoff: x}"), "line 6, step 'a', retry.backoff: must be a number from 1 to 10"),
    ((*WEBHOOK, "retry: {attempts: 2, delya: 1}"), "line 6, step 'a', retry: unknown key 'delya': did you mean delay?"),
    ((*WEBHOOK, "if: A = 1"), "line 6, step 'a', if: at character 3: '=' is not understood: write =="),
    ((*WEBHOOK, "if: [A]"), "line 6, step 'a', if: must be text"),
    ((*WEBHOOK, "if: secrets.A == 1"), "line 6, step 'a', if: at character 1: secrets cannot be used"),
    ((*WEBHOOK, "if: b.status == 1"), "line 6, step 'a', if: no step before this one has register: b"),
    ((*WEBHOOK, "register: RESTART"), "line 6, step 'a', register: must have lower case letters"),
    ((*WEBHOOK, "register: a-b"), "line 6, step 'a', register: must be a name of at most 60 letters"),
    ((*WEBHOOK, "register: secrets"), "line 6, step 'a', register: secrets has a meaning of its own"),
    ((*WEBHOOK, "register: 'Null'"), "line 6, step 'a', register: Null has a meaning of its own"),
    ((*WEBHOOK, "register: trigger"), "line 6, step 'a', register: trigger has a meaning of its own"),
]


@pytest.mark.parametrize(("line", "problem"), BAD_TOPS)
def test_what_is_wrong_at_the_top(line: str, problem: str) -> None:
    text = with_top(line) if line.startswith("name") else with_top("name: x", line)
    (only,) = found(text)
    assert only.startswith(problem)


@pytest.mark.parametrize(("lines", "problem"), BAD_STEPS, ids=lambda value: str(value)[:60])
def test_what_is_wrong_with_a_step(lines: tuple[str, ...], problem: str) -> None:
    (only,) = found(with_step(*lines))
    assert only.startswith(problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: the playbook is empty"),
        ("# nothing\n", "line 1: the playbook is empty"),
        ("- a", "line 1: a playbook is a mapping: begin with name: and steps:"),
        ("text", "line 1: a playbook is a mapping"),
        ("name: x", "line 1, steps: is missing: a list of what to do"),
        ("name: x\nsteps: []", "line 2, steps: must be a list of steps, with one at least"),
        ("name: x\nsteps: {a: b}", "line 2, steps: must be a list of steps"),
        ("name: x\nsteps:\n- wait", "line 3, step 1: must be a mapping with name and type"),
        ("name: x\nsteps:\n- {type: wait, duration: 1}", "line 3, step 1, name: is missing"),
        (
            "name: x\nsteps: [{name: a, type: wait, duration: 1}, {name: a, type: wait, duration: 1}]",
            "step 'a', name: the step",
        ),
    ],
)
def test_what_is_wrong_as_a_whole(text: str, problem: str) -> None:
    (only,) = found(text)
    assert problem in only


def test_names_and_outputs_across_steps() -> None:
    text = """name: x
steps:
- {name: a, type: script, script: s, register: one, if: "one.status == 1"}
- {name: b, type: wait, duration: 1, register: one, if: one.status == "completed"}
- {name: a, type: wait, duration: 1}
finally:
- {name: b, type: wait, duration: 1, if: one.status == "failed"}
- {type: approval}
"""
    assert found(text) == [
        "line 3, step 'a', if: no step before this one has register: one",
        "line 4, step 'b', register: one is registered by a step before: give each its own",
        "line 5, step 'a', name: the step at line 3 has that name already: give each its own",
        "line 7, step 'b', name: the step at line 4 has that name already: give each its own",
        "line 8, step 2 of finally, name: is missing",
        "line 8, step 2 of finally, type: an approval cannot be among the steps of finally: "
        "nobody is waited for at the end",
    ]


def test_all_problems_are_told_at_once_in_the_order_of_the_lines() -> None:
    texts = [
        *(line for line, _ in BAD_TOPS if not line.startswith(("name", "approvers", "four_eyes")) and "\n" not in line)
    ]
    keys = {line.partition(":")[0]: line for line in texts}
    wrong = "\n".join(["name:", *keys.values(), "steps:"])
    steps = "".join(
        f"\n- name: step {at}\n" + "".join(f"  {line}\n" for line in lines)
        for at, (lines, _) in enumerate(BAD_STEPS[:49])
    )
    told = problems(wrong + steps)
    assert len(told) == 1 + len(keys) + 49
    assert [problem.line for problem in told] == sorted(problem.line for problem in told)
    with pytest.raises(InvalidPlaybook) as error:
        parse(wrong + steps)
    assert error.value.problems == told
    assert str(told[0]) in str(error.value)


def test_as_many_steps_as_allowed_and_one_more() -> None:
    lines = [f"- {{name: s{at}, type: wait, duration: 1}}" for at in range(is_.MOST_STEPS)]
    text = "\n".join(["name: x", "steps:", *lines])
    assert len(parse(text).steps) == is_.MOST_STEPS
    more = text + "\nfinally: [{name: z, type: wait, duration: 1}]"
    assert found(more) == ["line 3, steps: a playbook has at most 50 steps, those of finally among them"]


def test_many_unknown_keys_are_counted() -> None:
    told = found(with_top("name: x", *(f"key{at}: 1" for at in range(100))))
    assert len(told) == 21
    assert "line 1: 80 more unknown keys: remove them" in told


def test_a_problem_reads_well() -> None:
    problem = Problem("must be like 30s", 12, "restart", "timeout")
    assert str(problem) == "line 12, step 'restart', timeout: must be like 30s"
    assert str(Problem("is wrong", 1)) == "line 1: is wrong"
    assert str(Problem("is wrong", 2, "step 3", "name")) == "line 2, step 3, name: is wrong"


@given(st.integers(0, 10**7))
def test_durations_are_read_back_as_they_are_spelled(seconds: int) -> None:
    length = timedelta(seconds=seconds)
    assert duration(spelled(length)) == length
    assert duration(f"{seconds}") == duration(f"{seconds}s") == length


@pytest.mark.parametrize("text", ["", "s", "1d", "1.5s", "1 s", "1m30s", "-1", "+1", "1e3", "٣s", "1" * 10])
def test_what_is_no_duration(text: str) -> None:
    assert duration(text) is None


LINES = st.sampled_from(
    [
        "name: x", "steps:", "- name: a", "  type: webhook", "  type: condition", "  url: ${A}", "  check: http_ok",
        "- ", "  -", "  parameters: {url: 1}", "  retry: {attempts: []}", "finally:", "  headers: {a: b}", "  if: A",
        "  <<: x", "? [a]", "  body: &a [*a]", "approval: [x]", "verify: {}", "  success_codes: [1e9, .inf]", "}",
        "'", "---", "  register: [x]",
    ]
)  # fmt: skip


@given(st.text() | st.lists(LINES, max_size=12).map("\n".join) | st.binary().map(lambda junk: junk.decode("latin-1")))
def test_any_text_is_a_playbook_or_is_told_why_not(text: str) -> None:
    told = problems(text)
    if told:
        with pytest.raises(InvalidPlaybook) as error:
            parse(text)
        assert error.value.problems == told
    else:
        parse(text)
    assert all(str(problem) and problem.line >= 1 for problem in told)


KEYS = [
    "type", "url", "method", "headers", "body", "success_codes", "timeout", "idempotent", "script", "parameters",
    "duration", "check", "message", "title", "approvers", "approvers_required", "four_eyes", "on_timeout", "if",
    "retry", "on_failure", "register", "name",
]  # fmt: skip
ODD = [
    "",
    "null",
    "[]",
    "{}",
    "[[]]",
    "{a: {b: []}}",
    "1e400",
    "-1",
    "99999999999999999999",
    "'\\ud800'",
    "true",
    '"\\0"',
    "[null]",
]


def with_fields(kind: str, key: str, value: str) -> str:
    """A playbook with a step of a type, one of whose fields has this value."""
    needed = {
        "webhook": {"url": "https://a.example.com"},
        "script": {"script": "s"},
        "wait": {"duration": "1"},
        "condition": {"check": "alert_resolved"},
        "notify": {"message": "m"},
        "approval": {},
    }
    fields = {"name": "a", "type": kind, **needed[kind], key: value}
    return "name: x\nsteps:\n- " + "\n  ".join(f"{name}: {given}" for name, given in fields.items())


@pytest.mark.parametrize(("key", "kind"), list(itertools.product(KEYS, is_.StepType)))
def test_no_odd_value_of_any_field_is_more_than_a_problem(key: str, kind: str) -> None:
    for value in ODD:
        assert all(str(problem) for problem in problems(with_fields(kind, key, value)))
