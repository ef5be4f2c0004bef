from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.routing.queue_messages import MakeDelivery, PlanNotification, delivery, notification, parse

ids = st.integers(1, 2**63 - 1)


@given(ids)
def test_messages_come_out_as_they_went_in(number: int) -> None:
    assert parse(notification(number)) == PlanNotification(number)
    assert parse(delivery(number)) == MakeDelivery(number)


@pytest.mark.parametrize(
    "content",
    [
        None, True, 5, "5", [], {}, [5], {"notification": 0}, {"notification": -1}, {"notification": 2**63},
        {"notification": None}, {"notification": "5"}, {"notification": 5.0}, {"notification": [5]},
        {"delivery": True}, {"delivery": {}}, {"delivery": 0}, {"Notification": 5}, {"notification ": 5},
    ],
)  # fmt: skip
def test_what_is_no_message_of_ours_is_a_value_error(content: object) -> None:
    with pytest.raises(ValueError, match="not a message for the router"):
        parse(json.dumps(content))


@pytest.mark.parametrize("text", ["", "{", "notification", '{"notification": 5', "\x00", "NaN", "9" * 10_000])
def test_what_is_not_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


def test_what_is_nested_too_deeply_is_a_value_error() -> None:
    with pytest.raises(ValueError):
        parse("[" * 100_000)


@given(st.text())
def test_any_text_is_a_message_or_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)
