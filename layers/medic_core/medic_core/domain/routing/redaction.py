"""URLs as they may be shown: where they lead, without what only their owner should know.

Many services put the secret into the path (Slack, Discord, Teams), others into the query or before the `@`.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

HIDDEN = "***"
#: A part of a path that is so long, and no plain word, is taken for a secret.
SHORTEST_SECRET = 16
PLAIN_WORD = re.compile(r"[a-z]+([-_.][a-z]+)*|[0-9]+", re.ASCII)
SHOWN_OF_A_KEY = 4


def shown_url(url: str) -> str:
    """A web address without its secrets."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return HIDDEN
    user = f"{HIDDEN}@" if "@" in parts.netloc else ""
    path = "/".join(HIDDEN if _seems_secret(part) else part for part in parts.path.split("/"))
    pairs = (f"{pair.partition('=')[0]}={HIDDEN}" if "=" in pair else HIDDEN for pair in parts.query.split("&"))
    query = "?" + "&".join(pairs) if parts.query else ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{user}{host}{port}{path}{query}"


def shown_scheme(url: str) -> str:
    """An Apprise URL: any part of it may be a secret, so only its kind is shown."""
    return f"{url.partition(':')[0]}://{HIDDEN}"


def shown_key(key: str) -> str:
    """A key by its end, so that its owner can tell which it is."""
    return HIDDEN + key[-SHOWN_OF_A_KEY:] if len(key) > 4 * SHOWN_OF_A_KEY else HIDDEN


def _seems_secret(part: str) -> bool:
    return len(part) >= SHORTEST_SECRET and not PLAIN_WORD.fullmatch(part)
