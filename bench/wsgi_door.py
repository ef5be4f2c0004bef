"""The heartbeat function behind a WSGI server: what a gateway does, so that the same server can stand before both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

import ingest
from bench.contestant import as_event


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """A request as a gateway would hand it on, and the answer."""
    answer = ingest.handler(as_event(environ), None)
    status = HTTPStatus(answer["statusCode"])
    start_response(f"{status.value} {status.phrase}", list(answer["headers"].items()))
    return [answer["body"].encode()]
