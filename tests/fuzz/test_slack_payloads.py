"""What comes to the address that Slack calls: from anybody, and signed by who has the secret."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medic_core.adapters import safe_http
from medic_core.domain.access.slack_signatures import is_from_slack
from medic_core.domain.routing.retries import Answer
from medic_core.domain.watching.names import is_printable
from routes import v2_slack
from tests.fuzz import junk

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
person = junk.like(id=junk.texts, username=junk.texts, name=junk.texts, team_id=junk.texts)
action = junk.like(action_id=st.sampled_from(["acknowledge", "mute", "approve", "reject"]), value=junk.texts)
payloads = junk.like(
    user=person,
    team=junk.like(id=junk.texts),
    actions=st.lists(action, max_size=3),
    response_url=junk.texts.map(lambda text: f"https://hooks.slack.com{text}") | junk.texts | st.just("https://["),
)
a_body = payloads.map(lambda payload: urlencode({"payload": json.dumps(payload)}).encode()) | junk.raw


@given(st.text(max_size=5), junk.texts | st.just(str(int(NOW.timestamp()))), junk.raw, junk.texts)
def test_nothing_is_slacks_because_it_is_odd(secret: str, timestamp: str, body: bytes, signature: str) -> None:
    assert is_from_slack(secret, timestamp, body, signature, NOW) is False


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=a_body)
def test_any_body_is_a_payload_or_refused(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []

    def post(url: str, *_: Any) -> Answer:
        called.append(url)
        return Answer(200)

    monkeypatch.setattr(safe_http, "post", post)
    payload = junk.refused_or(v2_slack._payload, body)
    if payload is None:
        return
    presser = v2_slack._presser(payload)
    assert 0 < len(presser.name) <= 255
    assert is_printable(presser.name)
    junk.refused_or(presser.as_voter)
    for one in v2_slack._actions(payload):
        junk.refused_or(v2_slack._number, one)
    v2_slack._tell(payload, "too late")
    assert all(url.startswith(("https://hooks.slack.com", "https://slack.com")) for url in called)
