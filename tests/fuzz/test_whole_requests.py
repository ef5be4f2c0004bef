"""Requests of strangers, through the whole of the two functions that the gateway calls: each has an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fixtures.functions import ADMIN_KEY, Functions, LambdaContext, gateway_event
from tests.fuzz import junk

PATHS = [
    "/", "/health", "/metrics", "/openapi.json", "/register", "/heartbeat", "/v2/heartbeats",
    "/ping/00000000-0000-4000-8000-000000000000", "/v2/services", "/v2/services/1", "/v2/alerts", "/v2/playbooks",
    "/v2/playbooks/1/execute", "/v2/webhooks/playbooks/1/trigger", "/v2/slack/interactions", "/v2/audit-logs",
    "/v2/snapshots", "/approvals/x", "/approvals/" + "a" * 43, "/status/x", "/status/x/badge.svg", "/ui", "/ui/sign-in",
    "/ui/services", "/ui/static/x",
]  # fmt: skip
paths = st.sampled_from(PATHS) | st.builds(lambda path, more: f"{path}/{more}", st.sampled_from(PATHS), junk.sent)
#: Each is a whole request, with a database behind it.
FEWER = 4
methods = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]) | junk.sent
names = st.sampled_from(
    ["authorization", "x-api-key", "content-type", "cookie", "if-match", "idempotency-key", "accept", "x-fragment",
     "x-webhook-secret", "traceparent", "sec-fetch-site", "if-none-match", "accept-encoding"]
)  # fmt: skip
words = st.sampled_from(
    ["application/x-www-form-urlencoded", "application/json", "cross-site", "gzip", "live", "text/csv"]
)
headers = st.dictionaries(names, junk.sent | words, max_size=4)
queries = junk.sent | st.sampled_from(["cursor=x&limit=1", "limit=0", "from=x", "page=%00", "status=up&status=down"])


def answered(functions: Functions, function: str, method: str, path: str, query: str, body: Any, sent: Any) -> int:
    event = {**gateway_event(method, "/", body, sent), "rawPath": path, "rawQueryString": query}
    answer = functions.module(function).handler(event, LambdaContext())
    assert json.dumps(answer)
    return int(answer["statusCode"])


@pytest.mark.parametrize("function", ["management_api", "ingest"])
@pytest.mark.parametrize("key", [None, ADMIN_KEY])
def test_any_request_is_answered(functions: Functions, function: str, key: str | None) -> None:
    @settings(suppress_health_check=[HealthCheck.too_slow], max_examples=max(1, settings().max_examples // FEWER))
    @given(methods, paths, queries, junk.raw, headers)
    def sent(method: str, path: str, query: str, body: bytes, given_headers: dict[str, str]) -> None:
        with_key = {**given_headers, **({"x-api-key": key} if key else {})}
        status = answered(functions, function, method, path, query, body, with_key)
        assert status < 500 or (status == 503 and "trigger" in path)

    sent()
