from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.adapters.spool import from_text, to_text
from medic_core.domain.watching.names import name_key, slug_of, valid_name
from medic_core.domain.watching.signals import (
    ByName,
    ByPingId,
    BySlug,
    PingFilter,
    Signal,
    SignalKind,
    Unmatched,
    Whom,
    filtered,
)
from medic_core.errors import BadRequest


@pytest.mark.parametrize(
    ("one", "other"),
    [("Backup", "bACKUP"), ("STRASSE", "straße"), ("é", "e\u0301"), (" a ", "a"), ("ΣΑΣ", "σας"), ("İ", "i\u0307")],
)
def test_names_are_compared_without_case_and_form(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\x00b", "a\nb", "\ud800", "a\u2028b", 5, None, ["a"]])
def test_what_is_no_name_is_refused_by_its_field(name: object) -> None:
    with pytest.raises(BadRequest, match=r"^heartbeat_name "):
        valid_name(name)


@pytest.mark.parametrize("name", ["x", "x" * 200, "日本語", "emoji 🩺", "a/b:c.d%e", "'; DROP TABLE x; --"])
def test_names_may_be_anything_that_can_be_read(name: str) -> None:
    assert valid_name(name) == name


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Nightly Backup", "nightly-backup"), ("a__b", "a__b"), ("Ünïcode!", "unicode"), ("日本", "service")],
)
def test_a_slug_is_the_name_as_a_url_can_say_it(name: str, slug: str) -> None:
    assert slug_of(name) == slug


WORDS = PingFilter(success_keywords=("done",), failure_keywords=("ERROR", "FATAL"), start_keywords=("begin",))


@pytest.mark.parametrize(
    ("kind", "method", "body", "wanted", "meaning"),
    [
        (SignalKind.UP, "GET", b"", PingFilter(), SignalKind.UP),
        (SignalKind.UP, "GET", b"", PingFilter(post_only=True), SignalKind.IGNORED),
        (SignalKind.FAILED, "HEAD", b"", PingFilter(post_only=True), SignalKind.IGNORED),
        (SignalKind.UP, "POST", b"", PingFilter(post_only=True), SignalKind.UP),
        (SignalKind.UP, "POST", b"all done", WORDS, SignalKind.UP),
        (SignalKind.UP, "POST", b"done with ERROR", WORDS, SignalKind.FAILED),
        (SignalKind.UP, "POST", b"begin", WORDS, SignalKind.STARTED),
        (SignalKind.UP, "POST", b"begin, done", WORDS, SignalKind.UP),
        (SignalKind.UP, "POST", b"DONE", WORDS, SignalKind.IGNORED),
        (SignalKind.UP, "POST", b"\xff\xfe", WORDS, SignalKind.IGNORED),
        (SignalKind.FAILED, "POST", b"all done", WORDS, SignalKind.FAILED),
        (SignalKind.STARTED, "POST", b"ERROR", WORDS, SignalKind.STARTED),
        (SignalKind.LOG, "POST", b"ERROR", WORDS, SignalKind.LOG),
    ],
)
def test_filters_judge_the_plain_success_alone(
    kind: SignalKind, method: str, body: bytes, wanted: PingFilter, meaning: SignalKind
) -> None:
    assert filtered(kind, method, body, wanted) is meaning


def test_what_matches_nothing_fails_where_that_is_wanted() -> None:
    strict = PingFilter(success_keywords=("done",), unmatched=Unmatched.FAIL)
    assert filtered(SignalKind.UP, "POST", b"?", strict) is SignalKind.FAILED


whom: st.SearchStrategy[Whom] = st.one_of(
    st.builds(ByName, st.text(min_size=1)),
    st.builds(ByPingId, st.uuids()),
    st.builds(BySlug, st.text(), st.text(), st.booleans()),
)
signals = st.builds(
    Signal,
    signal_id=st.uuids(),
    whom=whom,
    kind=st.sampled_from(SignalKind),
    is_ping=st.booleans(),
    run_id=st.none() | st.text(),
    exit_status=st.none() | st.integers(0, 255),
    method=st.sampled_from(("GET", "POST")),
    body=st.binary(),
    remote_address=st.text(),
    user_agent=st.text(),
    received_at=st.datetimes(timezones=st.just(UTC)),
)


@given(signals)
def test_a_signal_comes_out_of_the_spool_as_it_went_in(signal: Signal) -> None:
    assert from_text(to_text(signal)) == signal


@given(st.one_of(st.text(), st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(str)))
def test_what_is_no_signal_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        from_text(text)
