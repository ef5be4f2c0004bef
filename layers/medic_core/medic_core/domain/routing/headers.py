"""Headers that users give their webhooks."""

from __future__ import annotations

import re
from collections.abc import Mapping

from medic_core.errors import BadRequest

MOST = 20
LONGEST_VALUE = 1000
NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", re.ASCII)
#: Of the connection, and ours to say.
OURS = frozenset(
    {
        "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host",
        "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade", "webhook-id", "webhook-signature", "webhook-timestamp",
    }
)  # fmt: skip


def valid_headers(headers: Mapping[str, str], field: str = "headers") -> dict[str, str]:
    """The headers, if they can be sent and change nothing of ours. Raises BadRequest that names the field."""
    if len(headers) > MOST:
        raise BadRequest(f"{field} must be at most {MOST}.")
    if len({name.lower() for name in headers}) < len(headers):
        raise BadRequest(f"{field}: a header is named twice.")
    for name, value in headers.items():
        if not NAME.fullmatch(name):
            raise BadRequest(f"{field}: {name[:50]!r} is no name of a header.")
        if name.lower() in OURS:
            raise BadRequest(f"{field}: {name} is Medic's to say.")
        is_sendable = value.isprintable() and value.isascii() and value == value.strip() and len(value) <= LONGEST_VALUE
        if not is_sendable:
            raise BadRequest(
                f"{field}: {name} must be a line of at most {LONGEST_VALUE} printable ASCII characters, "
                "without spaces around them."
            )
    return dict(headers)
