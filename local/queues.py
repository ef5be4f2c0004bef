# ruff: noqa: SLF001  (the emulator offers no other way in)
"""What waits in the queues, kept in a file: the emulator itself forgets it when it ends."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from ministack.services import sqs

Message = dict[str, Any]
EVERY_SECONDS = 0.5


class QueueMemory:
    """Gives queues back the messages that they had, once they are there again, and writes down what they hold.

    A message keeps what SQS knows of it: when it was sent, how often received, when it shows again.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._written = file.read_text() if file.exists() else "{}"
        #: Of queues that are not there (yet). They stay in the file.
        self._unclaimed: dict[str, list[Message]] = json.loads(self._written)

    def keep(self, stopping: threading.Event) -> None:
        """Until told to stop, and once more then."""
        is_last = False
        while not is_last:
            is_last = stopping.wait(EVERY_SECONDS)
            self._write(self._contents())

    def _contents(self) -> str:
        # The pollers' own lock. Senders hold none, but append alone, and a list may grow while it is copied.
        with sqs._queues_lock:
            queues = list(sqs._queues._data.values())
            for queue in queues:
                queue["messages"][:0] = self._unclaimed.pop(queue["name"], [])
            held = {queue["name"]: [dict(message) for message in list(queue["messages"])] for queue in queues}
        return json.dumps({**self._unclaimed, **{name: messages for name, messages in held.items() if messages}})

    def _write(self, contents: str) -> None:
        if contents != self._written:
            partial = self._file.with_suffix(".new")
            partial.write_text(contents)
            partial.replace(self._file)
            self._written = contents
