"""Whom we may call: the policy for URLs that users can set.

The spelling of an address proves nothing (`127.1`, `0x7f000001` and full-width digits all mean this machine),
so what is judged is what the name resolved to. The ranges are written out here because `ipaddress`'s own
answers differ between Python releases.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

MAX_URL_LENGTH = 2048
PORTS = frozenset({80, 443, 8080, 8443})
DEFAULT_PORTS = {"http": 80, "https": 443}

FORBIDDEN_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
ALLOWED_V6 = IPv6Network("2000::/3")
FORBIDDEN_V6 = tuple(IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))


class InvalidUrl(ValueError):
    """A URL that we do not call. Users are told "Invalid webhook URL" and no more."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL taken apart: what is connected to is decided from these parts alone."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def is_tls(self) -> bool:
        return self.scheme == "https"


def destination(url: str, allowed_hosts: tuple[str, ...] = ()) -> Destination:
    """Take a URL apart strictly. `allowed_hosts` (`host` or `host:port`) may use any port.

    Raises InvalidUrl.
    """
    if len(url) > MAX_URL_LENGTH or not url.isascii() or not url.isprintable() or "\\" in url or " " in url:
        raise InvalidUrl("bad characters or length")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidUrl("malformed") from error
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc or "%" in parts.netloc:
        raise InvalidUrl("not a plain http or https URL")
    port = DEFAULT_PORTS[parts.scheme] if port is None else port
    # One dot at the end says that a name is whole, which all of ours are.
    host = parts.hostname if parts.hostname.endswith("..") else parts.hostname.removesuffix(".")
    if not host:
        raise InvalidUrl("no host")
    where = Destination(parts.scheme, host, port, (parts.path or "/") + (parts.query and f"?{parts.query}"))
    if port not in PORTS and not is_excepted(where, allowed_hosts):
        raise InvalidUrl("port not allowed")
    return where


def is_excepted(where: Destination, allowed_hosts: tuple[str, ...]) -> bool:
    """Whether the operator named this host (or host and port) as one that may be called wherever it lies."""
    return where.host in allowed_hosts or f"{where.host}:{where.port}" in allowed_hosts


def is_public(address: str) -> bool:
    """Whether an address lies on the open internet; judged by our own tables."""
    judged = ip_address(address)
    if isinstance(judged, IPv6Address) and judged.ipv4_mapped is not None:
        judged = judged.ipv4_mapped
    if isinstance(judged, IPv4Address):
        return not any(judged in network for network in FORBIDDEN_V4)
    return judged in ALLOWED_V6 and not any(judged in network for network in FORBIDDEN_V6)
