"""Playbooks tried without anything being sent: by the rules of executions, with results that people give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medic_core.domain.repair.execution import Cause, Outcome
from medic_core.domain.repair.language import parse
from medic_core.domain.repair.rehearsal import Canned, CannedStatus, Moment, Rehearsal, What, rehearse, unknown_steps
from tests.unit.repair.walking import NOON

EXAMPLES = {
    path.stem: parse(path.read_text()) for path in (Path(__file__).parents[3] / "examples" / "playbooks").glob("*.yaml")
}
FAILED, UNKNOWN, NOT_MET = Canned(CannedStatus.FAILED), Canned(CannedStatus.UNKNOWN), Canned(CannedStatus.NOT_MET)
FULL, ROOMY = (Canned(data={"output": {"percent": percent}}) for percent in (97, 40))
BUSY = Canned(data={"status_code": 200, "body": {"open_connections": 12}})


def of_alert(example: str, canned: dict[str, Canned], **more: Any) -> Rehearsal:
    return rehearse(EXAMPLES[example], canned, {"SERVICE_NAME": "worker"}, cause=Cause.ALERT, began=NOON, **more)


def walked(*steps: str, canned: dict[str, Canned] = {}, top: str = "", **more: Any) -> Rehearsal:
    playbook = parse("name: x\n" + top + "steps:\n" + "\n".join(f"- {step}" for step in steps))
    return rehearse(playbook, canned, {}, began=NOON, **more)


def begun(rehearsal: Rehearsal) -> list[str | None]:
    """The steps that were begun and not skipped, in their order."""
    skipped = {one.step for one in rehearsal.trace if one.what is What.STEP_ENDED and one.detail.startswith("skipped")}
    return [one.step for one in rehearsal.trace if one.what is What.STEP_BEGAN and one.step not in skipped]


def what(rehearsal: Rehearsal) -> list[tuple[float, str, str | None]]:
    return [(one.at_seconds, one.what.value, one.step) for one in rehearsal.trace]


def test_each_moment_says_when_what_and_of_which_step() -> None:
    found = walked("{name: a, type: wait, duration: 90s}", "{name: b, type: notify, message: m}")
    assert found.trace == (
        Moment(0, What.STEP_BEGAN, "a", "attempt 1"),
        Moment(0, What.WAITS, "a", "until 12:01:30 UTC"),
        Moment(90, What.STEP_ENDED, "a", "completed"),
        Moment(90, What.STEP_BEGAN, "b", "attempt 1"),
        Moment(90, What.TOLD, "b", ""),
        Moment(90, What.STEP_ENDED, "b", "completed"),
        Moment(90, What.ENDED, None, "completed (succeeded): all steps are done"),
    )


def test_a_step_that_fails_is_tried_again_when_its_time_has_come() -> None:
    call = "{name: a, type: webhook, url: 'https://a.example.com', retry: {attempts: 3, delay: 10s, backoff: 2}}"
    found = walked(call, canned={"a": Canned(CannedStatus.FAILED, error="answered 500")})
    assert [one.at_seconds for one in found.trace if one.what is What.STEP_BEGAN] == [0, 10, 30]
    assert [one.detail for one in found.trace if one.what is What.WAITS] == [
        "until 12:00:10 UTC for the next try",
        "until 12:00:30 UTC for the next try",
    ]
    assert found.ending.because == "step 'a' failed: answered 500"


def test_a_condition_that_is_not_met_takes_all_its_time() -> None:
    found = walked(
        "{name: a, type: condition, check: heartbeat_received, timeout: 24h}",
        canned={"a": NOT_MET},
        top="timeout: 48h\n",
    )
    assert what(found) == [(0, "step_began", "a"), (86400, "step_ended", "a"), (86400, "ended", None)]


@pytest.mark.parametrize(("canned", "outcome"), [({}, Outcome.SUCCEEDED), ({"a": NOT_MET}, Outcome.FAILED)])
@pytest.mark.parametrize("check", ["heartbeat_received", "alert_resolved", "http_ok"])
def test_a_condition_is_met_unless_it_is_given_otherwise(
    check: str, canned: dict[str, Canned], outcome: Outcome
) -> None:
    parameters = ", parameters: {url: 'https://a.example.com'}" if check == "http_ok" else ""
    found = walked(f"{{name: a, type: condition, check: {check}{parameters}}}", canned=canned)
    assert found.ending.outcome is outcome


ASKS = "{name: a, type: approval, message: m, timeout: 10m, on_timeout: %s}"


@pytest.mark.parametrize(
    ("canned", "on_timeout", "approved", "outcome", "seconds"),
    [
        ({}, "fail", True, Outcome.SUCCEEDED, 0),
        ({}, "fail", False, Outcome.REJECTED, 0),
        ({"a": Canned()}, "fail", False, Outcome.SUCCEEDED, 0),
        ({"a": FAILED}, "approve", True, Outcome.REJECTED, 0),
        ({"a": NOT_MET}, "approve", True, Outcome.SUCCEEDED, 600),
        ({"a": UNKNOWN}, "approve", True, Outcome.FAILED, 600),
        ({"a": NOT_MET}, "reject", True, Outcome.EXPIRED, 600),
        ({"a": NOT_MET}, "fail", True, Outcome.FAILED, 600),
    ],
)
def test_people_answer_as_it_is_given(
    canned: dict[str, Canned], on_timeout: str, approved: bool, outcome: Outcome, seconds: int
) -> None:
    found = walked(ASKS % on_timeout, canned=canned, approved=approved)
    assert (found.ending.outcome, found.trace[-1].at_seconds) == (outcome, seconds)
    assert [one.step for one in found.trace if one.what in {What.ASKED, What.ANSWERED}] == ["a", "a"]


def test_the_playbook_as_a_whole_is_approved_or_rejected() -> None:
    step, top = "{name: a, type: wait, duration: 1s}", "approval: required\n"
    assert walked(step, top=top).ending.outcome is Outcome.SUCCEEDED
    found = walked(step, top=top, approved=False)
    assert [(one.what, one.step, one.detail) for one in found.trace] == [
        (What.ASKED, None, ""),
        (What.ANSWERED, None, "rejected"),
        (What.ENDED, None, "cancelled (rejected): rejected by the rehearsal"),
    ]


@pytest.mark.parametrize(
    ("canned", "more", "outcome", "steps"),
    [
        ({}, {}, Outcome.CURED, ["restart", "let-it-start", "is-it-back"]),
        ({"restart": FAILED}, {}, Outcome.FAILED, ["restart"]),
        ({"restart": UNKNOWN}, {}, Outcome.UNKNOWN, ["restart"]),
        ({"is-it-back": NOT_MET}, {}, Outcome.ESCALATED, ["restart", "let-it-start", "is-it-back"]),
        ({}, {"recovered": True}, Outcome.SUPERSEDED, []),
    ],
)
def test_restart_worker(canned: dict[str, Canned], more: dict[str, Any], outcome: Outcome, steps: list[str]) -> None:
    found = of_alert("restart-worker", canned, **more)
    assert (found.ending.outcome, begun(found)) == (outcome, steps)


LOGS = ["ask-for-logs", "remove-logs"]
JOB = ["run-the-job", "alert-is-over", "tell"]


@pytest.mark.parametrize(
    ("canned", "more", "outcome", "steps"),
    [
        ({"measure": ROOMY}, {}, Outcome.SUCCEEDED, ["measure", *JOB]),
        ({"measure": FULL}, {}, Outcome.SUCCEEDED, ["measure", "clear-caches", *JOB]),
        ({"measure": FULL, "clear-caches": FAILED}, {}, Outcome.SUCCEEDED, ["measure", "clear-caches", *LOGS, *JOB]),
        (
            {"measure": FULL, "clear-caches": FAILED},
            {"approved": False},
            Outcome.REJECTED,
            ["measure", "clear-caches", "ask-for-logs", "tell"],
        ),
        (
            {"measure": FULL, "clear-caches": FAILED, "remove-logs": UNKNOWN},
            {},
            Outcome.UNKNOWN,
            ["measure", "clear-caches", *LOGS, "tell"],
        ),
        ({"measure": ROOMY, "alert-is-over": NOT_MET}, {}, Outcome.ESCALATED, ["measure", *JOB]),
        ({}, {"recovered": True}, Outcome.SUPERSEDED, []),
    ],
)
def test_free_disk_space(canned: dict[str, Canned], more: dict[str, Any], outcome: Outcome, steps: list[str]) -> None:
    found = of_alert("free-disk-space", canned, **more)
    assert (found.ending.outcome, begun(found)) == (outcome, steps)


@pytest.mark.parametrize(
    ("canned", "more", "outcome", "steps"),
    [
        ({}, {}, Outcome.CURED, ["drain", "restart", "does-it-answer", "put-back", "tell"]),
        ({}, {"approved": False}, Outcome.REJECTED, []),
        ({"drain": FAILED}, {}, Outcome.FAILED, ["drain", "drain", "drain", "tell"]),
        ({"restart": FAILED}, {}, Outcome.ESCALATED, ["drain", "restart", "put-back", "tell"]),
        ({"restart": UNKNOWN}, {}, Outcome.ESCALATED, ["drain", "restart", "put-back", "tell"]),
        ({"does-it-answer": NOT_MET}, {}, Outcome.FAILED, ["drain", "restart", "does-it-answer", "put-back", "tell"]),
        ({"put-back": FAILED}, {}, Outcome.FAILED, ["drain", "restart", "does-it-answer", *["put-back"] * 5, "tell"]),
        (
            {"drain": BUSY, "ask-before-force": NOT_MET},
            {},
            Outcome.EXPIRED,
            ["drain", "ask-before-force", "put-back", "tell"],
        ),
    ],
)
def test_drain_and_restart(canned: dict[str, Canned], more: dict[str, Any], outcome: Outcome, steps: list[str]) -> None:
    found = of_alert("drain-and-restart", canned, **more)
    assert (found.ending.outcome, begun(found)) == (outcome, steps)


def test_every_example_is_rehearsed_here() -> None:
    assert set(EXAMPLES) == {"restart-worker", "free-disk-space", "drain-and-restart"}


def test_results_for_steps_that_are_not_there_are_named() -> None:
    names = ["tell", "restart", "reboot", "Restart"]
    assert unknown_steps(EXAMPLES["restart-worker"], names) == ("Restart", "reboot", "tell")
    assert unknown_steps(EXAMPLES["drain-and-restart"], ["tell", "put-back"]) == ()
