"""What we sign, the specification's own library verifies."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from channels.webhook.envelope import body, headers
from medic_core.domain.routing.webhook_signatures import NotASecret, secret_from, signature
from tests.unit.routing.notifications import a_notification

SECRET, FORMER, OTHER = (secret_from(bytes([number]) * 32) for number in (1, 2, 3))


def signed(*secrets: str, ago: timedelta = timedelta(0)) -> tuple[str, dict[str, str]]:
    """The library compares with the clock on the wall."""
    sent = body(a_notification())
    return sent.decode(), headers(a_notification(), sent, secrets, datetime.now(UTC) - ago)


def test_the_specifications_library_verifies_it() -> None:
    sent, found = signed(SECRET)
    assert Webhook(SECRET).verify(sent, found) == json.loads(sent)


def test_while_a_secret_is_replaced_both_verify_it() -> None:
    sent, found = signed(SECRET, FORMER)
    for secret in (SECRET, FORMER):
        assert Webhook(secret).verify(sent, found)
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(sent, found)


def test_what_was_changed_or_is_old_is_not_verified() -> None:
    sent, found = signed(SECRET)
    later = str(int(found["webhook-timestamp"]) + 1)
    for changed in ({**found, "webhook-id": "evt_6"}, {**found, "webhook-timestamp": later}):
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(sent, changed)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(sent + " ", found)
    sent, found = signed(SECRET, ago=timedelta(minutes=6))
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(sent, found)


def test_without_a_secret_nothing_is_signed() -> None:
    assert "webhook-signature" not in signed()[1]


@given(st.binary(min_size=24, max_size=64), st.text(st.characters(codec="ascii"), min_size=1), st.binary())
def test_it_is_what_the_library_signs(key: bytes, message_id: str, sent: bytes) -> None:
    secret = secret_from(key)
    text = sent.decode("latin-1")
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    theirs = Webhook(secret).sign(message_id, at, text)
    assert signature([secret], message_id, int(at.timestamp()), text.encode()) == theirs


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_!!", "whsec_" + base64.b64encode(b"x" * 23).decode(), "x" * 200]
)
def test_nothing_is_signed_with_what_is_no_secret(secret: str) -> None:
    with pytest.raises(NotASecret, match="must be whsec_"):
        signature([SECRET, secret], "evt_1", 1, b"")
