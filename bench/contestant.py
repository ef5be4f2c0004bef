"""One side of a comparison, in a process of its own and of any Python: it is called as often as a line says.

python -m bench.contestant MODULE:NAME [a JSON list of events, as a file]

With events the name is a Lambda handler, without it is a WSGI application, and each call gets one of the paths that
the file then lists. Answers a line with a JSON list of seconds.
"""

from __future__ import annotations

import importlib
import itertools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

#: Before the names of headers.
OF_HEADERS = "HTTP_"


def handled(handler: Callable[[Any, None], Any], events: list[Any]) -> Callable[[], int]:
    """The status that a Lambda handler answers, with one event after the other."""
    following = itertools.cycle(events)
    return lambda: int(handler(next(following), None)["statusCode"])


def served(application: Callable[..., Any], paths: list[str]) -> Callable[[], int]:
    """The status that a WSGI application answers, as a server would ask it: to the end of the body, and closed."""
    following, statuses = itertools.cycle(paths), list[str]()

    def call() -> int:
        environ: dict[str, Any] = {"PATH_INFO": next(following), "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1"}
        setup_testing_defaults(environ)
        body = application(environ, lambda status, *_: statuses.append(status))
        b"".join(body)
        if hasattr(body, "close"):
            body.close()
        return int(statuses.pop()[:3])

    return call


def as_event(environ: dict[str, Any]) -> dict[str, Any]:
    """What a server hands to an application, as a gateway hands it to a function."""
    headers = {
        name.removeprefix(OF_HEADERS).replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith(OF_HEADERS)
    }
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    path, method, address = environ["PATH_INFO"], environ["REQUEST_METHOD"], environ.get("REMOTE_ADDR", "")
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": environ.get("QUERY_STRING", ""),
        "headers": headers,
        "requestContext": {
            "http": {
                "method": method,
                "path": path,
                "sourceIp": address,
                "protocol": "HTTP/1.1",
            },
            "timeEpoch": int(time.time() * 1000),
        },
        "body": body.decode("latin-1"),
        "isBase64Encoded": False,
    }


def timed(call: Callable[[], int], count: int) -> list[float]:
    """Seconds of each of so many calls. Raises RuntimeError where the answer is not 200."""
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        status = call()
        seconds.append(time.perf_counter() - began)
        if status != 200:
            raise RuntimeError(status)
    return seconds


def main() -> None:
    module, _, name = sys.argv[1].partition(":")
    target, given = getattr(importlib.import_module(module), name), json.loads(Path(sys.argv[2]).read_text())
    call = handled(target, given) if isinstance(given[0], dict) else served(target, given)
    for line in sys.stdin:
        print(json.dumps(timed(call, int(line))), flush=True)


if __name__ == "__main__":
    main()
