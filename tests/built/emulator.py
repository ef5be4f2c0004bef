"""What was built, run as AWS runs it: the Lambda Runtime Interface Emulator, Lambda's own Python, the built layer.

No source tree is on any path. The emulator comes with the SAM CLI, the runtime's client with requirements/runtime.txt.
"""

from __future__ import annotations

import json
import os
import platform
import re
import signal
import subprocess
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import urllib3
from samtranslator.yaml_helper import yaml_parse

from local.servers import free_port
from tests.fixtures.functions import gateway_event

ROOT = Path(__file__).parents[2]
TOOLS = Path(os.environ.get("MEDIC_TOOLS", ROOT / ".venv"))
RUNTIME = TOOLS / "runtime"
MACHINE = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
INIT = re.compile(r"INIT REPORT\(durationMs: ([0-9.]+)\)")
PATIENCE_SECONDS = 240
FUNCTION = "AWS::Serverless::Function"


def emulator_program() -> Path:
    """The emulator, out of the SAM CLI."""
    found = sorted((TOOLS / "sam").glob(f"lib/python3.*/site-packages/samcli/local/rapid/aws-lambda-rie-{MACHINE}"))
    assert found, "The SAM CLI is not there: `make contract` installs it."
    return found[0]


@dataclass(frozen=True)
class Build:
    """What `sam build` left behind."""

    folder: Path
    python: str

    @cached_property
    def template(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml_parse((self.folder / "template.yaml").read_text())
        return found

    @property
    def functions(self) -> dict[str, dict[str, Any]]:
        """Logical id → its properties."""
        resources = self.template["Resources"]
        return {name: one["Properties"] for name, one in resources.items() if one["Type"] == FUNCTION}

    def variables(self, name: str) -> set[str]:
        """The names of the variables that the template sets for a function."""
        everywhere = self.template["Globals"]["Function"]["Environment"]["Variables"]
        return set(everywhere) | set(self.functions[name].get("Environment", {}).get("Variables", {}))

    def layers(self, name: str) -> list[Path]:
        """The folders that AWS would lay over /opt for a function."""
        named = [*self.template["Globals"]["Function"]["Layers"], *self.functions[name].get("Layers", [])]
        resources = self.template["Resources"]
        uris = [resources[layer["Ref"]]["Properties"]["ContentUri"] for layer in named if "Ref" in layer]
        return [(self.folder / uri).resolve() for uri in uris]


@dataclass
class Invocation:
    """What came back: the handler's answer, or the error that AWS would report."""

    payload: Any

    @property
    def error(self) -> str:
        return str(self.payload.get("errorType", "")) if isinstance(self.payload, dict) else ""


@dataclass
class BuiltFunction:
    """One environment of a built function: started with the first event, and warm from then on."""

    build: Build
    name: str
    environment: dict[str, str]
    log: Path
    extra_path: tuple[Path, ...] = ()
    _port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> BuiltFunction:
        properties = self.build.functions[self.name]
        task = self.build.folder / self.name
        path = [*self.extra_path, RUNTIME, *(layer / "python" for layer in self.build.layers(self.name))]
        # The layer with the migrations lies right in /opt there.
        path += [layer for layer in self.build.layers(self.name) if any(layer.glob("*.sql"))]
        environment = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            # Lambda's disk is read-only.
            "PYTHONDONTWRITEBYTECODE": "1",
            "LAMBDA_TASK_ROOT": str(task),
            "_HANDLER": properties["Handler"],
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(properties["Timeout"]),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            **self.environment,
        }
        program = [str(emulator_program()), "--runtime-interface-emulator-address", f"127.0.0.1:{self._port}"]
        program += ["--runtime-api-address", f"127.0.0.1:{free_port()}", "--log-level", "info"]
        program += [self.build.python, "-m", "awslambdaric", properties["Handler"]]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                program, cwd=task, env=environment, stdout=output, stderr=output, start_new_session=True
            )
        return self

    def invoke(self, event: Any) -> Invocation:
        """Send an event, as often as it takes until somebody listens."""
        url = f"http://127.0.0.1:{self._port}/2015-03-31/functions/function/invocations"
        until = time.monotonic() + PATIENCE_SECONDS
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        while True:
            try:
                answer = urllib3.request("POST", url, body=body, retries=False, timeout=900)
                break
            except urllib3.exceptions.NewConnectionError:
                assert time.monotonic() < until, f"{self.name} does not listen: {self.written()[-2000:]}"
                time.sleep(0.02)
        text = answer.data.decode()
        try:
            return Invocation(json.loads(text))
        except ValueError:
            return Invocation({"errorType": "Runtime", "errorMessage": text})

    def http(self, method: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
        """A request as API Gateway hands it on."""
        answer = self.invoke(gateway_event(method, path, body, headers)).payload
        assert "statusCode" in answer, answer
        found: dict[str, Any] = answer
        return found

    def written(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def init_milliseconds(self) -> list[float]:
        """How long each start took, by the emulator's own account."""
        return [float(one) for one in INIT.findall(self.written())]

    @property
    def largest_resident_kilobytes(self) -> int:
        """The largest memory that the function's process has had."""
        return max(self._high_water(process) for process in self._children())

    def _children(self) -> list[int]:
        assert self._process is not None
        listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
        return [pid for pid, parent in pairs if parent == self._process.pid]

    @staticmethod
    def _high_water(process: int) -> int:
        match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
        return int(match[1]) if match else 0

    def stop(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
