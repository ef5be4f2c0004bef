"""HTTP to URLs that users can set: resolved once, every address checked, connected to the checked address."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as HttpTimeoutError

from medic_core.adapters.destinations import REFUSED, checked_address
from medic_core.domain.access import addresses
from medic_core.domain.access.addresses import Destination, InvalidUrl
from medic_core.domain.routing.retries import Answer

KEPT_BYTES = 4096
READ_AT_ONCE = 1024
CONNECT_SECONDS = 5.0
TIMED_OUT = "there was no answer in time"


def post(
    url: str, body: bytes, headers: Mapping[str, str], allowed_hosts: tuple[str, ...] = (), seconds: float = 10.0
) -> Answer:
    """POST a body: as `request`."""
    return request("POST", url, body, headers, allowed_hosts, seconds)


def request(
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    allowed_hosts: tuple[str, ...] = (),
    seconds: float = 10.0,
) -> Answer:
    """Send a request and return what was answered within `seconds` altogether, the first 4,096 bytes of it.

    A redirect is an answer like any other and is not followed. `allowed_hosts` may lie anywhere; all other names must
    resolve to public addresses, each of them. Proxies of the environment are not asked. Without an answer, `sent` says
    whether the receiver may have had the request.
    """
    began = time.monotonic()
    try:
        where = addresses.destination(url, allowed_hosts)
        address = checked_address(where, allowed_hosts)
    except (InvalidUrl, UnicodeError):
        # Python's resolver says UnicodeError of a host name with an empty or too long part.
        return Answer(None, error=REFUSED, permanent=True)
    except OSError as error:
        return Answer(None, error=f"the host's name cannot be resolved: {error.strerror or error}")
    connection = _connection(where, address, min(seconds, CONNECT_SECONDS))
    # Each read may take its time; all of them together may not: a receiver that drips is cut off.
    cut_off = threading.Timer(max(0.0, seconds - (time.monotonic() - began)), _cut, [connection])
    cut_off.daemon = True
    cut_off.start()
    sent = False
    try:
        connection.connect()
        sent = True
        # Who takes a connection may think longer about the answer.
        connection.timeout = seconds
        answer = _asked(connection, where, method, body, headers)
    except (HTTPError, OSError, ValueError) as error:
        answer = Answer(None, error=_plain(error), timed_out=_is_late(error), sent=sent)
    finally:
        cut_off.cancel()
        connection.close()
    is_late = answer.timed_out or time.monotonic() - began >= seconds
    return Answer(None, error=TIMED_OUT, timed_out=True, sent=sent) if is_late else answer


def _connection(where: Destination, address: str, seconds: float) -> HTTPConnection:
    """To the address that was checked; TLS still verifies the name."""
    if where.is_tls:
        return HTTPSConnection(
            address, where.port, timeout=seconds, server_hostname=where.host, assert_hostname=where.host
        )
    return HTTPConnection(address, where.port, timeout=seconds)


def _asked(
    connection: HTTPConnection, where: Destination, method: str, body: bytes | None, headers: Mapping[str, str]
) -> Answer:
    sent = {"User-Agent": "Medic", **headers, "Host": _host_header(where), "Accept-Encoding": "identity"}
    connection.request(method, where.path, body=body, headers=sent, preload_content=False)
    response = connection.getresponse()
    text = b""
    while len(text) < KEPT_BYTES and (more := response.read1(READ_AT_ONCE)):
        text += more
    return Answer(
        response.status,
        text[:KEPT_BYTES].decode("utf-8", "replace"),
        retry_after=retry_after(response.headers.get("Retry-After")),
    )


def _cut(connection: HTTPConnection) -> None:
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def _is_late(error: Exception) -> bool:
    # A refused connection is a NewConnectionError, which urllib3 counts among its timeouts.
    return isinstance(error, HttpTimeoutError | TimeoutError) and not isinstance(error, NewConnectionError)


def _plain(error: Exception) -> str:
    """What went wrong, without the address or the URL that libraries like to repeat."""
    return f"the connection failed ({type(error).__name__})"


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
