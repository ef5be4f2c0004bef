"""Keeps libraries that connect by themselves away from the inside: what a name resolves to is judged as it is resolved.

A connection is made to what `getaddrinfo` answers, so what it does not answer is not connected to; there is no second
look-up that could answer otherwise. It judges redirects too, for each is resolved again. Who does not ask it, or asks
in another thread, is judged when it connects or sends: there a name is refused, for nobody sees what it will lead to.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from medic_core.domain.access import addresses

#: What Python says of a socket before it does it. The second argument is where to.
REACHING_OUT = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})


@dataclass(frozen=True, slots=True)
class _Watch:
    """What a thread may reach while somebody else's code connects."""

    allowed: tuple[str, ...]
    #: Addresses and ports that allowed names led to.
    found: set[tuple[str, int]] = field(default_factory=set)

    def excepts(self, host: object, port: object) -> bool:
        name = host.decode() if isinstance(host, bytes) else str(host)
        return name in self.allowed or f"{name}:{port}" in self.allowed


#: None: nobody is watched.
_watched: ContextVar[_Watch | None] = ContextVar("watched", default=None)
_resolve = socket.getaddrinfo


@contextmanager
def public_only(allowed_hosts: tuple[str, ...] = ()) -> Iterator[None]:
    """Inside, this thread's connections reach public addresses and `allowed_hosts` (`host` or `host:port`) alone."""
    socket.getaddrinfo = _judged
    _listen()
    token = _watched.set(_Watch(allowed_hosts))
    try:
        yield
    finally:
        _watched.reset(token)


def _judged(host: Any, port: Any, *arguments: Any, **named: Any) -> list[Any]:
    found = _resolve(host, port, *arguments, **named)
    watch = _watched.get()
    if watch is None:
        return found
    if watch.excepts(host, port):
        watch.found.update((str(entry[4][0]), int(entry[4][1])) for entry in found)
    elif not all(addresses.is_public(str(entry[4][0])) for entry in found):
        raise _refusal()
    return found


@cache
def _listen() -> None:
    """Once in a process, where anybody is watched at all: what listens cannot be taken away again."""
    sys.addaudithook(_heard)


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in REACHING_OUT:
        return
    watch, where = _watched.get(), arguments[1]
    # A socket that is connected already sends to nowhere in particular.
    if watch is not None and where is not None and not _may_reach(watch, where):
        raise _refusal()


def _may_reach(watch: _Watch, where: object) -> bool:
    if not isinstance(where, tuple):
        return False
    if where[:2] in watch.found or watch.excepts(*where[:2]):
        return True
    try:
        return addresses.is_public(str(where[0]))
    except ValueError:
        return False


def _refusal() -> socket.gaierror:
    return socket.gaierror(socket.EAI_FAIL, "not a public address")
