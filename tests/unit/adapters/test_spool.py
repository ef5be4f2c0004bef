from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.adapters.spool import from_text, to_text
from medic_core.domain.watching.signals import ByName, ByPingId, BySlug, Signal, SignalKind, Whom

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ORDINARY = Signal(UUID(int=1), ByName("backup"), SignalKind.UP, received_at=NOON)
KEPT: dict[str, Any] = json.loads(to_text(ORDINARY))

#: What the database can keep.
texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
whom: st.SearchStrategy[Whom] = st.one_of(
    st.builds(ByName, texts),
    st.builds(ByPingId, st.uuids()),
    st.builds(BySlug, texts, texts, st.booleans()),
)
zones = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
signals = st.builds(
    Signal,
    signal_id=st.uuids(),
    whom=whom,
    kind=st.sampled_from(SignalKind),
    is_ping=st.booleans(),
    run_id=st.none() | st.uuids().map(str),
    exit_status=st.none() | st.integers(0, 255),
    method=st.sampled_from(("GET", "HEAD", "POST")),
    body=st.binary(),
    remote_address=st.ip_addresses().map(str),
    user_agent=texts,
    received_at=st.datetimes(timezones=st.just(UTC) | zones),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def is_a_signal(text: str) -> bool:
    """Whether it can be read; anything but a ValueError would stop the whole batch."""
    try:
        from_text(text)
    except ValueError:
        return False
    return True


@given(signals)
def test_a_signal_comes_out_as_it_went_in(signal: Signal) -> None:
    assert from_text(to_text(signal)) == (signal, None)
    assert from_text(to_text(signal, "abcd")) == (signal, "abcd")


def test_a_signal_of_the_largest_body_fits_a_queue_message() -> None:
    largest = Signal(UUID(int=1), ByName("x" * 200), SignalKind.UP, body=b"\xff" * 100_000, received_at=NOON)
    assert len(to_text(largest).encode()) < 256 * 1024


def test_a_signal_that_does_not_know_when_it_was_received_is_not_spooled() -> None:
    with pytest.raises(ValueError, match="the time of its receipt"):
        to_text(Signal(UUID(int=1), ByName("backup"), SignalKind.UP))


@given(st.text() | json_values.map(json.dumps))
def test_what_is_no_signal_is_a_value_error(text: str) -> None:
    assert not is_a_signal(text)


@given(st.sampled_from(sorted(KEPT)), json_values)
def test_any_field_may_hold_anything_and_no_other_error_rises(field: str, value: object) -> None:
    assert is_a_signal(json.dumps({**KEPT, field: value})) in {True, False}


def test_a_signal_that_was_spooled_before_keys_were_is_one() -> None:
    assert is_a_signal(json.dumps({name: value for name, value in KEPT.items() if name != "key_id"}))


@pytest.mark.parametrize("field", sorted(set(KEPT) - {"key_id"}))
def test_a_signal_without_one_of_its_fields_is_none(field: str) -> None:
    assert not is_a_signal(json.dumps({name: value for name, value in KEPT.items() if name != field}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("signal_id", None), ("signal_id", 5), ("signal_id", "x"), ("signal_id", []),
        ("whom", None), ("whom", {}), ("whom", "backup"), ("whom", {"name_key": 5}), ("whom", {"ping_id": "x"}),
        ("whom", {"ping_key": "k"}), ("whom", {"ping_key": "k", "slug": "s"}),
        ("whom", {"ping_key": "k", "slug": "s", "create": 1}),
        ("kind", None), ("kind", "up"), ("kind", ["UP"]), ("kind", {}), ("kind", 1),
        ("body", None), ("body", 5), ("body", "é"), ("body", "x"), ("body", "eA=="[:3]), ("body", "e A=="),
        ("received_at", None), ("received_at", 5), ("received_at", "noon"), ("received_at", "2026-03-01T12:00:00"),
        ("is_ping", "no"),
        ("run_id", 5), ("run_id", {"a": 1}),
        ("exit_status", "1"), ("exit_status", 1.5), ("exit_status", 10**9), ("exit_status", -1),
        ("method", 5), ("remote_address", 5), ("user_agent", []),
    ],
)  # fmt: skip
def test_a_field_of_another_type_or_range_is_no_signal(field: str, value: object) -> None:
    assert not is_a_signal(json.dumps({**KEPT, field: value}))


@pytest.mark.parametrize("field", ["run_id", "remote_address", "user_agent"])
@pytest.mark.parametrize("value", ["a\x00b", "\ud800"])
def test_text_that_the_database_cannot_keep_is_no_signal(field: str, value: str) -> None:
    assert not is_a_signal(json.dumps({**KEPT, field: value}))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"whom":' * 100_000, '{"signal_id": ' + "[" * 100_000])
def test_what_is_nested_too_deeply_is_no_signal(text: str) -> None:
    assert not is_a_signal(text)
