"""What is sealed opens for what it was sealed for, under a key that is known, whole; and not otherwise."""

from __future__ import annotations

import base64
import os
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from medic_core.adapters.sealing import CannotOpen, NoKey, Sealer, sealer
from tests.fixtures.aws import Emulator

CONTEXT = {"purpose": "script-order", "execution": "7", "seq": "3"}
CONTENT = b"content-canary"


def a_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


OLD, NEW = a_key(), a_key()
LOCAL = sealer(NEW, (OLD,), "")
SEALED = LOCAL.seal(CONTENT, CONTEXT)


def cannot_open(by: Sealer, sealed: bytes, context: dict[str, str] = CONTEXT) -> None:
    with pytest.raises(CannotOpen) as raised:
        by.open(sealed, context)
    assert "canary" not in str(raised.value)


@given(st.binary(max_size=5000), st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=4))
def test_what_was_sealed_is_opened(content: bytes, context: dict[str, str]) -> None:
    assert LOCAL.open(LOCAL.seal(content, context), context) == content


def test_the_order_of_a_context_does_not_matter() -> None:
    assert LOCAL.open(SEALED, dict(reversed(CONTEXT.items()))) == CONTENT


@pytest.mark.parametrize(
    "context",
    [
        {},
        CONTEXT | {"purpose": "script-report"},
        CONTEXT | {"execution": "8"},
        CONTEXT | {"seq": "4"},
        CONTEXT | {"more": ""},
        {"purpose": "script-order", "execution": "7"},
    ],
)
def test_it_opens_for_nothing_else(context: dict[str, str]) -> None:
    cannot_open(LOCAL, SEALED, context)


@given(st.integers(0, len(SEALED) * 8 - 1))
def test_one_flipped_bit_and_it_does_not_open(bit: int) -> None:
    changed = bytearray(SEALED)
    changed[bit // 8] ^= 1 << bit % 8
    cannot_open(LOCAL, bytes(changed))


@pytest.mark.parametrize("length", range(len(SEALED)))
def test_a_part_of_it_does_not_open(length: int) -> None:
    cannot_open(LOCAL, SEALED[:length])


@given(st.binary(max_size=200))
def test_what_never_was_sealed_does_not_open(made_up: bytes) -> None:
    cannot_open(LOCAL, made_up)
    cannot_open(LOCAL, SEALED[:4] + made_up)


def test_two_envelopes_of_the_same_have_nothing_in_common_but_the_name_of_the_key() -> None:
    other = LOCAL.seal(CONTENT, CONTEXT)
    assert other != SEALED
    assert CONTENT not in SEALED
    assert other[:12] == SEALED[:12]
    assert other[12:24] != SEALED[12:24]
    assert other[24:] != SEALED[24:]


# Keys that change.


def test_a_former_key_goes_on_opening_and_the_new_one_seals() -> None:
    by_old = sealer(OLD, (), "").seal(CONTENT, CONTEXT)
    assert LOCAL.open(by_old, CONTEXT) == CONTENT
    assert not LOCAL.is_current(by_old)
    assert LOCAL.is_current(SEALED)
    cannot_open(sealer(OLD, (), ""), SEALED)


def test_a_key_that_is_gone_opens_nothing_any_more() -> None:
    cannot_open(sealer(a_key(), (), ""), SEALED)


@pytest.mark.parametrize(
    "key", ["?", "short".ljust(44, "="), base64.b64encode(b"x" * 31).decode(), "é" * 44, NEW[:-2]], ids=str.__len__
)
def test_a_malformed_key_is_told_when_it_is_used_and_never_shown(key: str) -> None:
    for malformed in (sealer(key, (), "", "MEDIC_ORDERS_KEY"), sealer(NEW, (key,), "", "MEDIC_ORDERS_KEY")):
        for use in (lambda by=malformed: by.seal(b"", {}), lambda by=malformed: by.open(SEALED, CONTEXT)):
            with pytest.raises(
                NoKey, match=r"MEDIC_ORDERS_KEY: a key must be the base64 of exactly 32 bytes\."
            ) as raised:
                use()
            assert key not in str(raised.value)


def test_without_a_key_it_is_said_how_to_set_one() -> None:
    nothing = sealer("", (), "", "MEDIC_ORDERS_KEY")
    for use in (
        lambda: nothing.seal(b"", {}),
        lambda: nothing.open(SEALED, CONTEXT),
        lambda: nothing.is_current(SEALED),
    ):
        with pytest.raises(NoKey, match="set MEDIC_ORDERS_KEY"):
            use()


def test_no_key_is_printed() -> None:
    assert NEW not in repr(LOCAL._sources)


# KMS.


@pytest.fixture
def kms(aws: Emulator, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    return aws.client("kms")


def a_kms_key(kms: Any) -> str:
    arn: str = kms.create_key()["KeyMetadata"]["Arn"]
    return arn


def test_kms_opens_for_the_same_context_alone(kms: Any) -> None:
    by_kms = sealer("", (), a_kms_key(kms))
    sealed = by_kms.seal(CONTENT, CONTEXT)
    assert by_kms.open(sealed, CONTEXT) == CONTENT
    assert by_kms.is_current(sealed)
    cannot_open(by_kms, sealed, CONTEXT | {"seq": "4"})
    cannot_open(by_kms, sealed, CONTEXT | {"purpose": "script-report"})
    cannot_open(by_kms, sealed[:-1])
    cannot_open(LOCAL, sealed)


def test_a_wrapped_key_that_was_changed_does_not_open(kms: Any) -> None:
    by_kms = sealer("", (), a_kms_key(kms))
    sealed = bytearray(by_kms.seal(CONTENT, CONTEXT))
    sealed[4 + 8 + 20] ^= 1
    cannot_open(by_kms, bytes(sealed))


def test_each_envelope_has_a_key_of_its_own(kms: Any) -> None:
    by_kms = sealer("", (), a_kms_key(kms))
    first, second = (by_kms.seal(b"", CONTEXT) for _ in range(2))
    length = int.from_bytes(first[2:4], "big")
    assert first[4 : 4 + length] != second[4 : 4 + length]


def test_kms_seals_from_now_on_and_local_keys_go_on_opening(kms: Any) -> None:
    both = sealer(NEW, (OLD,), a_kms_key(kms))
    assert both.open(SEALED, CONTEXT) == CONTENT
    assert not both.is_current(SEALED)
    cannot_open(LOCAL, both.seal(CONTENT, CONTEXT))


def test_a_key_that_kms_does_not_have_is_an_error_of_kms(kms: Any) -> None:
    missing = sealer("", (), a_kms_key(kms)[:-12] + "000000000000")
    with pytest.raises(ClientError, match="NotFound"):
        missing.seal(CONTENT, CONTEXT)


def test_what_another_key_of_kms_sealed_is_not_current_and_still_opens(kms: Any) -> None:
    former, current = (sealer("", (), a_kms_key(kms)) for _ in range(2))
    sealed = former.seal(CONTENT, CONTEXT)
    assert current.open(sealed, CONTEXT) == CONTENT
    assert not current.is_current(sealed)
