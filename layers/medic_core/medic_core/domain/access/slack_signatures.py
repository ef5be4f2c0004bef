"""Whether a request comes from Slack: its signature over the raw body, not older than five minutes.

api.slack.com, "Verifying requests from Slack": `v0=` and the HMAC-SHA256 of `v0:<timestamp>:<body>`.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

#: How far Slack's clock and ours may be apart; an older request is somebody's repetition.
LARGEST_SKEW_SECONDS = 300
LONGEST_TIMESTAMP = 12


def is_from_slack(secret: str, timestamp: str, body: bytes, signature: str, now: datetime) -> bool:
    """Compares in constant time. Without a secret nothing comes from Slack."""
    if not secret or not (timestamp.isascii() and timestamp.isdigit()) or len(timestamp) > LONGEST_TIMESTAMP:
        return False
    if abs(now.timestamp() - int(timestamp)) > LARGEST_SKEW_SECONDS:
        return False
    expected = "v0=" + hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode(errors="replace"))
