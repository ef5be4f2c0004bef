"""API keys: what one looks like, and what its scopes allow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

#: `mdk_<id>_<secret>`; 43 characters of base64url carry the 256 bits that make guessing hopeless.
KEY = re.compile(r"mdk_([a-z0-9]{4,32})_([A-Za-z0-9_-]{43,128})")


class Scope(StrEnum):
    """What a key may do."""

    HEARTBEAT = "heartbeat"  #: send heartbeats and nothing else
    READ = "read"
    WRITE = "write"  #: implies heartbeat
    ADMIN = "admin"  #: implies all


IMPLIES = {
    Scope.HEARTBEAT: frozenset({Scope.HEARTBEAT}),
    Scope.READ: frozenset({Scope.READ}),
    Scope.WRITE: frozenset({Scope.WRITE, Scope.HEARTBEAT}),
    Scope.ADMIN: frozenset(Scope),
}


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A key as a client sent it: well-formed, not verified."""

    key_id: str
    secret: str


@dataclass(frozen=True, slots=True)
class VerifiedKey:
    """A key whose secret was right when it was looked at.

    `secret_hash` is the stored hash that it matched: the statement that runs anyway compares it, so that a
    changed key is noticed at once.
    """

    key_id: str
    name: str
    scopes: frozenset[Scope]
    secret_hash: str

    def allows(self, scope: Scope) -> bool:
        return any(scope in IMPLIES[own] for own in self.scopes)


def parse(text: str) -> PresentedKey | None:
    """The key's parts, or None where it is not the shape of a key."""
    match = KEY.fullmatch(text)
    return PresentedKey(match[1], match[2]) if match else None
