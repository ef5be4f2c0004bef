"""HTTP to URLs that users can set: resolved once, every address checked, connected to the checked address."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from datetime import timedelta

import urllib3
from urllib3.exceptions import HTTPError

from medic_core.domain.access import addresses
from medic_core.domain.access.addresses import Destination, InvalidUrl
from medic_core.domain.routing.retries import Answer

TIMEOUT = urllib3.Timeout(connect=5, read=10, total=12)
KEPT_BYTES = 4096
#: What users are told of a URL that is not called; the reason is for the operator's log.
REFUSED = "Invalid webhook URL"


def post_json(
    url: str, content: Mapping[str, object], headers: Mapping[str, str], allowed_hosts: tuple[str, ...] = ()
) -> Answer:
    """POST JSON and return what was answered; a redirect is an answer like any other and is not followed.

    `allowed_hosts` may lie anywhere; all other names must resolve to public addresses, each of them.
    """
    try:
        where = addresses.destination(url, allowed_hosts)
        address = _checked_address(where, allowed_hosts)
    except (InvalidUrl, UnicodeError):
        # Python's resolver says UnicodeError of a host name with an empty or too long part.
        return Answer(None, error=REFUSED, permanent=True)
    except OSError as error:
        return Answer(None, error=f"the host's name cannot be resolved: {error.strerror or error}")
    sent = {"Content-Type": "application/json", "User-Agent": "Medic", **headers, "Host": _host_header(where)}
    try:
        return _post(where, address, json.dumps(content).encode(), sent)
    except HTTPError as error:
        return Answer(None, error=f"{type(error).__name__}: {error}")


def _checked_address(where: Destination, allowed_hosts: tuple[str, ...]) -> str:
    found = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)
    resolved = [str(entry[4][0]) for entry in found]
    if addresses.is_excepted(where, allowed_hosts):
        return resolved[0]
    if not resolved or not all(addresses.is_public(address) for address in resolved):
        raise InvalidUrl("resolves to an address that is not public")
    return resolved[0]


def _post(where: Destination, address: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    with _pool(where, address) as pool:
        response = pool.urlopen(
            "POST", where.path, body=body, headers=headers, redirect=False, retries=False, preload_content=False
        )
        text = response.read(KEPT_BYTES, decode_content=True).decode("utf-8", "replace")
        return Answer(response.status, text, retry_after=retry_after(response.headers.get("Retry-After")))


def _pool(where: Destination, address: str) -> urllib3.HTTPConnectionPool:
    """A connection to the address that was checked; TLS still verifies the name."""
    if where.is_tls:
        return urllib3.HTTPSConnectionPool(
            address, where.port, timeout=TIMEOUT, server_hostname=where.host, assert_hostname=where.host
        )
    return urllib3.HTTPConnectionPool(address, where.port, timeout=TIMEOUT)


def _host_header(where: Destination) -> str:
    host = f"[{where.host}]" if ":" in where.host else where.host
    return host if where.port == addresses.DEFAULT_PORTS[where.scheme] else f"{host}:{where.port}"


def retry_after(header: str | None) -> timedelta:
    """The seconds form of `Retry-After`; zero for anything else."""
    return (
        timedelta(seconds=int(header))
        if header and header.isascii() and header.isdigit() and len(header) < 9
        else timedelta(0)
    )
