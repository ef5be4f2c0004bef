"""AES-256-GCM around what must stay secret: bound to what it is for, so that nothing sealed can be put to another use.

An envelope names the key that opens it:

    version (1 byte) | kind (1) | length of the key's name (2) | the key's name | nonce (12) | ciphertext and tag
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from medic_core.credentials import SecretText

VERSION = 1
HEADER_LENGTH = 4
KEY_BYTES = 32
NONCE_BYTES = 12
NAME_BYTES = 8
#: What KMS says of a wrapped key that was made for something else, or is none.
NOT_OURS = {"InvalidCiphertextException", "IncorrectKeyException", "ValidationException"}

Context = Mapping[str, str]


class CannotOpen(ValueError):
    """It was changed, is meant for something else, or was sealed under a key that is not here."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class NoKey(ValueError):
    """There is no key, or what is given as one is none; the message says which variable to set."""


class Kind(IntEnum):
    """Where an envelope's key comes from."""

    LOCAL = 1  #: the configuration has it; its name is a digest
    KMS = 2  #: one of its own, which KMS wraps; its name is a digest of the wrapping key's id and the wrapped key


class Keys(Protocol):
    """A source of keys."""

    kind: Kind

    def new(self, context: Context) -> tuple[bytes, bytes]:
        """A key to seal with, and the name by which it is found again."""
        ...

    def find(self, name: bytes, context: Context) -> bytes:
        """The key of that name. Raises CannotOpen."""
        ...

    def is_newest(self, name: bytes) -> bool:
        """Whether what is sealed now is sealed under that key, or under one that is wrapped alike."""
        ...


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(b"medic-key:" + text).digest()[:NAME_BYTES]


class LocalKeys:
    """Keys from the configuration: the one to seal with, and former ones that still open."""

    kind = Kind.LOCAL

    def __init__(self, current: SecretText | str, former: SecretText | Sequence[str], variable: str) -> None:
        self._current, self._former = current, former
        self._variable = variable

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._variable})"

    @cached_property
    def _keys(self) -> dict[bytes, bytes]:
        """By their names, the current one first."""
        former = _several(self._former.value) if isinstance(self._former, SecretText) else list(self._former)
        current = self._current.value if isinstance(self._current, SecretText) else self._current
        texts = [current, *former] if current or not former else former
        return {_digest(key): key for key in map(self._key, texts)}

    def _key(self, text: str) -> bytes:
        try:
            key = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            raise NoKey(f"{self._variable}: a key must be the base64 of exactly {KEY_BYTES} bytes.")
        return key

    def new(self, context: Context) -> tuple[bytes, bytes]:  # noqa: ARG002  (one key for all)
        name = next(iter(self._keys))
        return self._keys[name], name

    def find(self, name: bytes, context: Context) -> bytes:  # noqa: ARG002
        if name not in self._keys:
            raise CannotOpen
        return self._keys[name]

    def is_newest(self, name: bytes) -> bool:
        return name == next(iter(self._keys))


class KmsKeys:
    """A key of its own for each envelope, wrapped by KMS for the context that it is sealed for. Kept nowhere."""

    kind = Kind.KMS

    def __init__(self, key_id: str) -> None:
        self._key_id = key_id

    @cached_property
    def _client(self) -> Any:
        import boto3  # noqa: PLC0415  (as in adapters.sqs)
        from botocore.config import Config  # noqa: PLC0415

        return boto3.client("kms", config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 3}))

    @property
    def _wrapper(self) -> bytes:
        return _digest(self._key_id.encode())

    def new(self, context: Context) -> tuple[bytes, bytes]:
        made = self._client.generate_data_key(KeyId=self._key_id, KeySpec="AES_256", EncryptionContext=dict(context))
        return made["Plaintext"], self._wrapper + made["CiphertextBlob"]

    def find(self, name: bytes, context: Context) -> bytes:
        from botocore.exceptions import ClientError  # noqa: PLC0415

        try:
            found = self._client.decrypt(CiphertextBlob=name[NAME_BYTES:], EncryptionContext=dict(context))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in NOT_OURS:
                raise CannotOpen from None
            raise
        key: bytes = found["Plaintext"]
        if len(key) != KEY_BYTES:
            raise CannotOpen
        return key

    def is_newest(self, name: bytes) -> bool:
        return name.startswith(self._wrapper)


