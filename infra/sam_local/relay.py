"""Lets containers reach servers that listen on 127.0.0.1 alone.

The servers stay there, and take what comes for one of this machine's own: Postgres asks nobody else in without a
password. Only containers can reach the address that is listened on.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK_BYTES = 65_536


class Relay:
    """Passes connections on, from ports of `address` to ports of 127.0.0.1. One thread, until it is stopped."""

    def __init__(self, address: str) -> None:
        self.address = address
        #: The loop itself does not hold on to them.
        self._connections: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def listen_for(self, port: int) -> int:
        """The port of `address` that leads to this one. Raises OSError where the address is not this machine's."""
        return asyncio.run_coroutine_threadsafe(self._listen(port), self._loop).result()

    async def _listen(self, port: int) -> int:
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = self._loop.create_task(_connect(reader, writer, port))
            self._connections.add(connection)
            connection.add_done_callback(self._connections.discard)

        server = await asyncio.start_server(accept, self.address, 0)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        """End it with all connections: those of a container that was killed do not end by themselves."""
        asyncio.run_coroutine_threadsafe(self._end_connections(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end_connections(self) -> None:
        for server in self._servers:
            server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        # Sockets are closed in the loop's next turn.
        await asyncio.sleep(0)


async def _connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Whoever ends first ends it for both."""
    ends = [writer]
    try:
        their_reader, their_writer = await asyncio.open_connection("127.0.0.1", port)
        ends.append(their_writer)
        ways = [
            asyncio.ensure_future(_pass_on(reader, their_writer)),
            asyncio.ensure_future(_pass_on(their_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
    except OSError:
        # As if nobody listened here either.
        pass
    finally:
        for end in ends:
            end.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()


@contextmanager
def relaying(address: str) -> Iterator[Relay]:
    relay = Relay(address)
    try:
        yield relay
    finally:
        relay.stop()
