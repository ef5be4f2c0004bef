"""What the functions say, in the terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from local.console import tell

LOOK_EVERY_SECONDS = 1.0
OF_THE_RUNTIME = ("START RequestId", "END RequestId", "REPORT RequestId", "INIT_START", "XRAY TraceId")
#: Metrics are for machines.
OF_THE_METRICS = '{"_aws":'


class LogTail:
    """Follows the functions' log groups and prints new lines under the functions' names."""

    def __init__(self, client: Any, functions: Mapping[str, str]) -> None:
        self._client = client
        self._functions = functions
        self._since = dict.fromkeys(functions, int(time.time() * 1000))
        self._seen: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(LOOK_EVERY_SECONDS * 3)

    def _follow(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_SECONDS):
            for logical_id, name in self._functions.items():
                try:
                    self._print_new(logical_id, f"/aws/lambda/{name}")
                except Exception:  # noqa: S112  (no log group yet, or the emulator is going down)
                    continue

    def _print_new(self, logical_id: str, group: str) -> None:
        found = self._client.filter_log_events(logGroupName=group, startTime=self._since[logical_id])
        for event in found.get("events", []):
            if event["eventId"] in self._seen:
                continue
            self._seen.add(event["eventId"])
            self._since[logical_id] = max(self._since[logical_id], event["timestamp"])
            for line in event["message"].splitlines():
                if line.strip() and not line.startswith((*OF_THE_RUNTIME, OF_THE_METRICS)):
                    tell(f"  {logical_id.removesuffix('Function')} | {line}")
