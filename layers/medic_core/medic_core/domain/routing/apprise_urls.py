"""Which Apprise URLs are taken: those that only talk to a network."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote

from medic_core.errors import BadRequest

MAX_LENGTH = 2048
SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,30})://", re.ASCII | re.IGNORECASE)
#: These speak to the machine that Medic runs on, run something on it, or read their keys from its files.
LOCAL = frozenset(
    {
        "blink1", "dbus", "exec", "file", "glib", "gnome", "include", "kde", "macosx", "qt", "script", "shell",
        "syslog", "vapid", "windows",
    }
)  # fmt: skip
#: Parameters that name files, or a document that is fetched.
OF_FILES = frozenset(
    {
        "asset", "attach", "attachment", "attachments", "cert", "certificate", "config", "file", "filename", "keyfile",
        "path", "pgp", "pgpkey", "pgpkeyfile", "plugin", "plugins", "privatekey", "smime", "subfile", "template",
    }
)  # fmt: skip
PATHS = ("/", "~", "./", "../", "file:", "\\")


def valid_apprise_url(url: str, field: str = "url") -> str:
    """The URL, if it may be used. Raises BadRequest that names the field and repeats nothing of the URL."""
    scheme = SCHEME.match(url)
    if scheme is None or len(url) > MAX_LENGTH or not url.isprintable() or " " in url:
        raise BadRequest(f"{field} must be a URL as Apprise takes them, like mailto://user:…@example.com.")
    if scheme[1].lower() in LOCAL:
        raise BadRequest(f"{field}: {scheme[1].lower()} is not taken: it would use the machine that Medic runs on.")
    for name, value in parse_qsl(url.partition("?")[2], keep_blank_values=True):
        # Apprise reads `+name` and `-name` as headers and parameters of what it sends, not as its own.
        if name.lower() in OF_FILES or unquote(value).strip().lower().startswith(PATHS):
            raise BadRequest(f"{field}: the parameter {name[:50]!r} is not taken: it may name a file.")
    return url
