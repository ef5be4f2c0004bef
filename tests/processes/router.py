"""A router that takes messages from the queue and hands them to the handler, as Lambda does, until it is killed.

python -m tests.processes.router QUEUE_URL
"""

from __future__ import annotations

import sys

import boto3

import notifications
from tests.fixtures.functions import as_record
from tests.processes import at_work, waits_for_long


def main(url: str) -> None:
    client = boto3.client("sqs")
    waits_for_long()
    at_work()
    while True:
        answer = client.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, VisibilityTimeout=3, AttributeNames=["All"]
        )
        messages = answer.get("Messages", [])
        if not messages:
            continue
        notifications.handler({"Records": [as_record(message) for message in messages]}, None)
        for message in messages:
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


if __name__ == "__main__":
    main(sys.argv[1])
