"""The state machine itself, in every branch, on one running system; and what its histories must never hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.fixtures.receivers import Receivers
from tests.stand_ins import receivers
from tests.stand_ins.receivers import Answer, Received, Receiver
from tests.system.conftest import Medic, until
from tests.system.repairs import Repairs, declared, entered

CANARY = "c4n4ry-s3cret-v4lue"
IN_A_BODY, IN_AN_ANSWER, IN_A_SCRIPT, PRINTED = (
    "body-of-a-step",
    "body-of-an-answer",
    "text-of-a-script",
    "printed-by-it",
)


#: As long as a step may take at most: none of those that are held ends by itself meanwhile.
HELD = {"timeout": "2m"}


@dataclass
class Door:
    """What is asked of /slow is not answered while it is closed."""

    is_open: bool = False


def what_it_says(received: Received, door: Door) -> Answer:
    """Some paths have a will of their own."""
    if received.path.startswith("/slow"):
        return Answer(200, {"late": True}, once=lambda: door.is_open)
    if received.path.startswith("/broken"):
        return Answer(500)
    return Answer(200, {"said": IN_AN_ANSWER, "id": 42})


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def remedy(door: Door) -> Iterator[Receiver]:
    found = receivers.remedy(lambda received: what_it_says(received, door))
    yield found
    found.close()
    assert found.wrong == []


@pytest.fixture
def repairs(start_medic: Callable[..., Medic], standing_in: Receivers, remedy: Receiver) -> Iterator[Repairs]:
    environment = standing_in.environment
    hosts = ",".join([environment["MEDIC_ALLOWED_WEBHOOK_HOSTS"], remedy.url.removeprefix("http://")])
    variables = {**environment, "MEDIC_ALLOWED_WEBHOOK_HOSTS": hosts, "RATE_LIMIT_EXECUTION_REQUESTS": "1000000"}
    found = Repairs(start_medic(**variables))
    yield found
    found.close()


def steps(*them: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A playbook of these steps, under a name of its own."""
    named = [{"name": f"step-{number}", **one} for number, one in enumerate(them)]
    return {"name": f"playbook-{uuid4().hex[:8]}", "steps": named, **more}


def call(remedy: Receiver, path: str = "/do", **more: Any) -> dict[str, Any]:
    return {"type": "webhook", "url": remedy.url + path, "body": {"text": IN_A_BODY}, **more}


def statuses(execution: dict[str, Any]) -> list[str]:
    return [step["status"] for step in execution["steps"]]


def test_every_state_and_transition_is_entered_and_no_history_holds_more_than_ids(
    repairs: Repairs, remedy: Receiver, door: Door
) -> None:
    repairs.asked("PUT", "/v2/secrets/TOKEN", {"value": CANARY})
    text = f"echo {IN_A_SCRIPT}; echo {PRINTED} $TOKEN; echo $SERVICE_NAME"
    repairs.asked("POST", "/v2/scripts", {"name": "say", "content": text})
    repairs.asked("POST", "/v2/scripts", {"name": "sleep", "content": "sleep 600", "timeout_seconds": 60})
    service_id = repairs.register("everything", every_seconds=3600)

    everything_in_its_order(repairs, remedy, service_id)
    people_decide(repairs, remedy)
    runners_die(repairs, remedy, door)
    what_is_cancelled_ends_at_once(repairs, remedy, door)
    the_machine_gives_up(repairs)

    histories = repairs.histories()
    states, taken = entered(histories)
    all_states, all_transitions = declared()
    assert all_states - states == set()
    assert all_transitions - taken == set()
    told = json.dumps(histories, default=str)
    assert [word for word in (CANARY, IN_A_BODY, IN_AN_ANSWER, IN_A_SCRIPT, PRINTED) if word in told] == []
    log = repairs.medic.output.read_text() + "".join(path.read_text() for path in repairs.medic.data.glob("*.log"))
    assert CANARY not in log
    with closing(repairs.database()) as database:
        active = database.execute("SELECT count(*) FROM medic.playbook_executions WHERE completed_at IS NULL")
        assert active.fetchone() == (0,)


def everything_in_its_order(repairs: Repairs, remedy: Receiver, service_id: int) -> None:
    execution = repairs.run(
        steps(
            call(remedy, headers={"Authorization": "Bearer ${secrets.TOKEN}"}, register="first"),
            {"type": "script", "script": "say", "parameters": {"TOKEN": "${secrets.TOKEN}"}, "register": "said"},
            {"type": "wait", "duration": "2s", "if": "first.body.id == 42"},
            {"type": "wait", "duration": "10m", "if": "first.status_code == 500"},
            {"type": "notify", "message": "it said ${first.body.said}"},
            {"type": "condition", "check": "http_ok", "timeout": "2m", "parameters": {"url": f"{remedy.url}/health"}},
            call(remedy, "/broken", retry={"attempts": 2, "delay": "1s"}, on_failure="continue"),
            {"type": "script", "script": "not-there", "on_failure": "continue"},
            {"type": "script", "script": "sleep", "timeout": "1s", "on_failure": "continue"},
            **{"finally": [{"name": "at-the-end", **call(remedy, "/end/${SERVICE_NAME}")}]},
        ),
        service_id,
    )
    assert (execution["status"], execution["outcome"]) == ("completed", "succeeded"), execution
    expected = ["completed"] * 3 + ["skipped"] + ["completed"] * 2 + ["failed"] * 4 + ["completed"]
    assert statuses(execution) == expected
    script = execution["steps"][1]
    assert (PRINTED in script["output"], CANARY in json.dumps(execution)) == (True, False)
    assert "everything" in script["output"]
    assert remedy.received[0].headers["authorization"] == f"Bearer {CANARY}"
    assert remedy.received[-1].path == "/end/everything"
    used = repairs.asked("GET", "/v2/audit-logs?action_type=secret_used")["items"]
    assert [entry["details"]["name"] for entry in used] == ["TOKEN", "TOKEN"]


