"""What slack_sdk signs, we verify; nothing else."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.signature import SignatureVerifier

from medic_core.domain.access.slack_signatures import is_from_slack

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
BODY = b"payload=%7B%22type%22%3A%22block_actions%22%7D"


def by_slack(body: bytes = BODY, timestamp: str = STAMP, secret: str = SECRET) -> str:
    found = SignatureVerifier(secret).generate_signature(timestamp=timestamp, body=body)
    assert found is not None
    return found


def test_slacks_own_signature_is_verified() -> None:
    assert is_from_slack(SECRET, STAMP, BODY, by_slack(), NOW)


@given(st.text("0123456789abcdef", min_size=1), st.binary())
def test_whatever_was_signed(secret: str, body: bytes) -> None:
    text = body.decode("latin-1").encode()
    assert is_from_slack(secret, STAMP, text, by_slack(text, secret=secret), NOW)


@pytest.mark.parametrize("skew", [-300, 300])
def test_five_minutes_are_allowed(skew: int) -> None:
    assert is_from_slack(SECRET, STAMP, BODY, by_slack(), NOW + timedelta(seconds=skew))


@pytest.mark.parametrize("skew", [-301, 301, -3600, 86_400])
def test_more_are_not(skew: int) -> None:
    assert not is_from_slack(SECRET, STAMP, BODY, by_slack(), NOW + timedelta(seconds=skew))


@pytest.mark.parametrize("timestamp", ["", "x", "-1", "1e9", " 1", "9" * 400, "\u0661", STAMP + ".0", f"+{STAMP}"])
def test_a_timestamp_that_is_none(timestamp: str) -> None:
    assert not is_from_slack(SECRET, timestamp, BODY, by_slack(timestamp=timestamp), NOW)


@pytest.mark.parametrize(
    "signature", ["", "v0=", "v1=" + by_slack()[3:], by_slack()[3:], by_slack()[:-1], "v0=\u00e4", "x" * 9999]
)
def test_a_signature_that_is_none(signature: str) -> None:
    assert not is_from_slack(SECRET, STAMP, BODY, signature, NOW)


def test_one_of_other_bytes_another_secret_or_no_secret() -> None:
    assert not is_from_slack(SECRET, STAMP, BODY + b" ", by_slack(), NOW)
    assert not is_from_slack("another", STAMP, BODY, by_slack(), NOW)
    unsigned = hmac.new(b"", f"v0:{STAMP}:".encode() + BODY, hashlib.sha256).hexdigest()
    assert not is_from_slack("", STAMP, BODY, f"v0={unsigned}", NOW)
