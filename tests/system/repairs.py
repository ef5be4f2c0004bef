"""What system tests of repairs stand on: playbooks made over HTTP, executions followed, the engine's own histories."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import boto3
import psycopg

from tests.fixtures.aws import DUMMY
from tests.system.conftest import Medic, until

OVER = {"completed", "failed", "cancelled"}
DEFINITION = json.loads((Path(__file__).parents[2] / "infra" / "playbook.asl.json").read_text())
#: A worker: says that it lives, each second, until it is killed.
WORKER = """
import sys, time, urllib.request
while True:
    try:
        urllib.request.urlopen(sys.argv[1], timeout=10).read()
    except OSError:
        pass
    time.sleep(1)
"""


@dataclass
class Worker:
    """A process that sends heartbeats; it can really stop, and really be started again."""

    url: str
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.stop()
        self.process = subprocess.Popen([sys.executable, "-c", WORKER, self.url])

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@dataclass
class Repairs:
    """A running Medic, seen by somebody who repairs with it."""

    medic: Medic
    workers: list[Worker] = field(default_factory=list)

    def register(self, name: str, every_seconds: int = 10, **more: Any) -> int:
        schedule = {"kind": "interval", "every_seconds": every_seconds}
        body = {"heartbeat_name": name, "service_name": name, "schedule": schedule, **more}
        return int(self.asked("POST", "/v2/services", body)["service_id"])

    def worker(self, name: str) -> Worker:
        found = Worker(f"http://127.0.0.1:{self.medic.port}{self.medic.ping_path(name)}")
        self.workers.append(found)
        return found

    def playbook(self, content: dict[str, Any] | str) -> int:
        text = content if isinstance(content, str) else json.dumps(content)
        return int(self.asked("POST", "/v2/playbooks", {"yaml_content": text})["playbook_id"])

    def trigger(self, playbook_id: int, pattern: str, failures: int = 1, **more: Any) -> int:
        body = {"service_pattern": pattern, "consecutive_failures": failures, **more}
        return int(self.asked("POST", f"/v2/playbooks/{playbook_id}/triggers", body)["trigger_id"])

    def execute(self, playbook_id: int, service_id: int | None = None, **variables: Any) -> int:
        body: dict[str, Any] = {"variables": variables}
        if service_id is not None:
            body["service_id"] = service_id
        return int(self.asked("POST", f"/v2/playbooks/{playbook_id}/execute", body)["execution_id"])

    def run(self, content: dict[str, Any], service_id: int | None = None, **more: Any) -> Any:
        """Make a playbook, start it, and return its execution once it is over."""
        return self.end_of(self.execute(self.playbook(content), service_id, **more))

    def execution(self, execution_id: int) -> dict[str, Any]:
        found: dict[str, Any] = self.asked("GET", f"/v2/executions/{execution_id}")
        return found

    def executions(self, **filters: Any) -> list[dict[str, Any]]:
        query = "&".join(f"{name}={value}" for name, value in filters.items())
        found: list[dict[str, Any]] = self.asked("GET", f"/v2/executions?limit=250&{query}")["items"]
        return found

    def until_it(self, execution_id: int, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            execution = self.execution(execution_id)
            return execution if fits(execution) else None

        execution: dict[str, Any] | None = until(found)
        assert execution is not None, (self.execution(execution_id), self.medic.output.read_text()[-3000:])
        return execution

    def end_of(self, execution_id: int) -> dict[str, Any]:
        return self.until_it(execution_id, lambda execution: execution["status"] in OVER)

    def audited(self, execution_id: int) -> list[str]:
        """What the audit log tells of an execution, oldest first."""
        entries = self.asked("GET", f"/v2/audit-logs?limit=250&execution_id={execution_id}")["items"]
        return [entry["action_type"] for entry in reversed(entries)]

    def asked(self, method: str, path: str, body: Any = None) -> Any:
        """The results of an answer. Whoever is told to come again does."""
        reply = self.medic.ask(method, path, body)
        while reply.status == HTTPStatus.SERVICE_UNAVAILABLE:
            time.sleep(1)
            reply = self.medic.ask(method, path, body)
        assert reply.status in {200, 201}, (method, path, reply.status, reply.body)
        return reply.json["results"]

    # Below the surface.

    def database(self) -> psycopg.Connection[Any]:
        port = (self.medic.data / "postgres" / "postmaster.pid").read_text().splitlines()[3]
        return psycopg.connect(f"postgresql://medic@127.0.0.1:{port}/medic", autocommit=True)

    def machine(self) -> Any:
        """A client of the state machine's engine."""
        return boto3.client("stepfunctions", endpoint_url=self._endpoint(), region_name="us-east-1", **CREDENTIALS)

    def machine_arn(self) -> str:
        (machine,) = self.machine().list_state_machines()["stateMachines"]
        return str(machine["stateMachineArn"])

    def histories(self) -> dict[str, list[dict[str, Any]]]:
        """Every event of every run, by the run's name."""
        client = self.machine()
        runs: list[dict[str, Any]] = []
        page: dict[str, Any] = {}
        while True:
            answer = client.list_executions(stateMachineArn=self.machine_arn(), maxResults=1000, **page)
            runs += answer["executions"]
            if not answer.get("nextToken"):
                break
            page = {"nextToken": answer["nextToken"]}
        return {run["name"]: self._history(client, run["executionArn"]) for run in runs}

    def under_way(self) -> list[str]:
        """The names of the runs that have not ended."""
        answer = self.machine().list_executions(stateMachineArn=self.machine_arn(), statusFilter="RUNNING")
        return [run["name"] for run in answer["executions"]]

    def _history(self, client: Any, arn: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        page: dict[str, Any] = {}
        while True:
            answer = client.get_execution_history(executionArn=arn, maxResults=1000, **page)
            events += answer["events"]
            if not answer.get("nextToken"):
                return events
            page = {"nextToken": answer["nextToken"]}

    def _endpoint(self) -> str:
        for pid in self.medic.servers():
            with suppress(OSError):
                environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                port = next((item[13:] for item in environ if item.startswith(b"GATEWAY_PORT=")), None)
                if port:
                    return f"http://127.0.0.1:{port.decode()}"
        raise AssertionError("the emulator is not there")

    def kill(self, function: str) -> int:
        """SIGKILL every process in which a function runs; how many there were."""
        pids = self.medic.workers(function)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(pids)

    def close(self) -> None:
        for worker in self.workers:
            worker.stop()


CREDENTIALS = {
    "aws_access_key_id": DUMMY["AWS_ACCESS_KEY_ID"],
    "aws_secret_access_key": DUMMY["AWS_SECRET_ACCESS_KEY"],
}


Transition = tuple[str, str, str]


def entered(histories: dict[str, list[dict[str, Any]]]) -> tuple[set[str], set[Transition]]:
    """The states that runs entered, and the transitions that they took: from, to, and whether by a Catch."""
    states: set[str] = set()
    taken: set[Transition] = set()
    for events in histories.values():
        before, way = "", "next"
        for event in events:
            if event["type"] in {"TaskFailed", "TaskSucceeded"}:
                way = "catch" if event["type"] == "TaskFailed" else "next"
            if "stateEnteredEventDetails" in event:
                name = event["stateEnteredEventDetails"]["name"]
                states.add(name)
                taken |= {(before, name, way)} if before else set()
                before, way = name, "next"
    return states, taken


def declared() -> tuple[set[str], set[Transition]]:
    """The states of the definition, and all transitions that it allows."""
    transitions: set[Transition] = set()
    for name, state in DEFINITION["States"].items():
        following = [state.get("Next"), state.get("Default"), *(rule["Next"] for rule in state.get("Choices", []))]
        transitions |= {(name, one, "next") for one in following if one}
        transitions |= {(name, rule["Next"], "catch") for rule in state.get("Catch", [])}
    return set(DEFINITION["States"]), transitions
