"""Repairs end to end: a worker that has really stopped, a receiver that really restarts it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fixtures.receivers import Receivers
from tests.stand_ins import receivers
from tests.stand_ins.receivers import Answer, Received, Receiver
from tests.system.conftest import Medic, until
from tests.system.repairs import Repairs, Worker

EXAMPLE = Path(__file__).parents[2] / "examples" / "playbooks" / "restart-worker.yaml"
URL = "https://deploy.example.com/api/restart"


class Restarter:
    """Restarts the worker that it is given, or only says so."""

    def __init__(self) -> None:
        self.worker: Worker | None = None
        self.receiver: Receiver = receivers.remedy(self._restart)

    def _restart(self, received: Received) -> Answer:
        if self.worker is not None:
            self.worker.start()
        return Answer(200, {"restarted": received.content["service"]})


@pytest.fixture
def restarter() -> Iterator[Restarter]:
    found = Restarter()
    yield found
    found.receiver.close()
    assert found.receiver.wrong == []


@pytest.fixture
def repairs(start_medic: Callable[..., Medic], standing_in: Receivers, restarter: Restarter) -> Iterator[Repairs]:
    environment = standing_in.environment
    hosts = ",".join([environment["MEDIC_ALLOWED_WEBHOOK_HOSTS"], restarter.receiver.url.removeprefix("http://")])
    found = Repairs(
        start_medic(**{**environment, "MEDIC_ALLOWED_WEBHOOK_HOSTS": hosts, "RATE_LIMIT_EXECUTION_REQUESTS": "1000000"})
    )
    yield found
    found.close()


def example(restarter: Restarter) -> str:
    return EXAMPLE.read_text().replace(URL, f"{restarter.receiver.url}/restart")


def stopped_worker(repairs: Repairs) -> tuple[int, Worker]:
    """A service whose worker beats, and then does not any more."""
    service_id = repairs.register("worker-7", every_seconds=10, priority="p3")
    worker = repairs.worker("worker-7")
    worker.start()
    path = f"/v2/services/{service_id}"
    assert until(lambda: repairs.asked("GET", path)["status"] == "up")
    worker.stop()
    return service_id, worker


def test_a_worker_that_stopped_is_restarted_and_heard_again(
    repairs: Repairs, restarter: Restarter, standing_in: Receivers
) -> None:
    playbook_id = repairs.playbook(example(restarter))
    repairs.trigger(playbook_id, "worker-*")
    service_id, worker = stopped_worker(repairs)
    restarter.worker = worker
    (begun,) = until(lambda: repairs.executions(service_id=service_id))
    execution = repairs.end_of(begun["execution_id"])
    assert (execution["status"], execution["outcome"], execution["version"]) == ("completed", "cured", 1)
    assert [(step["step_name"], step["status"]) for step in execution["steps"]] == [
        ("restart", "completed"),
        ("let-it-start", "completed"),
        ("is-it-back", "completed"),
    ]
    (asked,) = restarter.receiver.received
    assert (asked.content["service"], asked.content["reason"][1:]) == ("worker-7", " missed in a row")
    assert asked.headers["idempotency-key"] == f"medic-{execution['execution_id']}-0-1"
    assert repairs.medic.alerts() == []
    (alert,) = repairs.asked("GET", f"/v2/alerts?service_id={service_id}")["items"]
    assert (alert["status"], alert["kind"]) == ("resolved", "missed_heartbeat")
    assert repairs.audited(execution["execution_id"]) == [
        "execution_started",
        "step_completed",
        "step_completed",
        "step_completed",
        "execution_completed",
    ]
    stats = repairs.asked("GET", f"/v2/playbooks/{playbook_id}/stats")
    assert (stats["tried"], stats["cured"], stats["cure_rate"]) == (1, 1, 1.0)
    assert until(lambda: "Repair of worker-7 begins" in str([one.content for one in standing_in.slack.received]))


def test_a_restart_that_does_not_help_is_escalated_to_pagerduty(
    repairs: Repairs, restarter: Restarter, standing_in: Receivers
) -> None:
    text = example(restarter).replace("duration: 30s", "duration: 2s").replace("timeout: 5m", "timeout: 12s")
    repairs.trigger(repairs.playbook(text), "worker-*")
    service_id, _ = stopped_worker(repairs)
    (begun,) = until(lambda: repairs.executions(service_id=service_id))
    execution = repairs.end_of(begun["execution_id"])
    assert (execution["status"], execution["outcome"]) == ("failed", "escalated")
    assert len(restarter.receiver.received) == 1
    triggered, escalated = (one.content for one in standing_in.pagerduty.wait_for(2))
    assert triggered["dedup_key"] == escalated["dedup_key"] == "medic-worker-7"
    assert (triggered["payload"]["severity"], escalated["payload"]["severity"]) == ("warning", "critical")
    assert escalated["payload"]["summary"].startswith("Repair of worker-7 did not help")
    assert repairs.audited(execution["execution_id"])[-3:] == ["step_failed", "escalated", "execution_failed"]
    alert = repairs.medic.alerts()[0]
    events = repairs.asked("GET", f"/v2/alerts/{alert['alert_id']}")["events"]
    assert "escalated" in [event["event"] for event in events]


def test_two_hundred_at_once_each_do_their_steps_once(repairs: Repairs, restarter: Restarter) -> None:
    playbook_id = repairs.playbook(
        {
            "name": "two-steps",
            "steps": [
                {"name": name, "type": "webhook", "url": f"{restarter.receiver.url}/{name}", "body": {"service": "x"}}
                for name in ("first", "second")
            ],
        }
    )
    began = [repairs.execute(playbook_id) for _ in range(200)]
    assert until(lambda: len(repairs.executions(status="completed")) == 200, 600)
    keys = Counter(received.headers["idempotency-key"] for received in restarter.receiver.received)
    assert set(keys) == {f"medic-{execution_id}-{step}-1" for execution_id in began for step in (0, 1)}
    assert set(keys.values()) == {1}
    audited = repairs.asked("GET", "/v2/audit-logs?action_type=execution_completed&limit=250")["items"]
    assert len(audited) == 200
