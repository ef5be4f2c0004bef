"""Clients that do not wait for each other: each request has a moment at which it is due, whatever became of the others.

What it took is counted from that moment, so that a server which stalls pays for all that it kept waiting.

python -m bench.open_loop JSON: an `Order`; writes one line for each request to its journal.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

#: A client that hears nothing for so long gives up, as `curl -m 10` does.
PATIENCE_SECONDS = 10.0
#: Of one process. More than that wait for one of these, and their clocks run.
MOST_CONNECTIONS = 4000


class Phase(NamedTuple):
    """So many requests a second for so long."""

    rate: float
    seconds: float


@dataclass(frozen=True)
class Order:
    """What all the processes of a run do, and which of them this one is. `begin` is on the monotonic clock."""

    port: int
    key: str
    services: int
    run: str
    phases: Sequence[Phase]
    begin: float
    journal: str
    process: int = 0
    processes: int = 1

    def shares(self, processes: int) -> Iterator[Order]:
        """The orders of so many processes, each with a journal of its own."""
        for number in range(processes):
            yield replace(self, journal=f"{self.journal}.{number}", process=number, processes=processes)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Order:
        read = json.loads(text)
        return cls(**{**read, "phases": [Phase(*phase) for phase in read["phases"]]})


class Outcome(NamedTuple):
    """A request: which one, when it was due after the begin, how long after that it was over, and how."""

    number: int
    due: float
    seconds: float
    #: Three digits where there was an answer, else what happened.
    status: str


def due_times(phases: Sequence[Phase]) -> Iterator[float]:
    """When each request is due after the begin: evenly within a phase, and the phases one after the other."""
    began = 0.0
    for phase in phases:
        for number in range(round(phase.rate * phase.seconds)):
            yield began + number / phase.rate
        began += phase.seconds


def own_share(order: Order) -> Iterator[tuple[int, float]]:
    """The requests of this process: every n-th, so that all processes together keep the rate at any time."""
    for number, due in enumerate(due_times(order.phases)):
        if number % order.processes == order.process:
            yield number, due


def read_journal(path: Path) -> list[Outcome]:
    lines = (line.split() for line in path.read_text().splitlines())
    return [Outcome(int(number), float(due), float(seconds), status) for number, due, seconds, status in lines]


class Connection(asyncio.Protocol):
    """One request at a time, over a connection that is kept. The tests' client would cost more than the server."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._answer: asyncio.Future[str] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, problem: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(type(problem).__name__ if problem else "closed")

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    async def ask(self, request: bytes, seconds: float) -> str:
        """The status of the answer, or what happened instead."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await asyncio.wait_for(self._answer, seconds)
        except TimeoutError:
            self.close()
            return "silence"

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = bytes(self._received).partition(b"\r\n\r\n")
        if found and len(body) >= _content_length(head) and self._answer is not None and not self._answer.done():
            self._received.clear()
            self._answer.set_result(head[9:12].decode())


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    raise ValueError(f"an answer without a length: {head!r}")


class Clients:
    """The requests of one process, over as many connections as are needed at once."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._idle: deque[Connection] = deque()
        self._room = asyncio.Semaphore(MOST_CONNECTIONS)
        self.outcomes: list[Outcome] = []

    async def run(self) -> None:
        """Returns when each request has its outcome."""
        under_way = set()
        for number, due in own_share(self._order):
            wait = self._order.begin + due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(self._send(number, due))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        while under_way:
            await asyncio.wait(under_way)

    async def _send(self, number: int, due: float) -> None:
        at = self._order.begin + due
        async with self._room:
            status = await self._ask(number, at + PATIENCE_SECONDS)
        self.outcomes.append(Outcome(number, due, time.monotonic() - at, status))

    async def _ask(self, number: int, until: float) -> str:
        if time.monotonic() > until:
            return "unsent"
        try:
            connection = await self._connection(until - time.monotonic())
        except (OSError, TimeoutError) as problem:
            return type(problem).__name__
        status = await connection.ask(self._request(number), max(0.001, until - time.monotonic()))
        if connection.is_open:
            self._idle.append(connection)
        return status

    async def _connection(self, seconds: float) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        made = asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self._order.port)
        return (await asyncio.wait_for(made, seconds))[1]

    def _request(self, number: int) -> bytes:
        """A heartbeat of one of the services; who it was is kept with it, by which it is found again."""
        body = json.dumps({"heartbeat_name": f"service-{number * 7919 % self._order.services + 1}", "status": "UP"})
        head = (
            "POST /heartbeat HTTP/1.1",
            "Host: 127.0.0.1",
            f"X-API-Key: {self._order.key}",
            f"User-Agent: {self._order.run}-{number}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        )
        return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


def main(order: Order) -> None:
    clients = Clients(order)
    asyncio.run(clients.run())
    lines = (f"{one.number} {one.due:.6f} {one.seconds:.6f} {one.status}\n" for one in clients.outcomes)
    Path(order.journal).write_text("".join(lines))


if __name__ == "__main__":
    main(Order.from_json(sys.argv[1]))
