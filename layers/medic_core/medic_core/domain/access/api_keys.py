"""API keys: what one looks like, and what its scopes allow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from medic_core.domain.access.rate_limits import Endpoints

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

    It holds for one `version` of the key: the statement that runs anyway compares, so that a change is noticed at
    once. `key_id` is the public part of the secret that was used, `api_key_id` the key that the secret belongs to.
    """

    api_key_id: int
    key_id: str
    name: str
    scopes: frozenset[Scope]
    version: int
    rate_limits: Mapping[Endpoints, int] = field(default_factory=dict)

    def allows(self, scope: Scope) -> bool:
        return any(scope in IMPLIES[own] for own in self.scopes)


def parse(text: str) -> PresentedKey | None:
    """The key's parts, or None where it is not the shape of a key."""
    match = KEY.fullmatch(text)
    return PresentedKey(match[1], match[2]) if match else None


def written(key_id: str, secret: str) -> str:
    """A key as its owner is shown it, once."""
    return f"mdk_{key_id}_{secret}"
