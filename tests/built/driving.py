"""What tests do with built functions: send heartbeats with a time of receipt, hand a queue's messages on."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.built.emulator import BuiltFunction
from tests.fixtures.aws import QueueOnEmulator
from tests.fixtures.functions import ADMIN_KEY, as_record, gateway_event

Start = Callable[..., BuiltFunction]
KEY = {"x-api-key": ADMIN_KEY}
PATIENCE_SECONDS = 240.0


def a_beat(at: datetime | None = None, name: str = "nightly-backup") -> dict[str, Any]:
    """A heartbeat that the gateway received `at` some moment (None: now)."""
    event = gateway_event("POST", "/heartbeat", {"heartbeat_name": name, "status": "UP"}, KEY)
    if at is not None:
        event["requestContext"]["timeEpoch"] = int(at.timestamp() * 1000)
    return event


def beat(function: BuiltFunction, at: datetime | None = None, name: str = "nightly-backup") -> int:
    """Post one; the status of the answer."""
    answer = function.invoke(a_beat(at, name)).payload
    assert "statusCode" in answer, answer
    assert "Traceback" not in answer["body"]
    return int(answer["statusCode"])


def ask(function: BuiltFunction, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """Ask the management API with the admin key."""
    return function.http(method, path, body, **KEY)


def milliseconds(moment: datetime) -> datetime:
    """A moment as the gateway tells it."""
    return datetime.fromtimestamp(int(moment.timestamp() * 1000) / 1000, UTC)


def take(function: BuiltFunction, queue: QueueOnEmulator) -> list[dict[str, Any]]:
    """Hand all messages of a queue to a function as Lambda does, and delete those that it does not give back."""
    taken: list[dict[str, Any]] = []
    while messages := queue.receive():
        records = [as_record(message) for message in messages]
        answer = function.invoke({"Records": records}).payload
        back = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        for message in messages:
            if message["MessageId"] not in back:
                queue.client.delete_message(QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"])
        taken += records
    return taken


def until(is_so: Callable[[], bool]) -> float:
    """Wait for something to be so; how many seconds that took."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < PATIENCE_SECONDS, "it did not come about"
        time.sleep(0.1)
    return time.monotonic() - began
