"""How services are named, compared and addressed."""

from __future__ import annotations

import re
import unicodedata

from medic_core.errors import BadRequest

MAX_NAME_LENGTH = 200
#: What Healthchecks' clients may send as a slug; the upper case is refused there too.
SLUG = re.compile(r"[a-z0-9_-]{1,200}")
NOT_OF_A_SLUG = re.compile(r"[^a-z0-9_-]+")


def valid_name(name: object, field: str = "heartbeat_name") -> str:
    """The name as it will be kept: trimmed, NFC. Raises BadRequest that names the field."""
    if not isinstance(name, str):
        raise BadRequest(f"{field} must be a string.")
    name = unicodedata.normalize("NFC", name.strip())
    if not 1 <= len(name) <= MAX_NAME_LENGTH:
        raise BadRequest(f"{field} must have 1 to {MAX_NAME_LENGTH} characters.")
    if not is_printable(name):
        raise BadRequest(f"{field} must not contain control characters.")
    return name


def name_key(name: str) -> str:
    """What two names are compared by: case and Unicode form do not count."""
    return unicodedata.normalize("NFC", name.strip()).casefold()


def slug_of(name: str) -> str:
    """The name as it stands in a slug ping URL; `service` where nothing of it can."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return NOT_OF_A_SLUG.sub("-", plain).strip("-")[:MAX_NAME_LENGTH] or "service"


def is_printable(text: str) -> bool:
    """Whether it is free of control characters, unpaired surrogates and unassigned code points."""
    return text.isprintable() or not any(
        unicodedata.category(character) in {"Cc", "Cs", "Cn", "Zl", "Zp"} for character in text
    )


def like_pattern(glob: str) -> str:
    """A glob (`*` any text, `?` any character) as a LIKE pattern of name keys."""
    escaped = re.sub(r"([\\%_])", r"\\\1", name_key(glob))
    return escaped.replace("*", "%").replace("?", "_")
