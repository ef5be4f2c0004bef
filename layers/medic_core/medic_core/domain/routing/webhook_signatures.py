"""Signatures of outgoing webhooks, after the Standard Webhooks specification (standardwebhooks.com, version 1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"
#: What the specification allows of a secret, in bytes.
SHORTEST, LONGEST = 24, 64


class NotASecret(ValueError):
    """What was signed by it could be signed by anybody."""


def secret_from(random_bytes: bytes) -> str:
    """A secret as it is shown and kept."""
    return PREFIX + base64.b64encode(random_bytes).decode()


def signature(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header: one signature for each secret, so that it can be replaced without a gap.

    Raises NotASecret.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    found = [hmac.new(_key(secret), signed, hashlib.sha256).digest() for secret in secrets]
    return " ".join(f"v1,{base64.b64encode(one).decode()}" for one in found)


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not SHORTEST <= len(key) <= LONGEST:
        raise NotASecret(
            f"not signed, not sent: the secret must be {PREFIX} and {SHORTEST} to {LONGEST} bytes in base64"
        )
    return key
