"""No secret is ever in a log, however it got there."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.observing.redaction import LONGEST, shown, without_secrets

SECRET = "kJ8xQ2vN5mT7wR4yB6cD9fG1hL3pS0zA"
#: Each holds the secret once; what must be left of it besides.
TEXTS = {
    "an API key": (f"bad key mdk_team1_{SECRET}", "mdk_team1_"),
    "an API key in quotes": (f"KeyError: 'mdk_team1_{SECRET}'", "KeyError"),
    "a header": (f"X-API-Key: {SECRET}", "X-API-Key"),
    "a bearer token": (f"Authorization: Bearer {SECRET}", "Authorization"),
    "a bearer token alone": (f"sent Bearer {SECRET} to them", "to them"),
    "basic credentials": (f"authorization=Basic {SECRET}==", "authorization"),
    "headers as Python writes them": (str({"authorization": f"Bearer {SECRET}", "accept": "*/*"}), "accept"),
    "headers as JSON": (json.dumps({"x-api-key": SECRET, "accept": "*/*"}), "accept"),
    "headers as JSON within JSON": (json.dumps(json.dumps({"x-api-key": SECRET, "accept": "*"})), "accept"),
    "a dictionary of bytes": (str({b"Cookie": f"session={SECRET}".encode()}), "Cookie"),
    "a ping URL": (f"GET http://medic.test/ping/{SECRET}/start failed", "failed"),
    "a ping path": (f"no route for /ping/{SECRET}/start", "no route"),
    "a slug ping path": (f"/ping/{SECRET}/nightly?create=1", "/ping/"),
    "an approval's link": (f"POST https://medic.test/approvals/{SECRET}", "/approvals/"),
    "a webhook's secret": (f"cannot sign with whsec_{SECRET}=", "whsec_"),
    "a signature": (f"webhook-signature: v1,{SECRET}{SECRET}=", "webhook-signature"),
    "a Slack token": (f"invalid_auth for xoxb-123-456-{SECRET}", "invalid_auth"),
    "a Slack app token": (f"xapp-1-A1-{SECRET}", "xapp"),
    "a Slack webhook": (f"POST https://hooks.slack.com/services/T1/B1/{SECRET}", "hooks.slack.com"),
    "a token in a query": (f"https://example.com/hook?token={SECRET}&x=1 timed out", "timed out"),
    "a database": (f"postgresql://medic:{SECRET}@db.internal:5432/medic refused", "db.internal:5432/medic refused"),
    "a database with an odd password": (f"postgres://medic:a/b@{SECRET}@db:5432/x", "db:5432/x"),
    "a broken database URL": (
        f'missing "=" after "postgresql:/medic:{SECRET}@db" in connection info string',
        "missing",
    ),
    "libpq's own words": (f"host=db user=medic password={SECRET} sslmode=require", "sslmode=require"),
    "libpq's own words in quotes": (f"host=db password='a \\' {SECRET}' sslmode=require", "sslmode=require"),
    "a Redis": (f"rediss://:{SECRET}@cache:6379/0", "cache:6379/0"),
    "an Apprise URL": (f"mailto://ann:{SECRET}@example.com", "example.com"),
    "a variable": (f"SLACK_API_TOKEN={SECRET} is wrong", "is wrong"),
    "a key of PagerDuty": (json.dumps({"routing_key": SECRET, "event_action": "trigger"}), "trigger"),
    "a task token": (f"TaskToken: {SECRET}", "TaskToken"),
    "an access key": ("AKIAIOSFODNN7EXAMPLE" + f" aws_secret_access_key={SECRET}", "AKIA"),
}


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_a_secret_is_struck_out_and_the_rest_is_left(name: str) -> None:
    text, left = TEXTS[name]
    assert SECRET in text
    assert SECRET not in without_secrets(text)
    assert "FODNN7EXAMPLE" not in without_secrets(text)
    assert left in without_secrets(text)


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_twice_is_as_good_as_once_and_depth_does_not_matter(name: str) -> None:
    text, _ = TEXTS[name]
    assert SECRET not in without_secrets(without_secrets(text))
    assert SECRET not in json.dumps(shown({"a": [{"b": (text, {text: text})}], "error": ValueError(text)}))


@pytest.mark.parametrize(
    "text",
    [
        "swept",
        "answered 503, not 200",
        "last heard at 2026-03-01 12:00:00 UTC; a heartbeat expected by 2026-03-01 12:01:00 UTC",
        "a run of nightly-backup is under way for 2 h",
        "monkey: business",
        "password authentication failed for user medic",
        "status_code=503 code: 42P01",
        "tokens used: 5",
        "3f0c7b8e-4a57-4d1c-9b1e-5d2f6a7b8c9d",
        'File "/var/task/ingest.py", line 12, in handler',
    ],
)
def test_what_is_no_secret_is_left_as_it_is(text: str) -> None:
    assert without_secrets(text) == text


def test_a_name_hides_whatever_stands_under_it() -> None:
    assert shown({"Authorization": ["Basic", 5], "api_key": {"a": 1}, "empty_token": "", "n": 3, "ok": True}) == {
        "Authorization": "***",
        "api_key": "***",
        "empty_token": "",
        "n": 3,
        "ok": True,
    }


@given(st.text(max_size=200))
def test_any_text_can_be_looked_at(text: str) -> None:
    assert isinstance(without_secrets(text), str)


@given(st.text("abc:/@=?&'\"\\{} \n-_.", max_size=120), st.sampled_from(["x-api-key: ", "/ping/", "Bearer ", "token="]))
def test_what_stands_around_it_saves_no_secret(around: str, name: str) -> None:
    # A name that is part of a longer word is none; a quote that is opened is the text's own affair.
    start = re.sub(r"[\w'\"\\-]$", " ", around)
    assert SECRET not in without_secrets(f"{start} {name}{SECRET}")


def test_a_text_made_to_be_slow_is_not() -> None:
    """Fractions of a second; what grew with the square would not be done within a test's time."""
    for text in (
        "password",
        "token='",
        "a_",
        "://",
        "postgres://",
        "https://",
        "bearer ",
        "key=",
        '\\"',
        "a:b@",
        "xoxb-",
    ):
        assert len(without_secrets(text * 50_000)) <= LONGEST
