"""The dashboard: pages that people look at, each a view over the same flows that the API has.

Every page works without a script; the script only renews what is live, and writes times as the viewer's clock has them.
"""

from __future__ import annotations

#: v1 has /alerts, and programs ask it.
PREFIX = "/ui"
#: Open to everybody, where a service was made public.
PUBLIC = "/status/"
#: But what pages of others show there, and programs read.
BADGES = (".svg", ".json")


def shows(path: str) -> bool:
    """Whether what is at a path is looked at by people: so is what goes wrong there."""
    is_public = path.startswith(PUBLIC) and not path.endswith(BADGES)
    return is_public or path == PREFIX or path.startswith(f"{PREFIX}/")
