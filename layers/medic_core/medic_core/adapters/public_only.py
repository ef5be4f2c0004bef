"""Keeps libraries that connect by themselves away from the inside: what a name resolves to is judged as it is resolved.

A connection is made to what `getaddrinfo` answers, so what it does not answer is not connected to; there is no second
look-up that could answer otherwise. It judges redirects too, for each is resolved again.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from medic_core.domain.access import addresses

#: The hosts that may lie anywhere, while somebody else's code connects; None: nobody is watched.
_watched: ContextVar[tuple[str, ...] | None] = ContextVar("watched", default=None)
_resolve = socket.getaddrinfo


@contextmanager
def public_only(allowed_hosts: tuple[str, ...] = ()) -> Iterator[None]:
    """Inside, this thread's connections reach public addresses and `allowed_hosts` (`host` or `host:port`) alone."""
    socket.getaddrinfo = _judged
    token = _watched.set(allowed_hosts)
    try:
        yield
    finally:
        _watched.reset(token)


def _judged(host: Any, port: Any, *arguments: Any, **named: Any) -> list[Any]:
    found = _resolve(host, port, *arguments, **named)
    allowed = _watched.get()
    if allowed is None or _is_excepted(host, port, allowed):
        return found
    if not all(addresses.is_public(str(entry[4][0])) for entry in found):
        raise socket.gaierror(socket.EAI_FAIL, "not a public address")
    return found


def _is_excepted(host: Any, port: Any, allowed: tuple[str, ...]) -> bool:
    name = host.decode() if isinstance(host, bytes) else str(host)
    return name in allowed or f"{name}:{port}" in allowed
