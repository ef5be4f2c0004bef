from __future__ import annotations

import socket

import pytest

from medic_core.adapters.safe_http import post_json, retry_after
from medic_core.api import answers
from medic_core.domain.access.addresses import InvalidUrl, destination, is_public
from medic_core.domain.access.api_keys import Scope, VerifiedKey, parse
from medic_core.errors import MedicError

INSIDE = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.0.0.170", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.7",
    "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1",
    "2001::1", "2001:db8::1", "2002:7f00:1::1", "2002:a9fe:a9fe::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254",
    "fe80::1", "fec0::1", "ff02::1",
]  # fmt: skip
REFUSED = [
    "", "x", "ftp://example.com", "file:///etc/passwd", "gopher://example.com", "javascript:alert(1)", "http://",
    "https://", "http:///path", "//example.com", "http://user@example.com", "http://user:pass@example.com",
    "http://example.com@127.0.0.1", "http://example.com:22", "http://example.com:0",
    "http://example.com:99999", "http://example.com:x", "http://exa mple.com", "http://example.com/a b",
    "http://example.com\t/", "http://example.com\r\nHost: x", "http://example\\.com", "http://\uff11\uff12\uff17.0.0.1",
    "http://ex\u00e4mple.com", "http://example.com/\u0000", "http://[::1", "http://[fe80::1%25eth0]/",
    "http://%31%32%37.0.0.1/", "http://example.com/" + "x" * 3000,
]  # fmt: skip
TO_THE_INSIDE = [
    "http://127.0.0.1#@example.com:1",
    "http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/",
    "http://0/", "http://localhost/", "http://LOCALHOST./", "http://[::1]/", "http://[::ffff:7f00:1]/",
    "http://[::ffff:169.254.169.254]/", "https://169.254.169.254/latest/meta-data", "http://10.1.2.3/",
    "http://192.168.0.1:8080/", "http://[fd00:ec2::254]/", "http://[64:ff9b::a9fe:a9fe]/",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_the_inside_is_not_public(address: str) -> None:
    assert is_public(address) is False


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "::ffff:8.8.8.8", "2606:4700::1111", "100.128.0.1"])
def test_the_outside_is(address: str) -> None:
    assert is_public(address) is True


@pytest.mark.parametrize("url", REFUSED)
def test_urls_that_are_not_plain_are_refused(url: str) -> None:
    with pytest.raises(InvalidUrl):
        destination(url)


@pytest.mark.parametrize("url", [*REFUSED, *TO_THE_INSIDE])
def test_nobody_is_called_and_the_caller_hears_no_more_than_that(url: str) -> None:
    answer = post_json(url, {}, {})
    assert (answer.status, answer.permanent or "resolved" in answer.error) == (None, True)
    assert answer.error in {"Invalid webhook URL", answer.error if "resolved" in answer.error else ""}


def test_one_bad_address_among_good_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver belongs to others: here is one that answers both."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("1.1.1.1", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert post_json("https://rebinding.example/", {}, {}).error == "Invalid webhook URL"


def test_a_url_is_taken_apart_once() -> None:
    where = destination("https://Hooks.Example/a/b?c=d#e")
    assert (where.scheme, where.host, where.port, where.path) == ("https", "hooks.example", 443, "/a/b?c=d")
    assert destination("http://hooks.example:5000", ("hooks.example:5000",)).port == 5000


@pytest.mark.parametrize(
    ("header", "seconds"), [(None, 0), ("", 0), ("5", 5), ("-5", 0), ("x", 0), ("9" * 20, 0), ("٣", 0)]
)
def test_retry_after_is_seconds_or_nothing(header: str | None, seconds: int) -> None:
    assert retry_after(header).total_seconds() == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mdk_",
        "mdk_a_b",
        "mdk_abcd_" + "x" * 42,
        "mdk_ABCD_" + "x" * 43,
        "key_abcd_" + "x" * 43,
        "mdk_abcd_" + "é" * 43,
    ],
)
def test_what_is_not_the_shape_of_a_key_is_none(text: str) -> None:
    assert parse(text) is None


def test_a_secret_may_hold_underscores() -> None:
    found = parse("mdk_abcd_" + "_-x" * 20)
    assert found is not None
    assert (found.key_id, found.secret) == ("abcd", "_-x" * 20)


@pytest.mark.parametrize(
    ("own", "allowed"),
    [
        (Scope.HEARTBEAT, {Scope.HEARTBEAT}),
        (Scope.READ, {Scope.READ}),
        (Scope.WRITE, {Scope.WRITE, Scope.HEARTBEAT}),
        (Scope.ADMIN, set(Scope)),
    ],
)
def test_scopes_imply_what_they_should(own: Scope, allowed: set[Scope]) -> None:
    key = VerifiedKey("abcd", "a key", frozenset({own}), "hash")
    assert {scope for scope in Scope if key.allows(scope)} == allowed


def test_every_error_has_a_status_of_its_own() -> None:
    def below(kind: type[MedicError]) -> list[type[MedicError]]:
        return [kind, *(found for child in kind.__subclasses__() for found in below(child))]

    for kind in below(MedicError)[1:]:
        assert 400 <= answers.status_of(kind()) <= 503
        assert answers.status_of(kind()) != 500
        assert kind().message
