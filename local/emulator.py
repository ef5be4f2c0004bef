"""The emulator's process: AWS on one port, the HTTP API on the other.

Started by `local.stage` as `python -m local.emulator AWS_PORT HTTP_PORT QUEUES_FILE`, with an environment of its own.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app
from ministack.services import apigateway, sqs

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Callable[..., Awaitable[Any]], Callable[..., Awaitable[Any]]], Awaitable[None]]
SAVED_EVERY_SECONDS = 1.0


def facing(application: Application, http_port: int) -> Application:
    """Requests on the HTTP port are for the one API there is: the emulator finds it by its path.

    By host name, as on AWS, it would keep some paths (`/health`) to itself.
    """

    async def handle(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["server"][1] == http_port:
            prefix = f"/_aws/execute-api/{_the_api()}/$default"
            raw_path = prefix.encode() + (scope.get("raw_path") or scope["path"].encode())
            scope = {**scope, "path": prefix + scope["path"], "raw_path": raw_path}
        await application(scope, receive, send)

    return handle


def _the_api() -> str:
    """The id of the API that was deployed: the last part of its key (account, region, id)."""
    return next((str(key[-1]) for key in apigateway._apis._data), "00000000")  # noqa: SLF001


def waiting_messages() -> dict[str, list[str]]:
    """All messages in all queues, visible or not: queue name → bodies."""
    queues = sqs.get_state()["queues"]._data.values()  # noqa: SLF001
    return {queue["name"]: [message["body"] for message in queue["messages"]] for queue in queues}


def keep_messages(file: Path, stopping: threading.Event) -> None:
    """Write what waits in the queues to a file, each second in which it changed: the emulator itself forgets."""
    before: dict[str, list[str]] = {}
    while True:
        is_last = stopping.wait(SAVED_EVERY_SECONDS)
        now = waiting_messages()
        if now and now != before:
            partial = file.with_suffix(".new")
            partial.write_text(json.dumps(now))
            partial.replace(file)
            before = now
        if is_last:
            return


async def run(aws_port: int, http_port: int) -> None:
    """Serve until told to stop."""
    config = Config()
    config.bind = [f"127.0.0.1:{aws_port}", f"127.0.0.1:{http_port}"]
    config.loglevel = "WARNING"
    config.graceful_timeout = 2
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await serve(facing(app, http_port), config, shutdown_trigger=stopped.wait)  # type: ignore[arg-type]


def main() -> None:
    aws_port, http_port, file = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    stopping = threading.Event()
    keeper = threading.Thread(target=keep_messages, args=(file, stopping))
    keeper.start()
    try:
        asyncio.run(run(aws_port, http_port))
    finally:
        stopping.set()
        keeper.join()


if __name__ == "__main__":
    main()