def people_decide(repairs: Repairs, remedy: Receiver) -> None:
    whole = repairs.execute(repairs.playbook(steps(call(remedy, "/approved"), approval="required")))
    repairs.until_it(whole, lambda execution: execution["status"] == "pending_approval")
    repairs.asked("POST", f"/v2/executions/{whole}/approve", {"reason": "go"})
    assert repairs.medic.ask("POST", f"/v2/executions/{whole}/reject", {}).status == 409
    assert repairs.end_of(whole)["status"] == "completed"

    asks = {"type": "approval", "message": "may I?", "timeout": "2s", "on_timeout": "reject"}
    expired = repairs.run(steps(asks, call(remedy, "/never")))
    assert (expired["status"], expired["outcome"]) == ("cancelled", "expired")
    assert "/never" not in [received.path for received in remedy.received]


def runners_die(repairs: Repairs, remedy: Receiver, door: Door) -> None:
    """Killed while the receiver thinks: a POST is in doubt, a PUT is sent again under the same key."""
    posted = repairs.execute(repairs.playbook(steps(call(remedy, "/slow/post", **HELD))))
    put = repairs.execute(repairs.playbook(steps(call(remedy, "/slow/put", method="PUT", **HELD))))
    slow = ("/slow/post", "/slow/put")
    assert until(lambda: {received.path for received in remedy.received} >= set(slow))
    assert repairs.kill("WebhookStepFunction") >= 2
    door.is_open = True
    ends = [repairs.end_of(posted), repairs.end_of(put)]
    assert [one["outcome"] for one in ends] == ["unknown", "succeeded"], json.dumps(ends)
    keys = [received.headers["idempotency-key"] for received in remedy.received if received.path in slow]
    assert sorted(keys) == sorted([f"medic-{posted}-0-1", f"medic-{put}-0-1", f"medic-{put}-0-1"])

    script = repairs.execute(repairs.playbook(steps({"type": "script", "script": "sleep"})))
    assert until(lambda: is_asleep(repairs))
    assert repairs.kill("ScriptStepFunction") >= 1
    assert repairs.end_of(script)["outcome"] == "unknown"


def is_asleep(repairs: Repairs) -> bool:
    """Whether the script `sleep` really runs."""
    for pid in repairs.medic.descendants():
        with suppress(OSError):
            if Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x00600\x00":
                return True
    return False


def what_is_cancelled_ends_at_once(repairs: Repairs, remedy: Receiver, door: Door) -> None:
    door.is_open = False
    waiting = repairs.execute(repairs.playbook(steps({"type": "wait", "duration": "1h"}, call(remedy, "/never"))))
    asking = repairs.execute(repairs.playbook(steps(call(remedy, "/never"), approval="required")))
    calling = repairs.execute(repairs.playbook(steps(call(remedy, "/slow/cancelled", **HELD), call(remedy, "/never"))))
    repairs.until_it(waiting, lambda execution: execution["status"] == "waiting")
    repairs.until_it(asking, lambda execution: execution["status"] == "pending_approval")
    assert until(lambda: "/slow/cancelled" in [received.path for received in remedy.received])
    for execution_id in (waiting, asking, calling):
        repairs.asked("POST", f"/v2/executions/{execution_id}/cancel", {})
        execution = repairs.execution(execution_id)
        assert (execution["status"], execution["outcome"]) == ("cancelled", "cancelled")
        assert repairs.medic.ask("POST", f"/v2/executions/{execution_id}/cancel", {}).status == 409
    door.is_open = True
    assert until(lambda: repairs.under_way() == [])
    assert "/never" not in [received.path for received in remedy.received]


def the_machine_gives_up(repairs: Repairs) -> None:
    """Runs whose input is no input of ours: the brain fails, the execution has a recorded end all the same."""
    execution_id = repairs.execute(repairs.playbook(steps({"type": "wait", "duration": "1h"})))
    repairs.until_it(execution_id, lambda execution: execution["status"] == "waiting")
    with closing(repairs.database()) as database:
        found = database.execute(
            "SELECT engine_name FROM medic.playbook_executions WHERE execution_id = %s", [execution_id]
        ).fetchone()
    assert found is not None
    for number, known in enumerate((execution_id, "nonsense")):
        given = {"execution_id": known, "engine_name": found[0], "seq": "nonsense", "outcome": {}}
        name = f"by-hand-{number}-{uuid4()}"
        repairs.machine().start_execution(stateMachineArn=repairs.machine_arn(), name=name, input=json.dumps(given))
        arn = repairs.machine_arn().replace(":stateMachine:", ":execution:") + f":{name}"
        assert until(lambda arn=arn: repairs.machine().describe_execution(executionArn=arn)["status"] == "FAILED")
    execution = repairs.execution(execution_id)
    assert (execution["status"], execution["because"].startswith("the state machine could not go on")) == (
        "failed",
        True,
    )
    assert repairs.audited(execution_id)[-1] == "execution_failed"
    # The run that waited for an hour is another's now; it would be sent away.
    repairs.machine().stop_execution(
        executionArn=repairs.machine_arn().replace(":stateMachine:", ":execution:") + f":{found[0]}"
    )
