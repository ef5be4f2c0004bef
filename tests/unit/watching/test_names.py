from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.watching.names import MAX_NAME_LENGTH, SLUG, is_printable, name_key, slug_of, valid_name
from medic_core.errors import BadRequest


def taken(name: str) -> str | None:
    """The name as it is kept, None where it is refused."""
    try:
        return valid_name(name)
    except BadRequest:
        return None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Backup", "bACKUP"),
        ("STRASSE", "straße"),
        ("é", "e\u0301"),
        ("É", "e\u0301"),
        (" a ", "a"),
        ("\u00a0a\u2003", "a"),
        ("ΣΑΣ", "σας"),
        ("İ", "i\u0307"),
        ("\u212a", "k"),
    ],
)
def test_names_are_compared_without_case_and_form(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(("one", "other"), [("a b", "ab"), ("a-b", "a_b"), ("e", "é"), ("ı", "i"), ("a", "\u0430")])
def test_names_that_look_alike_are_not_the_same(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


@pytest.mark.parametrize(
    "name",
    [
        "", "  ", "\u2003", "x" * 201, "a\x00b", "a\nb", "a\x1bb", "a\x7fb", "\ud800", "a\u2028b", "a\u2029b",
        "\U000e0fff", 5, 5.0, True, None, ["a"], {"a": 1}, b"a",
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused_by_its_field(name: object) -> None:
    with pytest.raises(BadRequest, match=r"^heartbeat_name must "):
        valid_name(name)
    with pytest.raises(BadRequest, match=r"^team must "):
        valid_name(name, "team")


@pytest.mark.parametrize(
    "name", ["x", "0", "x" * 200, "日" * 200, "日本語", "emoji 🩺", "👩‍⚕️", "a/b:c.d%e", "'; DROP TABLE x; --", "${x}"]
)
def test_names_may_be_anything_that_can_be_read(name: str) -> None:
    assert valid_name(name) == name


def test_a_name_is_kept_trimmed_and_composed() -> None:
    assert valid_name("  cafe\u0301 ") == "café"
    assert valid_name(" " * 500 + "x" * 200) == "x" * 200


@given(st.text(max_size=210))
def test_a_name_that_was_taken_is_taken_again_as_it_is(name: str) -> None:
    kept = taken(name)
    if kept is not None:
        assert valid_name(kept) == kept
        assert 1 <= len(kept) <= MAX_NAME_LENGTH
        assert is_printable(kept)
        assert name_key(kept) == name_key(name)


@given(st.text(max_size=30))
def test_the_key_of_a_key_is_itself(name: str) -> None:
    assert name_key(name_key(name)) == name_key(name)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Nightly Backup", "nightly-backup"),
        ("a__b", "a__b"),
        ("Ünïcode!", "unicode"),
        ("  --a--  ", "a"),
        ("a / b", "a-b"),
        ("日本", "service"),
        ("---", "service"),
        ("", "service"),
        ("x" * 300, "x" * 200),
    ],
)
def test_a_slug_is_the_name_as_a_url_can_say_it(name: str, slug: str) -> None:
    assert slug_of(name) == slug


@given(st.text())
def test_every_name_has_a_slug_that_a_url_takes(name: str) -> None:
    assert SLUG.fullmatch(slug_of(name))
