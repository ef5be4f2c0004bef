"""Both sides of a comparison are asked as their servers would ask them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
from bench import contestant

from medic_core.api.request import Request


def test_a_wsgi_application_is_asked_for_one_path_after_the_other_and_its_answer_is_closed() -> None:
    asked, closed = list[tuple[str, str]](), list[str]()

    class Body:
        def __init__(self, path: str) -> None:
            self.path = path

        def __iter__(self) -> Iterator[bytes]:
            yield b"OK"

        def close(self) -> None:
            closed.append(self.path)

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Body:
        asked.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        start_response("200 OK", [])
        return Body(environ["PATH_INFO"])

    call = contestant.served(application, ["/a", "/b"])
    assert [call() for _ in range(3)] == [200, 200, 200]
    assert asked == [("GET", "/a"), ("GET", "/b"), ("GET", "/a")]
    assert closed == ["/a", "/b", "/a"]


def test_a_handler_is_given_one_event_after_the_other() -> None:
    given = list[int]()

    def handler(event: int, context: None) -> dict[str, int]:
        given.append(event)
        return {"statusCode": 200}

    assert len(contestant.timed(contestant.handled(handler, [1, 2]), 3)) == 3
    assert given == [1, 2, 1]


def test_an_answer_that_is_no_success_is_no_measurement() -> None:
    with pytest.raises(RuntimeError, match="404"):
        contestant.timed(lambda: 404, 1)


def test_what_a_server_hands_on_is_what_a_gateway_would() -> None:
    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/ping/abc", "QUERY_STRING": "rid=1", "REMOTE_ADDR": "127.0.0.1",
        "HTTP_USER_AGENT": "curl", "CONTENT_LENGTH": "4", "wsgi.input": BytesIO(b"done and more"),
    }  # fmt: skip
    request = Request.from_event(contestant.as_event(environ))
    assert (request.method, request.path, request.query) == ("POST", "/ping/abc", {"rid": "1"})
    assert (request.headers["user-agent"], request.body, request.remote_address) == ("curl", b"done", "127.0.0.1")
