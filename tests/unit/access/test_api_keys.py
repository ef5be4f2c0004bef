from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.access.api_keys import IMPLIES, PresentedKey, Scope, VerifiedKey, parse

SECRET = "s" * 43


@pytest.mark.parametrize(
    ("key_id", "secret"),
    [
        ("abcd", SECRET),
        ("a" * 32, SECRET),
        ("0123", SECRET),
        ("abcd", "s" * 128),
        ("abcd", "_-x" * 20),
        ("abcd", "_" * 43),
        ("mdk1", "mdk_abcd_" + SECRET),
    ],
)
def test_a_key_is_its_id_and_its_secret(key_id: str, secret: str) -> None:
    assert parse(f"mdk_{key_id}_{secret}") == PresentedKey(key_id, secret)


@pytest.mark.parametrize(
    "text",
    [
        "", "mdk", "mdk_", "mdk__", "mdk_abcd", "mdk_abcd_", "mdk_a_b", "abcd", SECRET,
        "mdk_abcd_" + "s" * 42, "mdk_abcd_" + "s" * 129, "mdk_abcd_" + "s" * 100_000, "mdk_abc_" + SECRET,
        "mdk_" + "a" * 33 + "_" + SECRET, "mdk_ABCD_" + SECRET, "mdk_ab-d_" + SECRET, "mdk_abcd-" + SECRET,
        "MDK_abcd_" + SECRET, "key_abcd_" + SECRET, "mdk_abcd_" + "é" * 43, "mdk_abcd_" + "s" * 42 + "=",
        "mdk_abcd_" + "s" * 42 + "+", "mdk_abcd_" + "s" * 42 + " ", " mdk_abcd_" + SECRET, "mdk_abcd_" + SECRET + "\n",
        "mdk_abcd_" + SECRET + "\x00", "mdk_\u0661\u0662\u0663\u0664_" + SECRET, "mdk_abcd_" + "\uff53" * 43,
    ],
)  # fmt: skip
def test_what_is_not_the_shape_of_a_key_is_none(text: str) -> None:
    assert parse(text) is None


@given(st.text())
def test_any_text_is_a_key_or_none(text: str) -> None:
    assert parse(text) is None
    assert parse(f"mdk_abcd_{text}") in {None, PresentedKey("abcd", text)}


@pytest.mark.parametrize(
    ("own", "allowed"),
    [
        (Scope.HEARTBEAT, {Scope.HEARTBEAT}),
        (Scope.READ, {Scope.READ}),
        (Scope.WRITE, {Scope.WRITE, Scope.HEARTBEAT}),
        (Scope.ADMIN, set(Scope)),
    ],
)
def test_a_scope_implies_what_it_should_and_no_more(own: Scope, allowed: set[Scope]) -> None:
    key = VerifiedKey(1, "abcd", "a key", frozenset({own}), version=1)
    assert {scope for scope in Scope if key.allows(scope)} == allowed


def test_several_scopes_allow_what_each_allows() -> None:
    both = VerifiedKey(1, "abcd", "a key", frozenset({Scope.READ, Scope.HEARTBEAT}), version=1)
    assert {scope for scope in Scope if both.allows(scope)} == {Scope.READ, Scope.HEARTBEAT}


def test_no_scope_allows_nothing_and_every_scope_is_known() -> None:
    assert not any(VerifiedKey(1, "abcd", "a key", frozenset(), version=1).allows(scope) for scope in Scope)
    assert set(IMPLIES) == set(Scope)
