"""Where a URL leads: its name resolved once, and every address of it checked."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from medic_core.domain.access import addresses
from medic_core.domain.access.addresses import Destination, InvalidUrl

#: What users are told of a URL that is not called; the reason is for the operator's log.
REFUSED = "Invalid webhook URL"


def checked_address(where: Destination, allowed_hosts: tuple[str, ...]) -> str:
    """An address to connect to. All that the name resolves to must be public, unless the operator excepted it.

    Raises InvalidUrl, UnicodeError (of Python's resolver, for a name with an empty or too long part), OSError where
    the name cannot be resolved.
    """
    return _first_of(socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM), where, allowed_hosts)


def refuse_at_sight(url: str, allowed_hosts: tuple[str, ...]) -> None:
    """Raises InvalidUrl for what will never be called: badly spelled, or an address of the inside in any spelling.

    Asks no resolver: what a name leads to is checked when it is called.
    """
    where = addresses.destination(url, allowed_hosts)
    try:
        found = socket.getaddrinfo(
            where.host, where.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        )
    except UnicodeError as error:
        raise InvalidUrl("not a host's name") from error
    except OSError:
        return
    _first_of(found, where, allowed_hosts)


def _first_of(found: Sequence[tuple[Any, ...]], where: Destination, allowed_hosts: tuple[str, ...]) -> str:
    resolved = [str(entry[4][0]) for entry in found]
    if addresses.is_excepted(where, allowed_hosts):
        return resolved[0]
    if not resolved or not all(addresses.is_public(address) for address in resolved):
        raise InvalidUrl("resolves to an address that is not public")
    return resolved[0]
