"""Requests on one machine: how many are under way, and how many processes are started for them."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local.emulator import with_room_for
from local.gaps import MOST_PROCESSES, Room

PATIENCE_SECONDS = 120


class Function:
    """Stands where a function's processes would: it notes how many run at once, and waits until it is let go."""

    def __init__(self, room: Room) -> None:
        self._room, self._lock = room, threading.Lock()
        self.running = self.most = self.done = 0
        self.go_on = threading.Semaphore(0)

    def called(self, *_: object) -> None:
        with self._room.place():
            with self._lock:
                self.running += 1
                self.most = max(self.most, self.running)
            assert self.go_on.acquire(timeout=PATIENCE_SECONDS)
            with self._lock:
                self.running -= 1
                self.done += 1


def settled(function: Function, running: int) -> bool:
    """Whether so many run, within the patience."""
    pause = threading.Event()
    for _ in range(PATIENCE_SECONDS * 100):
        if function.running == running:
            return True
        pause.wait(0.01)
    return False


def test_while_a_process_starts_nobody_starts_another() -> None:
    function = Function(Room())
    with ThreadPoolExecutor(40) as crowd:
        called = [crowd.submit(function.called) for _ in range(40)]
        assert settled(function, 1)
        assert function.most == 1
        # One that runs, and one that starts.
        function.go_on.release()
        assert settled(function, 2)
        function.go_on.release(39)
        assert [one.result() for one in called] == [None] * 40
    assert function.done == 40


def test_no_more_processes_are_started_than_there_may_be() -> None:
    function = Function(Room())
    function.go_on.release(400)
    with ThreadPoolExecutor(40) as crowd:
        list(crowd.map(function.called, range(400)))
    assert function.done == 400
    assert function.most <= MOST_PROCESSES


def test_a_request_that_fails_leaves_its_place() -> None:
    room = Room()

    def failing() -> None:
        with room.place():
            raise ValueError

    for _ in range(3 * MOST_PROCESSES):
        try:
            failing()
        except ValueError:
            continue
    function = Function(room)
    function.go_on.release()
    function.called()
    assert function.done == 1


async def statuses_of(requests: int, most: int) -> tuple[list[int], list[dict[str, Any]]]:
    """So many requests at once; the application answers when all have come. And what the last of them was sent."""
    all_are_there, sent = asyncio.Event(), []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await all_are_there.wait()
        await send({"type": "http.response.start", "status": 201, "headers": []})

    limited = with_room_for(most, application)
    answers: list[list[dict[str, Any]]] = [[] for _ in range(requests)]

    def sender(number: int) -> Any:
        async def send(message: dict[str, Any]) -> None:
            answers[number].append(message)

        return send

    under_way = [asyncio.create_task(limited({}, None, sender(number))) for number in range(requests)]
    await asyncio.sleep(0)
    all_are_there.set()
    await asyncio.gather(*under_way)
    await limited({}, None, sender(0))
    sent = answers[-1]
    return [answer[0]["status"] for answer in answers] + [answers[0][-1]["status"]], sent


def test_requests_above_what_there_is_room_for_are_told_to_come_again_and_the_next_are_taken() -> None:
    statuses, refused = asyncio.run(statuses_of(5, 3))
    assert statuses == [201, 201, 201, 503, 503, 201]
    assert dict(refused[0]["headers"])[b"retry-after"] == b"1"
    assert refused[1]["body"] == b'{"message":"Service Unavailable"}'