class NoKeys:
    """Nothing is configured: said when it is first needed."""

    kind = Kind.LOCAL

    def __init__(self, variable: str) -> None:
        how = f"set {variable} (base64 of {KEY_BYTES} bytes) or MEDIC_KMS_KEY_ID"
        self._because = f"There is no key to seal with: {how}."

    def new(self, context: Context) -> tuple[bytes, bytes]:  # noqa: ARG002
        raise NoKey(self._because)

    def find(self, name: bytes, context: Context) -> bytes:  # noqa: ARG002
        raise NoKey(self._because)

    def is_newest(self, name: bytes) -> bool:  # noqa: ARG002
        raise NoKey(self._because)


@dataclass(frozen=True, slots=True)
class _Envelope:
    kind: int
    name: bytes
    nonce: bytes
    ciphertext: bytes

    def to_bytes(self) -> bytes:
        header = bytes([VERSION, self.kind]) + len(self.name).to_bytes(2, "big")
        return header + self.name + self.nonce + self.ciphertext

    @classmethod
    def from_bytes(cls, sealed: bytes) -> _Envelope:
        """Raises CannotOpen for what is no envelope."""
        if len(sealed) < HEADER_LENGTH or sealed[0] != VERSION:
            raise CannotOpen
        name_end = HEADER_LENGTH + int.from_bytes(sealed[2:HEADER_LENGTH], "big")
        end = name_end + NONCE_BYTES
        if len(sealed) <= end:
            raise CannotOpen
        return cls(sealed[1], sealed[HEADER_LENGTH:name_end], sealed[name_end:end], sealed[end:])


class Sealer:
    """Seals under the first of its sources of keys; opens what was sealed under any."""

    def __init__(self, sources: Sequence[Keys]) -> None:
        self._sources = tuple(sources)

    def seal(self, content: bytes, context: Context) -> bytes:
        """An envelope that only the same context opens. Raises NoKey."""
        source = self._sources[0]
        key, name = source.new(context)
        nonce = os.urandom(NONCE_BYTES)
        return _Envelope(source.kind, name, nonce, AESGCM(key).encrypt(nonce, content, _bound(context))).to_bytes()

    def open(self, sealed: bytes, context: Context) -> bytes:
        """What was sealed for this context. Raises CannotOpen, and NoKey where nothing is configured."""
        envelope = _Envelope.from_bytes(bytes(sealed))
        key = self._source(envelope.kind).find(envelope.name, context)
        try:
            return AESGCM(key).decrypt(envelope.nonce, envelope.ciphertext, _bound(context))
        except InvalidTag:
            raise CannotOpen from None

    def is_current(self, sealed: bytes) -> bool:
        """Whether it is sealed under the newest key. Raises CannotOpen for what is no envelope, and NoKey."""
        envelope = _Envelope.from_bytes(bytes(sealed))
        newest = self._sources[0]
        return envelope.kind == newest.kind and newest.is_newest(envelope.name)

    def _source(self, kind: int) -> Keys:
        for source in self._sources:
            if source.kind == kind or isinstance(source, NoKeys):
                return source
        raise CannotOpen


def _bound(context: Context) -> bytes:
    return json.dumps(dict(context), sort_keys=True, separators=(",", ":")).encode()


def _several(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def sealer(
    key: SecretText | str,
    former: SecretText | Sequence[str],
    kms_key_id: str,
    variable: str = "MEDIC_SECRETS_KEY",
) -> Sealer:
    """The sealer for what is configured: KMS seals where it is, and local keys go on opening what they sealed.

    A missing or malformed key is told at the first use, as a NoKey that names `variable`; nothing is read before.
    """
    sources: list[Keys] = [KmsKeys(kms_key_id)] if kms_key_id else []
    if key or former:
        sources.append(LocalKeys(key, former, variable))
    return Sealer(sources or [NoKeys(variable)])
