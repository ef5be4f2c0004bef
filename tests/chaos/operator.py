"""A person who starts playbooks and approves what asks, and writes down what was acknowledged.

python -m tests.chaos.operator FOLDER      (until SIGTERM)
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import urllib3

from tests.chaos.journal import Journal

PAUSE_SECONDS = 2.0
PATIENCE_SECONDS = 20.0


class Operator:
    """Repeats what was not answered, under the same idempotency key, until it is."""

    def __init__(self, folder: Path) -> None:
        self._task = json.loads((folder / "operator.json").read_text())
        self._journal = Journal(folder / "operator.jsonl")
        self._pool = urllib3.PoolManager(retries=False, timeout=PATIENCE_SECONDS)
        self._undecided: set[int] = set()

    def work(self, full: threading.Event, ending: threading.Event) -> None:
        """Start one after another until it is `full`; whatever was asked for is asked for until it is acknowledged."""
        number = 0
        while not full.is_set():
            playbook = self._task["playbooks"][number % len(self._task["playbooks"])]
            self._start(playbook, f"chaos-{number}", ending)
            number += 1
            self._decide()
            full.wait(PAUSE_SECONDS)

    def decide_the_rest(self, ending: threading.Event) -> None:
        while self._undecided and not ending.wait(PAUSE_SECONDS):
            self._decide()

    def _start(self, playbook: dict[str, Any], key: str, ending: threading.Event) -> None:
        path = f"/v2/playbooks/{playbook['playbook_id']}/execute"
        self._journal.note({"asked": key})
        while not ending.is_set():
            status, answer = self._ask(path, {}, key)
            if status in {200, 201}:
                execution_id = answer["results"]["execution_id"]
                self._journal.note({"started": execution_id, "key": key})
                if playbook["asks"]:
                    self._undecided.add(execution_id)
                return
            ending.wait(PAUSE_SECONDS)

    def _decide(self) -> None:
        for execution_id in sorted(self._undecided):
            status, _ = self._ask(f"/v2/executions/{execution_id}/approve", {"reason": "go"})
            # Decided just now, or already: by an attempt whose answer got lost.
            if status == 200 or (status == 409 and self._is_decided(execution_id)):
                self._journal.note({"approved": execution_id})
                self._undecided.discard(execution_id)

    def _is_decided(self, execution_id: int) -> bool:
        status, answer = self._ask(f"/v2/audit-logs?execution_id={execution_id}&action_type=approved", None)
        return status == 200 and bool(answer["results"]["items"])

    def _ask(self, path: str, body: dict[str, Any] | None, key: str | None = None) -> tuple[int, Any]:
        headers = {"X-API-Key": self._task["key"], **({"Idempotency-Key": key} if key else {})}
        content = None if body is None else json.dumps(body)
        try:
            answer = self._pool.request(
                "GET" if body is None else "POST", self._task["url"] + path, body=content, headers=headers
            )
            return answer.status, json.loads(answer.data)
        except (urllib3.exceptions.HTTPError, ValueError):
            return 0, None


def main(folder: Path) -> None:
    """SIGUSR1: start nothing more, but decide what is undecided. SIGTERM: end."""
    full, ending = threading.Event(), threading.Event()

    def end(*_: object) -> None:
        full.set()
        ending.set()

    signal.signal(signal.SIGUSR1, lambda *_: full.set())
    signal.signal(signal.SIGTERM, end)
    operator = Operator(folder)
    operator.work(full, ending)
    operator.decide_the_rest(ending)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
