"""A client: beats for some services as the plan says, and writes down what it sent and what it was told.

python -m tests.chaos.client FOLDER NAME      (until SIGTERM; the folder holds what it shall do)
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import urllib3

from tests.chaos.journal import Journal
from tests.chaos.plan import Kind

WITH_A_KEY = {Kind.KEYED, Kind.JOB, Kind.FAILING}
PAUSE_SECONDS = 1.0
PATIENCE_SECONDS = 10.0


class Client:
    """Speaks for one service, in a thread of its own."""

    def __init__(self, journal: Journal, pool: urllib3.PoolManager, service: dict[str, Any], folder: Path) -> None:
        self._journal, self._pool, self._service = journal, pool, service
        self._began, self._revived = folder / "began", folder / f"revived-{service['name']}"
        self._sent = 0

    def speak(self, ending: threading.Event) -> None:
        while not ending.is_set():
            for kind, run_id in self._says(self._now()):
                self._send(kind, run_id)
            ending.wait(PAUSE_SECONDS)

    def _now(self) -> float:
        """The second of the run. Before it began everybody lives."""
        return time.time() - float(self._began.read_text()) if self._began.exists() else 0.0

    def _says(self, at: float) -> Iterator[tuple[str, str | None]]:
        is_silent = any(self._is_in(at, since, until) for since, until in self._service["silences"])
        match Kind(self._service["kind"]):
            case Kind.FAILING:
                yield ("DOWN" if is_silent else "UP"), None
            case Kind.JOB:
                run_id = f"run-{self._sent}"
                yield "STARTED", run_id
                yield "COMPLETED", run_id
            case _ if not is_silent:
                yield "UP", None
            case _:
                pass

    def _is_in(self, at: float, since: float, until: float | None) -> bool:
        return since <= at and (at < until if until is not None else not self._revived.exists())

    def _send(self, kind: str, run_id: str | None) -> None:
        self._sent += 1
        marker = f"{self._service['name']}/{self._sent}"
        self._journal.note({"service": self._service["name"], "marker": marker, "kind": kind, "sent": time.time()})
        self._journal.note({"marker": marker, "status": self._answer(kind, marker, run_id), "answered": time.time()})

    def _answer(self, kind: str, marker: str, run_id: str | None) -> int:
        """0 where there was none."""
        body: dict[str, Any] = {"status": kind, "marker": marker, **({"run_id": run_id} if run_id else {})}
        if self._service["kind"] == Kind.KEYED:
            body = {"heartbeat_name": self._service["name"], "status": kind}
        headers = {"X-API-Key": self._service["key"]} if self._service["kind"] in WITH_A_KEY else {}
        try:
            return self._pool.request("POST", self._service["url"], body=json.dumps(body), headers=headers).status
        except urllib3.exceptions.HTTPError:
            return 0


def main(folder: Path, name: str) -> None:
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    task = json.loads((folder / f"{name}.json").read_text())
    journal = Journal(folder / f"{name}.jsonl")
    pool = urllib3.PoolManager(retries=False, timeout=PATIENCE_SECONDS, maxsize=len(task["services"]))
    speakers = []
    for service in task["services"]:
        speaker = Client(journal, pool, service, folder)
        speakers.append(threading.Thread(target=speaker.speak, args=(ending,)))
        speakers[-1].start()
    for thread in speakers:
        thread.join()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
