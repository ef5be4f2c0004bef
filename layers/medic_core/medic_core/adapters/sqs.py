"""SQS. boto3 takes a quarter of a second to import, so it is imported when the first message is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any

#: What SQS takes in one request, and the longest delay it keeps.
BATCH = 10
LONGEST_DELAY = timedelta(minutes=15)


class QueueError(Exception):
    """SQS did not take a message."""


class SqsQueue:
    """A queue by its URL; keeps `ports.Queue`."""

    def __init__(self, url: str) -> None:
        self._url = url

    @cached_property
    def _client(self) -> Any:
        import boto3  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        return boto3.client("sqs", config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2}))

    def send(self, messages: Sequence[str], delay: timedelta = timedelta(0)) -> None:
        """Returns once all are taken. Raises QueueError, or what the library raises, otherwise."""
        seconds = int(min(delay, LONGEST_DELAY).total_seconds())
        for entries in _in_batches(messages, seconds):
            answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            if answer.get("Failed"):
                raise QueueError(f"{len(answer['Failed'])} of {len(entries)} messages were not taken")

    def waiting(self) -> int:
        """How many messages it holds, in whatever state, about."""
        names = (
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        )
        answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=list(names))
        attributes: Mapping[Any, str] = answer["Attributes"]
        return sum(int(attributes.get(name, 0)) for name in names)

    def show_again_in(self, receipt_handle: str, delay: timedelta) -> None:
        """Have a received message come back after `delay` instead of the queue's own time."""
        self._client.change_message_visibility(
            QueueUrl=self._url, ReceiptHandle=receipt_handle, VisibilityTimeout=int(delay.total_seconds())
        )


def _in_batches(messages: Sequence[str], delay: int) -> Iterator[list[dict[str, Any]]]:
    for number in range(0, len(messages), BATCH):
        yield [
            {"Id": str(index), "MessageBody": body, "DelaySeconds": delay}
            for index, body in enumerate(messages[number : number + BATCH])
        ]
