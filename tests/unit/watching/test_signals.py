from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.watching.signals import ALIVE, REPORTABLE, PingFilter, SignalKind, Unmatched, filtered

UP, FAILED, STARTED, IGNORED = SignalKind.UP, SignalKind.FAILED, SignalKind.STARTED, SignalKind.IGNORED
WORDS = PingFilter(success_keywords=("done",), failure_keywords=("ERROR", "FATAL"), start_keywords=("begin",))
SAYS_IT_ITSELF = [kind for kind in SignalKind if kind is not UP]


@pytest.mark.parametrize("kind", list(SignalKind))
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_without_filters_every_ping_counts_as_it_is(kind: SignalKind, method: str) -> None:
    assert filtered(kind, method, b"ERROR", PingFilter()) is kind


@pytest.mark.parametrize("kind", list(SignalKind))
@pytest.mark.parametrize(("method", "counts"), [("POST", True), ("GET", False), ("HEAD", False), ("post", False)])
def test_where_only_post_counts_all_else_is_kept_and_ignored(kind: SignalKind, method: str, counts: bool) -> None:
    assert filtered(kind, method, b"", PingFilter(post_only=True)) is (kind if counts else IGNORED)


def test_post_only_comes_before_the_words() -> None:
    wanted = PingFilter(post_only=True, failure_keywords=("ERROR",), unmatched=Unmatched.FAIL)
    assert filtered(UP, "GET", b"ERROR", wanted) is IGNORED
    assert filtered(UP, "POST", b"ERROR", wanted) is FAILED


@pytest.mark.parametrize(
    ("body", "meaning"),
    [
        (b"all done", UP),
        (b"undone", UP),
        (b"ERROR", FAILED),
        (b"FATAL", FAILED),
        (b"begin", STARTED),
        (b"done with ERROR", FAILED),
        (b"ERROR, done", FAILED),
        (b"begin, ERROR", FAILED),
        (b"begin, done", UP),
        (b"begin, done, FATAL", FAILED),
        (b"DONE", IGNORED),
        (b"error", IGNORED),
        (b"", IGNORED),
        (b"\xff\xfe", IGNORED),
        (b"\xff done", UP),
        (b"x" * 100_000 + b"done", UP),
    ],
)
def test_failure_comes_before_success_and_success_before_start(body: bytes, meaning: SignalKind) -> None:
    assert filtered(UP, "POST", body, WORDS) is meaning


@pytest.mark.parametrize("kind", SAYS_IT_ITSELF)
@pytest.mark.parametrize("body", [b"done", b"ERROR", b"begin", b"nothing of it"])
@pytest.mark.parametrize("unmatched", list(Unmatched))
def test_only_the_plain_success_is_judged_by_its_words(kind: SignalKind, body: bytes, unmatched: Unmatched) -> None:
    strict = PingFilter(False, ("done",), ("ERROR",), ("begin",), unmatched)
    assert filtered(kind, "POST", body, strict) is kind


@pytest.mark.parametrize(("unmatched", "meaning"), [(Unmatched.IGNORE, IGNORED), (Unmatched.FAIL, FAILED)])
@pytest.mark.parametrize("words", [{"success_keywords": ("a",)}, {"failure_keywords": ("a",)}])
def test_a_body_without_any_of_the_words_is_what_the_service_says(
    words: dict[str, tuple[str, ...]], unmatched: Unmatched, meaning: SignalKind
) -> None:
    assert filtered(UP, "POST", b"?", PingFilter(**words, unmatched=unmatched)) is meaning  # type: ignore[arg-type]


def test_words_in_other_scripts_are_found() -> None:
    assert filtered(UP, "POST", "готово ✓".encode(), PingFilter(success_keywords=("✓",))) is UP


@given(st.sampled_from(SignalKind), st.sampled_from(("GET", "POST")), st.binary(max_size=50))
def test_no_filter_makes_a_sign_of_life_of_what_was_none(kind: SignalKind, method: str, body: bytes) -> None:
    assert (filtered(kind, method, body, WORDS) in ALIVE) <= (kind in ALIVE)


def test_the_kinds_that_only_ping_urls_make_cannot_be_reported() -> None:
    assert {SignalKind.LOG, IGNORED} == set(SignalKind) - REPORTABLE
    assert {UP, SignalKind.COMPLETED, SignalKind.DEGRADED} == ALIVE
