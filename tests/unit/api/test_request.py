from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.api.request import JSON_LIMIT, Request
from medic_core.errors import BadRequest, NotAnEvent, TooLarge


def an_event(**wanted: Any) -> dict[str, Any]:
    """An event of API Gateway's HTTP API, payload 2.0."""
    return {
        "rawPath": "/heartbeat",
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {
            "http": {"method": "POST", "sourceIp": "198.51.100.7"},
            "timeEpoch": 1_772_366_400_123,
        },
        "isBase64Encoded": False,
    } | wanted


def a_request(**wanted: Any) -> Request:
    return Request.from_event(an_event(**wanted))


def with_body(body: str | bytes) -> Request:
    """As the gateway hands on a body: as text where it is text, in base64 otherwise."""
    if isinstance(body, str):
        return a_request(body=body)
    return a_request(body=b64encode(body).decode(), isBase64Encoded=True)


def test_an_event_becomes_a_value() -> None:
    request = a_request(rawPath="/ping/x", rawQueryString="rid=5", body="hello")
    assert (request.method, request.path, request.remote_address) == ("POST", "/ping/x", "198.51.100.7")
    assert (request.headers, request.query) == ({"content-type": "application/json"}, {"rid": "5"})
    assert request.body == b"hello"
    assert request.received_at == datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)


def test_names_of_headers_are_lower_case_whoever_plays_the_gateway() -> None:
    request = a_request(headers={"X-Api-Key": "a key", "content-type": "text/plain"}, cookies=["a=1", "b=2"])
    assert request.headers == {"x-api-key": "a key", "content-type": "text/plain", "cookie": "a=1; b=2"}


@pytest.mark.parametrize("absent", ["body", "headers", "rawQueryString", "isBase64Encoded"])
@pytest.mark.parametrize("how", ["missing", "null"])
def test_what_the_gateway_leaves_out_is_empty(absent: str, how: str) -> None:
    event = an_event(**{absent: None})
    if how == "missing":
        del event[absent]
    request = Request.from_event(event)
    assert request.body == b""
    assert request.query == {}
    assert (request.headers == {}) is (absent == "headers")


@pytest.mark.parametrize("value", ["\ud800", 5, ["x"], {"x": "y"}])
@pytest.mark.parametrize("place", ["rawPath", "rawQueryString", "headers", "cookies"])
def test_what_is_no_text_is_no_event(place: str, value: Any) -> None:
    odd = {"headers": {"cookie": value}, "cookies": [value]}.get(place, value)
    with pytest.raises(NotAnEvent, match="no event of an HTTP API"):
        a_request(**{place: odd})


@given(st.binary(max_size=300))
def test_bytes_arrive_as_they_were_sent(body: bytes) -> None:
    assert with_body(body).body == body


@given(st.text(max_size=300))
def test_text_arrives_as_it_was_sent(body: str) -> None:
    assert a_request(body=body).body == body.encode()


def test_half_a_surrogate_pair_is_no_crash() -> None:
    request = a_request(body='{"heartbeat_name": "\ud800"}')
    assert request.body.startswith(b'{"heartbeat_name"')


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", {}),
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a=", {"a": ""}),
        ("a", {"a": ""}),
        ("a=1&a=2", {"a": "2"}),
        ("a=b+c%20d", {"a": "b c d"}),
        ("a=%C3%A4", {"a": "ä"}),
        ("a=%FF", {"a": "\ufffd"}),
        ("a=%", {"a": "%"}),
        ("a=1;b=2", {"a": "1;b=2"}),
        ("&&=&", {"": ""}),
        ("a=%00", {"a": "\x00"}),
    ],
)
def test_the_query_is_decoded(text: str, query: dict[str, str]) -> None:
    assert a_request(rawQueryString=text).query == query


@given(st.text(max_size=100))
def test_any_query_can_be_read(text: str) -> None:
    assert isinstance(a_request(rawQueryString=text).query, dict)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("{}", {}),
        (' {"a": 1} ', {"a": 1}),
        ('{"a": "ä"}', {"a": "ä"}),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ('{"a": "ä"}'.encode("utf-16"), {"a": "ä"}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
    ],
)
def test_a_json_object_is_read(body: str | bytes, found: dict[str, object]) -> None:
    assert with_body(body).json_object() == found


@pytest.mark.parametrize(
    "body",
    [
        "", " ", "x", "{", '{"a"}', "{'a': 1}", '{"a": 1}}', '{"a": 1,}', '{"a": \n"\n"}', "null", "true", "5", '"x"',
        "[]", "[{}]", b"\xff\xfe\xfd", b'{"a": "\xff"}', b"\x00", b"\x80abc", '{"a": ' + "9" * 10_000 + "}",
        "[" * 60_000, '{"a":' * 10_000, '{"a": ' + "[" * 50_000 + "]" * 10_000 + "}",
    ],
)  # fmt: skip
def test_what_is_no_json_object_is_a_bad_request(body: str | bytes) -> None:
    with pytest.raises(BadRequest, match=r"^The body must be a JSON object\.$"):
        with_body(body).json_object()


@given(st.binary(max_size=100))
def test_any_bytes_are_an_object_or_a_bad_request(body: bytes) -> None:
    try:
        found = with_body(body).json_object()
    except BadRequest:
        return
    assert isinstance(found, dict)


@pytest.mark.parametrize("length", [JSON_LIMIT + 1, 1_000_000])
@pytest.mark.parametrize("filling", ["x", "[", " "])
def test_a_body_that_is_too_long_is_not_even_read(length: int, filling: str) -> None:
    with pytest.raises(TooLarge, match=r"^The body must not be longer than 65536 bytes\.$"):
        with_body(filling * length).json_object()


def test_the_limit_counts_bytes_and_is_reached_exactly() -> None:
    padding = JSON_LIMIT - len(json.dumps({"a": ""}))
    assert with_body(json.dumps({"a": "x" * padding})).json_object() == {"a": "x" * padding}
    with pytest.raises(TooLarge):
        with_body(json.dumps({"a": "ä" * padding}, ensure_ascii=False)).json_object()
