"""Puts a network between us and a server: what goes through arrives a little later.

python -m bench.distance LISTEN_PORT SERVER_PORT MILLISECONDS
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import servers

ROOT = Path(__file__).parents[1]


@contextmanager
def away(port: int, milliseconds: float) -> Iterator[int]:
    """The port at which a local server answers as if it were so far away (there and back)."""
    own = servers.free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.distance", *map(str, (own, port, milliseconds))], cwd=ROOT)
    while not servers.answers(own):
        time.sleep(0.05)
    yield own
    process.terminate()
    process.wait()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    while content := await reader.read(65_536):
        await asyncio.sleep(seconds)
        writer.write(content)
    writer.close()


async def _serve(listen: int, port: int, milliseconds: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        there = asyncio.create_task(_carry(reader, far_writer, 0))
        await _carry(far_reader, writer, milliseconds / 1000)
        await there

    async with await asyncio.start_server(connected, "127.0.0.1", listen) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
