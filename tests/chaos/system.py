"""The whole of Medic with its servers behind proxies, the stand-ins for others, and the processes that use it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from local import servers
from local.servers import Server
from tests.chaos.clock import Clock
from tests.chaos.disk import Disk
from tests.chaos.plan import EVERY_SECONDS, GRACE_SECONDS, Kind, Plan, Service
from tests.fixtures.functions import ADMIN_KEY
from tests.fixtures.proxy import Proxy
from tests.fixtures.receivers import Receivers
from tests.stand_ins import receivers
from tests.stand_ins.receivers import Answer, Received, Receiver
from tests.system.conftest import ROOT, Medic, until

CLIENTS = 4
HEARD_SECONDS = 240
SCRIPT = "echo repairing for $EXECUTION_ID; sleep 1; echo done"


class System:
    """Use as a context manager; `folder` keeps journals and logs."""

    def __init__(self, plan: Plan, folder: Path, disk: Disk) -> None:
        self.plan, self.folder, self.disk = plan, folder, disk
        self._began_monotonic, self._began = time.monotonic(), time.time()
        self.postgres, database_url = servers.postgres(disk.folder)
        found = servers.redis(folder)
        assert found is not None
        self.redis, _ = found
        self.proxies = {"postgres": Proxy(self.postgres.port), "redis": Proxy(self.redis.port)}
        #: Past the proxy.
        self.database_url = database_url
        self.told = Receivers(receivers.slack(), receivers.pagerduty(), receivers.webhook())
        self.remedy = receivers.remedy(self._cures)
        self.clock = Clock(folder)
        self.medic = Medic(folder / "medic", self._environment())
        self.users: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> System:
        self.postgres.start()
        servers.make_database(self.database_url)
        self.redis.start()
        self.medic.start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.users:
            process.kill()
        if self.medic.process is not None and self.medic.process.poll() is None:
            self.medic.stop()
        self.redis.stop()
        self.postgres.stop()
        for proxy in self.proxies.values():
            proxy.close()
        for receiver in self.receivers.values():
            receiver.close()

    @property
    def receivers(self) -> dict[str, Receiver]:
        return {
            "slack": self.told.slack,
            "pagerduty": self.told.pagerduty,
            "webhook": self.told.webhook,
            "remedy": self.remedy,
        }

    def _environment(self) -> dict[str, str]:
        to_remedy = self.remedy.url.removeprefix("http://")
        environment = {
            **self.told.environment,
            "DATABASE_URL": self.database_url.replace(f":{self.postgres.port}/", f":{self.proxies['postgres'].port}/"),
            "REDIS_URL": f"redis://127.0.0.1:{self.proxies['redis'].port}/0",
            "RATE_LIMIT_EXECUTION_REQUESTS": "1000000",
            "MEDIC_GROUP_ALERTS_FROM": "1000",
        }
        environment["MEDIC_ALLOWED_WEBHOOK_HOSTS"] += f",{to_remedy}"
        return environment | self.clock.environment

    def _cures(self, received: Received) -> Answer:
        """Whoever is restarted beats again."""
        name = received.path.rpartition("/")[2]
        if received.path.startswith("/restart/"):
            (self.folder / f"revived-{name}").touch()
        return Answer(200, {"restarted": name})

    def restart(self) -> None:
        """After the emulator was killed: as somebody does who sees that it has ended."""
        assert self.medic.process is not None
        self.medic.process.wait(60)
        with (self.folder / "medic.former.out").open("ab") as former:
            former.write(self.medic.output.read_bytes())
        self.medic.start()

    # Those who use it.

    def prepare(self) -> None:
        """Register the services, write playbooks, start those who use them, and wait until all were heard."""
        named = {service.name: self._register(service) for service in self.plan.services}
        playbooks = self._write_playbooks()
        tasks: list[list[dict[str, Any]]] = [[] for _ in range(CLIENTS)]
        for number, (service, url) in enumerate(zip(self.plan.services, named.values(), strict=True)):
            about = {
                "name": service.name,
                "kind": service.kind,
                "silences": service.silences,
                "url": url,
                "key": ADMIN_KEY,
            }
            tasks[number % CLIENTS].append(about)
        for number, services in enumerate(tasks):
            self._use("client", {"services": services}, f"client-{number}")
        self._use("operator", {"url": self._url, "key": ADMIN_KEY, "playbooks": playbooks}, "operator")
        assert until(self._is_everybody_heard, HEARD_SECONDS), "some service cannot make itself heard"
        partial = self.folder / "began.new"
        partial.write_text(str(time.time()))
        partial.rename(self.folder / "began")

    def _is_everybody_heard(self) -> bool:
        with psycopg.connect(self.database_url) as connection:
            found = connection.execute("SELECT bool_and(health <> 'new') FROM medic.service_state").fetchone()
        return found == (True,)

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self.medic.port}"

    def _register(self, service: Service) -> str:
        body = {
            "heartbeat_name": service.name,
            "service_name": service.name,
            "schedule": {"kind": "interval", "every_seconds": EVERY_SECONDS},
            "grace_period_seconds": GRACE_SECONDS,
        }
        service_id = self._asked("/v2/services", body)["service_id"]
        match service.kind:
            case Kind.KEYED:
                return f"{self._url}/heartbeat"
            case Kind.JOB | Kind.FAILING:
                return f"{self._url}/v2/heartbeat/{service_id}"
            case _:
                return self._url + self.medic.ping_path(service.name)

    def _write_playbooks(self) -> list[dict[str, Any]]:
        self._asked("/v2/scripts", {"name": "tidy", "content": SCRIPT, "timeout_seconds": 30})
        restart = {"name": "restart", "type": "webhook", "url": f"{self.remedy.url}/restart/${{HEARTBEAT_NAME}}"}
        tidy = {"name": "tidy", "type": "script", "script_name": "tidy"}
        note = {"name": "note", "type": "webhook", "method": "PUT", "url": f"{self.remedy.url}/note"}
        back = {"name": "is-it-back", "type": "condition", "check": "heartbeat_received", "timeout": "2m"}
        ask = {"name": "ask", "type": "approval", "message": "may I?", "timeout": "1h"}
        act = {"name": "act", "type": "webhook", "url": f"{self.remedy.url}/act"}
        cure = self._playbook("cure", restart, tidy, back)
        self._asked(
            f"/v2/playbooks/{cure}/triggers", {"service_pattern": f"{Kind.CURABLE}-*", "consecutive_failures": 1}
        )
        return [
            {"playbook_id": self._playbook("repair", act, tidy, note), "asks": False},
            {"playbook_id": self._playbook("asked-repair", ask, act), "asks": True},
        ]

    def _playbook(self, name: str, *steps: dict[str, Any]) -> int:
        made = self._asked("/v2/playbooks", {"yaml_content": json.dumps({"name": name, "steps": steps})})
        return int(made["playbook_id"])

    def _asked(self, path: str, body: dict[str, Any]) -> Any:
        reply = self.medic.ask("POST", path, body)
        assert reply.status == 201, (path, reply.status, reply.body)
        return reply.json["results"]

    def _use(self, program: str, task: dict[str, Any], name: str) -> None:
        (self.folder / f"{name}.json").write_text(json.dumps(task))
        command = [sys.executable, "-m", f"tests.chaos.{program}", str(self.folder), name]
        with (self.folder / f"{name}.out").open("wb") as output:
            self.users.append(subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output))

    def start_nothing_more(self) -> None:
        """Services go on; nobody starts playbooks any more."""
        self.users[-1].send_signal(signal.SIGUSR1)

    def silence(self) -> None:
        """Users end, after what they are just doing."""
        for process in self.users:
            process.terminate()
        for process in self.users:
            process.wait(60)

    def write_received(self) -> None:
        """What stand-ins received until now, as journals."""
        for name, receiver in self.receivers.items():
            lines = [
                {
                    "at": self._began + received.at - self._began_monotonic,
                    "path": received.path,
                    "key": received.headers.get("webhook-id") or received.headers.get("idempotency-key"),
                    "content": received.content,
                }
                for received in list(receiver.received)
            ]
            (self.folder / f"received-{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    # What there is to hurt.

    def processes(self, subject: str) -> list[int]:
        """Those that a fault's subject is, at this moment."""
        match subject:
            case "postgres":
                return _with_descendants(_pid(self.postgres))
            case "redis":
                return _with_descendants(_pid(self.redis))
            case "emulator":
                return self.medic.servers()
            case "scripts":
                return [
                    child
                    for runner in self.medic.workers("ScriptStepFunction")
                    for child in _with_descendants(runner)[1:]
                ]
            case function:
                return self.medic.workers(function)


def _pid(server: Server) -> int | None:
    return server._process.pid if server._process is not None and server.is_running else None


def _with_descendants(pid: int | None) -> list[int]:
    found = [] if pid is None else [pid]
    for entry in sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        with suppress(OSError):
            parent = int(Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1])
            if parent in found and entry not in found:
                found.append(entry)
    return found


def tell(pids: list[int], number: signal.Signals) -> int:
    """Send a signal to processes; how many were there to take it."""
    there = 0
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            there += 1
    return there
