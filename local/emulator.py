"""The emulator's process: AWS on one port, the HTTP API on the other.

Started by `local.stage` as `python -m local.emulator AWS_PORT HTTP_PORT MESSAGES_FILE`, with an environment of its own.
It ends with the stage, however that ends. What the functions write is its standard output, what the emulator has to
say its standard error.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app
from ministack.core import lambda_runtime
from ministack.services import apigateway

from local import gaps, secrets_extension
from local.queues import QueueMemory

Scope = MutableMapping[str, Any]
LOOK_EVERY_SECONDS = 0.1
#: So many requests are under way at once; who comes then is told to come again.
MOST_REQUESTS = 200
BUSY = b'{"message":"Service Unavailable"}'
BUSY_HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", str(len(BUSY)).encode()),
    (b"retry-after", b"1"),
]
Application = Callable[[Scope, Callable[..., Awaitable[Any]], Callable[..., Awaitable[Any]]], Awaitable[None]]


def facing(application: Application, http_port: int) -> Application:
    """Requests on the HTTP port are for the one API there is: the emulator finds it by its path.

    By host name, as on AWS, it would keep some paths (`/health`) to itself.
    """
    limited = with_room_for(MOST_REQUESTS, application)

    async def handle(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["server"][1] != http_port and scope["path"] == secrets_extension.PATH:
            return await secrets_extension.answer(scope, send)
        if scope["type"] == "http" and scope["server"][1] == http_port:
            prefix = f"/_aws/execute-api/{_the_api()}/$default"
            raw_path = prefix.encode() + (scope.get("raw_path") or scope["path"].encode())
            method = gaps.without_preflight(scope["method"])
            scope = {**scope, "method": method, "path": prefix + scope["path"], "raw_path": raw_path}
            return await limited(scope, receive, send)
        return await application(scope, receive, send)

    return handle


def with_room_for(most: int, application: Application) -> Application:
    """Requests above that many at once are refused while that is still cheap, as AWS refuses where all are busy.

    To take them all would let everybody wait for longer than anybody does.
    """
    under_way = 0

    async def handle(scope: Scope, receive: Any, send: Any) -> None:
        nonlocal under_way
        if under_way >= most:
            await send({"type": "http.response.start", "status": 503, "headers": BUSY_HEADERS})
            await send({"type": "http.response.body", "body": BUSY})
            return
        under_way += 1
        try:
            await application(scope, receive, send)
        finally:
            under_way -= 1

    return handle


def _the_api() -> str:
    """The id of the API that was deployed: the last part of its key (account, region, id)."""
    return next((str(key[-1]) for key in apigateway._apis._data), "00000000")  # noqa: SLF001


async def serve_until_stopped(aws_port: int, http_port: int) -> None:
    """Returns when a signal asks for it, or when the stage is gone. Raises OSError where a port is taken."""
    config = Config()
    config.bind = [f"127.0.0.1:{aws_port}", f"127.0.0.1:{http_port}"]
    config.loglevel = "WARNING"
    # Longer than a client that sends now and then keeps its connection: it must not be closed under its hands.
    config.keep_alive_timeout = 75
    stopped, never, stage = asyncio.Event(), asyncio.Event(), os.getppid()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    serving = loop.create_task(serve(facing(app, http_port), config, shutdown_trigger=never.wait))  # type: ignore[arg-type]
    while not (stopped.is_set() or serving.done()) and os.getppid() == stage:
        await asyncio.sleep(LOOK_EVERY_SECONDS)
    if serving.done():
        serving.result()


def main() -> None:
    aws_port, http_port, file = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    gaps.fill()
    stopping = threading.Event()
    memory = QueueMemory(file)
    memory.attach()
    keeper = threading.Thread(target=memory.keep, args=(stopping,), daemon=True)
    keeper.start()
    asyncio.new_event_loop().run_until_complete(serve_until_stopped(aws_port, http_port))
    # Functions first: what they send until then is still written down.
    lambda_runtime.reset()
    stopping.set()
    keeper.join()
    # Not by the loop's own end: that waits for invocations that are under way, up to their timeouts.
    os._exit(0)


if __name__ == "__main__":
    main()
