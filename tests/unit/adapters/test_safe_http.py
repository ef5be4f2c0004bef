from __future__ import annotations

import socket

import pytest

from medic_core.adapters.destinations import REFUSED
from medic_core.adapters.safe_http import post, retry_after

UNCALLABLE = [
    "", "x", "ftp://example.com", "http://user:pass@example.com", "http://example.com:22", "http://example.com\r\n",
    "http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/", "http://0/",
    "http://localhost/", "http://LOCALHOST/", "http://[::1]/", "http://[::ffff:7f00:1]/", "http://[fd00:ec2::254]/",
    "http://[::ffff:169.254.169.254]/", "https://169.254.169.254/latest/meta-data", "http://[64:ff9b::a9fe:a9fe]/",
]  # fmt: skip
#: Hosts that no resolver can even be asked for.
NO_NAMES = [
    "http://a..b/", "http://.example.com/", "http://./", "http://example.com../", f"http://{'a' * 64}.com/",
]  # fmt: skip


@pytest.mark.parametrize("url", [*UNCALLABLE, *NO_NAMES])
def test_nobody_is_called_and_the_caller_hears_no_more_than_that(url: str) -> None:
    answer = post(url, b"{}", {})
    assert (answer.status, answer.error, answer.permanent) == (None, REFUSED, True)
    assert REFUSED == "Invalid webhook URL"


def test_one_bad_address_among_good_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver belongs to others: here is one that answers both."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("1.1.1.1", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    answer = post("https://rebinding.example/", b"{}", {})
    assert (answer.error, answer.permanent) == (REFUSED, True)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0), ("", 0), ("0", 0), ("5", 5), ("3600", 3600), ("99999999", 99_999_999), ("-5", 0), ("1.5", 0),
        ("x", 0), ("9" * 20, 0), ("٣", 0), ("5 ", 0), ("Sun, 01 Mar 2026 12:00:00 GMT", 0),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_nothing(header: str | None, seconds: int) -> None:
    assert retry_after(header).total_seconds() == seconds
