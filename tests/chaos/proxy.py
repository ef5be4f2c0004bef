"""A network between Medic and a server, that can stall, lose connections without a word, and cut them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

from local.servers import free_port


class Proxy:
    """Carries what comes to its port to another port, in a thread of its own."""

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self._to = port
        self._loop = asyncio.new_event_loop()
        self._open, self._closing = asyncio.Event(), asyncio.Event()
        self._open.set()
        self._links: set[_Link] = set()
        self._listens = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._listens.wait()

    def stall(self) -> None:
        """Nothing arrives any more, in any direction."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def go_on(self) -> None:
        """What was on its way arrives."""
        self._loop.call_soon_threadsafe(self._open.set)

    def drop(self) -> None:
        """The connections that there are stay open, and nothing goes through them again."""
        self._loop.call_soon_threadsafe(self._each, _Link.drop)

    def reset(self) -> None:
        """The connections that there are end, without a goodbye."""
        self._loop.call_soon_threadsafe(self._each, _Link.cut)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

    def _each(self, deed: Callable[[_Link], None]) -> None:
        for link in list(self._links):
            deed(link)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self._listens.set()
        await self._closing.wait()
        server.close()
        self._each(_Link.cut)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._open.wait()
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, far_writer)
        self._links.add(link)
        with suppress(OSError):
            await asyncio.gather(self._carry(reader, far_writer, link), self._carry(far_reader, writer, link))
        self._links.discard(link)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: _Link) -> None:
        try:
            while content := await reader.read(65_536):
                await self._open.wait()
                if not link.is_dropped:
                    writer.write(content)
                    await writer.drain()
        finally:
            if not link.is_dropped:
                writer.close()


class _Link:
    """One connection, there and on."""

    def __init__(self, *writers: asyncio.StreamWriter) -> None:
        self._writers = writers
        self.is_dropped = False

    def drop(self) -> None:
        self.is_dropped = True

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
