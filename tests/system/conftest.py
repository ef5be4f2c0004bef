"""The whole of Medic as `make run` brings it up, and the hands to hold and to hurt it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import urllib3

from local.servers import free_port
from tests.fixtures.functions import ADMIN_KEY, Reply
from tests.fixtures.postgres import a_folder

ROOT = Path(__file__).parents[2]
#: Far more than anything takes, however busy the machine is: only what never comes about is waited for so long.
PATIENCE_SECONDS = 240


class Medic:
    """A running system, as its users see it."""

    def __init__(self, data: Path, environment: dict[str, str], root: Path = ROOT) -> None:
        self.port = free_port()
        self.data = data
        self.root = root
        self.output = data.with_suffix(".out")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("MEDIC_", "SLACK_", "AWS_"))},
            "MEDIC_PORT": str(self.port),
            "MEDIC_DATA_DIR": str(data),
            "MEDIC_ADMIN_API_KEY": ADMIN_KEY,
            "MEDIC_SWEEP_SECONDS": "1",
            "RATE_LIMIT_HEARTBEAT_REQUESTS": "1000000",
            "RATE_LIMIT_MANAGEMENT_REQUESTS": "1000000",
            **environment,
        }
        self.pool = urllib3.PoolManager(retries=False, timeout=PATIENCE_SECONDS)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "local"], cwd=self.root, env=self.environment, stdout=output, stderr=output
            )
        self.wait_for_line("Medic is ready")

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE_SECONDS)

    def wait_for_line(self, pattern: str) -> str:
        """The first line of the terminal that matches."""

        def found() -> str | None:
            assert self.process is not None
            lines = self.output.read_text().splitlines()
            match = next((line for line in lines if re.search(pattern, line)), None)
            if match is None and self.process.poll() is not None:
                pytest.fail(f"it ended with {self.process.returncode}: {self.output.read_text()}")
            return match

        line = until(found)
        assert line is not None, self.output.read_text()
        return line

    def ask(self, method: str, path: str, body: Any = None, key: str | None = ADMIN_KEY) -> Reply:
        headers = {"X-API-Key": key} if key else {}
        content = json.dumps(body) if isinstance(body, dict | list) else body
        response = self.pool.request(method, f"http://127.0.0.1:{self.port}{path}", body=content, headers=headers)
        named = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status, named, response.data.decode())

    def ping_path(self, heartbeat_name: str) -> str:
        (service,) = self.ask("GET", f"/service/{heartbeat_name}").json["results"]
        path: str = service["ping_url"].split(f":{self.port}")[1]
        return path

    def alerts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", "/alerts?active=1").json["results"]
        return found

    def servers(self) -> list[int]:
        """The processes that this run started itself."""
        assert self.process is not None
        found = []
        for pid in _processes():
            with suppress(OSError):
                found += [pid] if _parent(pid) == self.process.pid else []
        return found

    def descendants(self) -> list[int]:
        """All processes that this run started, and those that they did."""
        assert self.process is not None
        found = {self.process.pid}
        for pid in sorted(_processes()):
            with suppress(OSError):
                if _parent(pid) in found:
                    found.add(pid)
        return sorted(found - {self.process.pid})

    def workers(self, function: str) -> list[int]:
        """The processes in which a function runs now."""
        return [pid for pid in _processes() if self._runs(pid, function)]

    def _runs(self, pid: int, function: str) -> bool:
        assert self.process is not None
        try:
            environ = Path(f"/proc/{pid}/environ").read_bytes()
            is_ours = _parent(_parent(pid)) == self.process.pid
        except OSError:
            return False
        return is_ours and f"AWS_LAMBDA_FUNCTION_NAME=medic-{function}-".encode() in environ


def is_running(pid: int) -> bool:
    """Whether a process lives; one that ended and was not yet collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def until(found: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """Ask until there is an answer, or the time is over."""
    end = time.monotonic() + seconds
    while not (answer := found()) and time.monotonic() < end:
        time.sleep(0.1)
    return answer


@pytest.fixture
def start_medic() -> Iterator[Callable[..., Medic]]:
    started: list[Medic] = []
    folder = a_folder("medic-system-")
    folder.chmod(0o755)

    def start(root: Path = ROOT, **environment: str) -> Medic:
        medic = Medic(folder / "data", environment, root)
        started.append(medic)
        medic.start()
        return medic

    yield start
    for medic in started:
        if medic.process is not None and medic.process.poll() is None:
            medic.stop()
    shutil.rmtree(folder)
