"""What the log lines of an invocation have in common."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.observing.correlation import of_event
from tests.conftest import ROOT

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def request(**headers: str) -> dict[str, Any]:
    return {"requestContext": {"requestId": "abc="}, "headers": headers}


@pytest.mark.parametrize(
    ("event", "found"),
    [
        (request(), {"correlation_id": "abc="}),
        (request(traceparent=f"00-{TRACE}-00f067aa0ba902b7-01"), {"correlation_id": "abc=", "trace_id": TRACE}),
        (request(traceparent="00-mdk_a_b"), {"correlation_id": "abc="}),
        ({"Records": [{"messageId": "a"}]}, {"message_ids": ["a"], "correlation_id": "a"}),
        ({"Records": [{"messageId": "a"}, {"messageId": "b"}]}, {"message_ids": ["a", "b"]}),
        ({"execution_id": 7, "engine_name": "run-1"}, {"execution_id": 7, "correlation_id": "run-1"}),
        ({"id": "b", "detail-type": "Scheduled Event"}, {"correlation_id": "b"}),
        ({"RequestType": "Create", "RequestId": "c"}, {"correlation_id": "c"}),
        ({}, {}),
        (None, {}),
        ({"id": "x" * 1000}, {"correlation_id": "x" * 200}),
    ],
)
def test_an_event_says_what_it_is_called(event: Any, found: dict[str, Any]) -> None:
    assert of_event(event) == found


@pytest.mark.parametrize("path", sorted((ROOT / "events").glob("*.json")), ids=lambda path: path.stem)
def test_every_recorded_event_is_called_something(path: Any) -> None:
    event = json.loads(path.read_text())
    assert len(event) < 2 or {"correlation_id", "message_ids"} & set(of_event(event))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["requestContext", "headers", "Records", "execution_id", "id", "messageId", "traceparent"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(anything)
def test_whatever_comes_it_does_not_raise(event: Any) -> None:
    assert set(of_event(event)) <= {"correlation_id", "message_ids", "execution_id", "trace_id"}
