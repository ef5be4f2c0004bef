"""A client with a heartbeat function of its own: pings and writes down what was answered, until the file END is there.

python -m tests.processes.heartbeats PING_ID JOURNAL END
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import ingest
from tests.fixtures.functions import LambdaContext, gateway_event

PAUSE_SECONDS = 0.01


def main(ping_id: str, journal: Path, end: Path) -> None:
    number = 0
    with journal.open("a") as written:
        while not end.exists():
            body = f"{journal.name}-{number}"
            began = time.monotonic()
            event = gateway_event("POST", f"/ping/{ping_id}/log" if number % 7 == 0 else f"/ping/{ping_id}", body, {})
            event["requestContext"]["timeEpoch"] = int(time.time() * 1000)
            answer = ingest.handler(event, LambdaContext())
            written.write(f"{body} {answer['statusCode']} {time.monotonic() - began:.4f}\n")
            written.flush()
            number += 1
            time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
