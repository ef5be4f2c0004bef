"""Cursors: opaque to clients, who may send anything as one."""

from __future__ import annotations

from base64 import urlsafe_b64encode

from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.watching.names import is_printable
from models.fields import LARGEST_ID
from models.pages import read_id_cursor, read_sort_cursor, sort_cursor
from tests.fuzz import junk

encoded = st.binary(max_size=60) | (
    st.lists(junk.values, max_size=4) | st.tuples(st.just("name"), junk.values, junk.values) | junk.values
).map(junk.as_json)
cursors = junk.texts | encoded.map(lambda content: urlsafe_b64encode(content).decode().rstrip("="))


@given(cursors | st.integers().map(str))
def test_any_text_is_an_id_to_go_on_from_or_refused(cursor: str) -> None:
    found = junk.refused_or(read_id_cursor, cursor)
    assert found is None or 0 <= found <= LARGEST_ID


@given(cursors)
def test_any_text_is_a_place_to_go_on_from_or_refused(cursor: str) -> None:
    found = junk.refused_or(read_sort_cursor, cursor, "name")
    if found is not None:
        assert is_printable(found[0])
        assert 0 <= found[1] <= LARGEST_ID


@given(st.text().filter(is_printable), st.integers(0, LARGEST_ID))
def test_our_own_lead_back(value: str, number: int) -> None:
    assert read_sort_cursor(sort_cursor("name", value, number), "name") == (value, number)
