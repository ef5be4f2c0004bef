"""Events of the gateway and of others that invoke a function, and what heartbeats say in them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bodies
from medic_core.api import events
from medic_core.api.authentication import presented_key
from medic_core.api.request import Request
from medic_core.domain.watching import ping_urls
from medic_core.domain.watching.signals import Signal
from medic_core.errors import BadRequest, NotAnEvent, NotFound
from tests.fixtures.functions import gateway_event
from tests.fuzz import junk

PATHS = st.sampled_from(["/heartbeat", "/v2/heartbeats", "/v2/heartbeat/7", "/v2/heartbeat/7/fail", "/ping/x"])
HEADERS = st.sampled_from(["x-api-key", "authorization", "content-type", "cookie", "user-agent", "if-match"])
http = junk.like(method=st.just("POST"), sourceIp=st.just("203.0.113.9"))
context = junk.like(http=http, timeEpoch=st.just(1_772_366_400_123), domainName=st.just("a.example.com"))
gateway_events = junk.like(
    rawPath=PATHS,
    rawQueryString=junk.texts,
    headers=st.dictionaries(HEADERS | junk.texts, junk.texts | junk.values, max_size=3),
    cookies=st.lists(junk.texts, max_size=3),
    requestContext=context,
    body=junk.texts,
    isBase64Encoded=st.booleans(),
)
statuses = st.sampled_from(["up", "down", "failed", "completed", "started"])
items = junk.like(heartbeat_name=junk.texts, service_id=junk.numbers, status=statuses, run_id=junk.texts)


def a_request(path: str, body: bytes, query: str = "", **headers: str) -> Request:
    event = gateway_event("POST", path, body, headers)
    return Request.from_event({**event, "rawQueryString": query})


@given(junk.values | gateway_events)
def test_any_event_is_a_request_or_none(event: Any) -> None:
    try:
        request = Request.from_event(event)
    except NotAnEvent:
        return
    texts = [request.method, request.path, request.remote_address, request.raw_query, *request.headers.values()]
    # What can be written as UTF-8 can be hashed, compared, logged and stored.
    assert all(isinstance(text.encode(), bytes) for text in texts)
    assert isinstance(request.body, bytes)
    junk.refused_or(request.json_object)
    junk.refused_or(presented_key, request.headers)


@given(st.dictionaries(HEADERS, junk.sent), st.binary(max_size=60).map(lambda body: b64encode(body).decode()))
def test_what_a_gateway_would_send_is_always_taken(headers: dict[str, str], body: str) -> None:
    event = gateway_event("GET", "/v2/services", None, headers)
    assert isinstance(Request.from_event({**event, "body": body, "isBase64Encoded": True}), Request)


@given(junk.values | junk.like(Records=st.lists(junk.like(messageId=st.just("1"), body=junk.texts), max_size=3)))
def test_any_batch_is_messages_or_none(event: Any) -> None:
    with suppress(NotAnEvent):
        assert all(isinstance(message["messageId"], str) for message in events.messages(event))


@pytest.mark.parametrize("read", [bodies.heartbeat, bodies.job_signal, bodies.batch])
@given(
    path=PATHS,
    body=junk.raw | items.map(junk.as_json) | junk.like(heartbeats=st.lists(items, max_size=3)).map(junk.as_json),
    query=junk.sent,
    agent=junk.sent,
)
def test_any_body_is_signals_or_refused(
    read: Callable[[Request], object], path: str, body: bytes, query: str, agent: str
) -> None:
    found = junk.refused_or(read, a_request(path, body, query, user_agent=agent))
    read_signals = found if isinstance(found, list) else [found] if found is not None else []
    assert all(isinstance(one, Signal | BadRequest) for one in read_signals)


@given(junk.sent | junk.sent.map(lambda text: f"00000000-0000-4000-8000-000000000000/{text}"), junk.sent)
def test_any_ping_is_one_or_is_nobodys(path: str, query: str) -> None:
    with suppress(NotFound, BadRequest):
        assert ping_urls.parse(path, a_request("/ping/x", b"", query).query).whom
