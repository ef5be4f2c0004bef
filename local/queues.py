# ruff: noqa: SLF001  (the emulator offers no other way in)
"""What waits in the queues, kept in files: the emulator itself forgets it when it ends, however it ends."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import sqs

Message = dict[str, Any]
EVERY_SECONDS = 0.5


class _Queues(AccountRegionScopedDict):  # type: ignore[misc]
    """The emulator's queues; one that is made holds what it held when it was last seen."""

    def __init__(self, unclaimed: dict[str, list[Message]]) -> None:
        super().__init__()
        self._unclaimed = unclaimed

    def __setitem__(self, url: str, queue: dict[str, Any]) -> None:
        queue["messages"][:0] = self._unclaimed.pop(queue["name"], [])
        super().__setitem__(url, queue)


class QueueMemory:
    """Gives queues back the messages that they had, and writes down what they hold.

    A message is in the journal before its sender hears that it was taken. All that the queues hold is written now and
    then, with what SQS knows of each message (when it was sent, how often received, when it shows), and the journal
    begins anew. What was taken out since then comes once more after a kill: at least once, as on AWS.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._journal, self._former_journal = file.with_suffix(".journal"), file.with_suffix(".former-journal")
        self._written = file.read_text() if file.exists() else "{}"
        #: Of queues that are not there (yet). They stay in the file.
        self._unclaimed: dict[str, list[Message]] = json.loads(self._written)
        self._add_journals()
        _let_go(message for messages in self._unclaimed.values() for message in messages)
        self._journaling = self._journal.open("a")

    def attach(self) -> None:
        """Before the emulator serves: queues that are made have their messages, and what is sent is noted."""
        sqs._queues = _Queues(self._unclaimed)
        send = sqs._act_send_message

        def send_and_note(data: dict[str, Any], url: str) -> Any:
            # The emulator's pollers replace the list of messages under this lock. Its senders held none, and a message
            # that came in between was lost.
            with sqs._queues_lock:
                answer = send(data, url)
                self._note(sqs._get_q(data.get("QueueUrl", url)), answer["MessageId"])
            return answer

        sqs._act_send_message = sqs._HANDLERS["SendMessage"] = send_and_note

    def keep(self, stopping: threading.Event) -> None:
        """Write all of it down, until told to stop, and once more then."""
        is_last = False
        while not is_last:
            is_last = stopping.wait(EVERY_SECONDS)
            self._write(self._contents())

    def _note(self, queue: dict[str, Any], message_id: str) -> None:
        message = next(message for message in reversed(queue["messages"]) if message["id"] == message_id)
        self._journaling.write(json.dumps({"queue": queue["name"], "message": message}) + "\n")
        self._journaling.flush()

    def _contents(self) -> str:
        with sqs._queues_lock:
            held = {
                queue["name"]: [dict(message) for message in list(queue["messages"])]
                for queue in list(sqs._queues._data.values())
            }
            self._begin_journal()
        return json.dumps({**self._unclaimed, **{name: messages for name, messages in held.items() if messages}})

    def _begin_journal(self) -> None:
        """The former one stays until what it says is written elsewhere."""
        self._journaling.close()
        self._journal.replace(self._former_journal)
        self._journaling = self._journal.open("a")

    def _write(self, contents: str) -> None:
        if contents != self._written:
            partial = self._file.with_suffix(".new")
            partial.write_text(contents)
            partial.replace(self._file)
            self._written = contents
        self._former_journal.unlink()

    def _add_journals(self) -> None:
        known = {message["id"] for messages in self._unclaimed.values() for message in messages}
        for entry in (*_entries(self._former_journal), *_entries(self._journal)):
            if entry["message"]["id"] not in known:
                known.add(entry["message"]["id"])
                self._unclaimed.setdefault(entry["queue"], []).append(entry["message"])


def _let_go(messages: Iterable[Message]) -> None:
    """Who had taken them ended with the emulator: they show at once. What was sent to come later still does."""
    for message in messages:
        if message["receipt_handle"] is not None:
            message["visible_at"] = message["sent_at"]


def _entries(journal: Path) -> Iterator[dict[str, Any]]:
    """The sender of a line that is not whole never heard that it was taken."""
    if journal.exists():
        for line in journal.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                yield json.loads(line)
