"""A client with a heartbeat function of its own, which sends heartbeats as fast as it can once it is told to.

python -m tests.processes.limited KEY COUNT START JOURNAL: waits for the file START, then writes each status to JOURNAL.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import ingest
from medic_core.adapters import redis_line
from tests.fixtures.functions import LambdaContext, gateway_event
from tests.fixtures.redis import PATIENCE_SECONDS
from tests.processes import waits_for_long

BODY = {"heartbeat_name": "nightly-backup", "status": "UP"}


def main(key: str, count: int, start: Path, journal: Path) -> None:
    waits_for_long()
    ingest.DATABASE._patience = redis_line.PATIENCE_SECONDS = PATIENCE_SECONDS
    journal.write_text("")
    while not start.exists():
        time.sleep(0.001)
    for _ in range(count):
        answer = ingest.handler(gateway_event("POST", "/heartbeat", BODY, {"x-api-key": key}), LambdaContext())
        with journal.open("a") as written:
            written.write(f"{answer['statusCode']}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
