from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.access.addresses import Destination, InvalidUrl, destination, is_excepted, is_public

LONGEST = 2048
INSIDE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.0", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1",
    "127.255.255.254", "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1",
    "192.0.0.170", "192.0.2.1", "192.88.99.1", "192.168.0.0", "192.168.255.255", "198.18.0.1", "198.19.255.255",
    "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::169.254.169.254", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1",
    "2001:0:7f00:1::", "2001:20::1", "2001:db8::1", "2002:7f00:1::1", "2002:a9fe:a9fe::1", "2002:a00:1::1", "3fff::1",
    "4000::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fdff::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
    "ff0e::1",
]  # fmt: skip
OUTSIDE = [
    "1.1.1.1", "9.255.255.255", "11.0.0.0", "93.184.216.34", "100.63.255.255", "100.128.0.0", "126.255.255.255",
    "128.0.0.1", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0",
    "223.255.255.255", "::ffff:8.8.8.8", "2001:200::1", "2001:4860:4860::8888", "2003::1", "2606:4700::1111",
    "2a00:1450::1",
]  # fmt: skip
#: Refused by their spelling alone.
REFUSED = [
    "", " ", "x", "example.com", "example.com:80", "//example.com", "/path", "?x", "#x", "http", "http:", "http:/",
    "http://", "https://", "http:///path", "http://?x", "http://#x", "http://:80", "http://:80/", "http:example.com",
    "ftp://example.com", "file:///etc/passwd", "file://example.com/x", "gopher://example.com", "dict://127.0.0.1:80/",
    "javascript:alert(1)", "data:text/plain,x", "unix:///run/x.sock", "ws://example.com", "jar:http://example.com!/",
    "http+unix://x", "httpx://example.com", "hhttp://example.com",
    "http://user@example.com", "http://user:pass@example.com", "http://@example.com", "http://:@example.com",
    "http://example.com@127.0.0.1", "http://127.0.0.1@example.com", "http://example.com:80@127.0.0.1/",
    "http://a@b@example.com", "http://user%40x@example.com",
    "http://example.com:22", "http://example.com:25", "http://example.com:0", "http://example.com:1",
    "http://example.com:81", "http://example.com:5432", "http://example.com:6379", "http://example.com:65535",
    "http://example.com:65536", "http://example.com:99999", "http://example.com:-80", "http://example.com:+80",
    "http://example.com:8_0", "http://example.com:x", "http://example.com:80x", "http://example.com:80:80",
    "http://example.com:0x50", "http://example.com:\uff18\uff10", "http://example.com:\u0668\u0660",
    "http://exa mple.com", " http://example.com", "http://example.com ", "http://example.com/a b",
    "http://example.com\t/", "\thttp://example.com", "http://exam\tple.com", "http://example.com\n", "ht\ntp://x.com",
    "http://example.com\r\nHost: x", "http://example.com/\r\n\r\nGET /", "http://example.com/\x00", "\x00http://x.com",
    "http://example.com/\x7f", "http://example.com/\x85", "http://example.com/\x1b[0m", "http://example.com/\u2028",
    "http://example.com/\u200b", "http://example.com/\ud800",
    "http://example\\.com", "http:\\\\example.com", "http://example.com\\@127.0.0.1/", "http://127.0.0.1\\.x.com/",
    "http://\uff11\uff12\uff17.0.0.1", "http://127\u30020\u30020\u30021/", "http://\u2460\u2461\u2466.0.0.1/",
    "http://\u0661\u0662\u0667.0.0.1/", "http://ex\u00e4mple.com", "http://\u24d4xample.com/",
    "http://example.com/\u00e4", "http://l\u00f3calhost/", "http://\u017flack.com/",
    "http://[::1", "http://::1]/", "http://[::1/]", "http://[]/", "http://[127.0.0.1]/",
    "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[::1%2525]/", "http://[x]/", "http://[:::1]/",
    "http://%31%32%37.0.0.1/", "http://example%2ecom/", "http://127.0.0.1%00.example.com/", "http://%5b::1%5d/",
    "http://example.com/" + "x" * LONGEST, "http://" + "a" * LONGEST + ".com/",
]  # fmt: skip
#: Well spelled, and an address of the inside in one of its many spellings.
TO_THE_INSIDE = [
    "http://127.0.0.1", "http://127.0.0.1:8080/", "http://127.1/", "http://127.0.1/", "http://0/", "http://0.0.0.0/",
    "http://2130706433/", "http://0x7f000001/", "http://0X7F000001/", "http://0x7f.0.0.1/", "http://0x7f.1/",
    "http://017700000001/", "http://0177.0.0.1/", "http://0177.1/", "http://00000177.0.0.1/", "http://0x7f.0x0.0x0.0x1/",
    "http://127.0.0.01/", "http://127.000.000.001/", "https://169.254.169.254/latest/meta-data", "http://2852039166/",
    "http://0xa9fea9fe/", "http://0251.0376.0251.0376/", "http://169.254.43518/", "http://10.1.2.3/", "http://167837953/",
    "http://192.168.0.1:8080/", "http://172.16.1/", "http://100.64.0.1/", "http://224.0.0.1/",
    "http://255.255.255.255/", "http://[::]/", "http://[::1]/", "http://[::1]:8443/", "http://[0:0:0:0:0:0:0:1]/",
    "http://[0000:0000:0000:0000:0000:0000:0000:0001]/", "http://[::127.0.0.1]/", "http://[::ffff:7f00:1]/",
    "http://[::ffff:127.0.0.1]/", "http://[::FFFF:169.254.169.254]/", "http://[0:0:0:0:0:ffff:a9fe:a9fe]/",
    "http://[64:ff9b::a9fe:a9fe]/", "http://[64:ff9b::127.0.0.1]/", "http://[2002:7f00:1::]/",
    "http://[2002:a9fe:a9fe::1]/", "http://[2001:0:7f00:1::]/", "http://[fd00:ec2::254]/", "http://[fe80::1]/",
    "http://[ff02::1]/", "http://127.0.0.1#@example.com:1", "http://127.0.0.1?@example.com", "http://127.0.0.1/@x.com",
    "HTTP://127.0.0.1/", "http://127.0.0.1:/", "http://127.0.0.1:080/",
]  # fmt: skip


def numbers_behind(where: Destination) -> set[str]:
    """What the machine's resolver makes of a host that is a number; no name is looked up."""
    found = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return {str(entry[4][0]) for entry in found}


@pytest.mark.parametrize("address", INSIDE)
def test_the_inside_is_not_public(address: str) -> None:
    assert is_public(address) is False


@pytest.mark.parametrize("address", OUTSIDE)
def test_the_outside_is(address: str) -> None:
    assert is_public(address) is True


@given(st.integers(0, 2**32 - 1))
def test_a_mapped_address_is_judged_as_what_it_maps(number: int) -> None:
    address = IPv4Address(number)
    assert is_public(f"::ffff:{address}") == is_public(str(address))


@given(st.integers(0, 2**32 - 1), st.sampled_from(["::", "64:ff9b::", "64:ff9b:1::", "::ffff:0:0:0"]))
def test_no_translation_leads_out_or_in(number: int, prefix: str) -> None:
    assert is_public(str(IPv6Address(int(IPv6Address(prefix)) + number))) is False


@pytest.mark.parametrize("url", REFUSED)
def test_urls_that_are_not_plain_are_refused(url: str) -> None:
    with pytest.raises(InvalidUrl):
        destination(url)


@pytest.mark.parametrize("url", TO_THE_INSIDE)
def test_no_spelling_of_an_inner_address_passes(url: str) -> None:
    assert not any(is_public(address) for address in numbers_behind(destination(url)))


@given(st.text(alphabet=st.sampled_from("htps:/@[]%.\\#?127x \t\u0661") | st.characters()))
def test_any_text_is_taken_apart_or_refused(text: str) -> None:
    for url in (text, f"http://{text}", f"http://x.com{text}"):
        try:
            where = destination(url)
        except InvalidUrl:
            continue
        assert where.scheme in {"http", "https"}
        assert where.host.isascii()
        assert where.path.isprintable()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://hooks.example", Destination("http", "hooks.example", 80, "/")),
        ("https://hooks.example", Destination("https", "hooks.example", 443, "/")),
        ("https://Hooks.EXAMPLE/a/B?c=D#e", Destination("https", "hooks.example", 443, "/a/B?c=D")),
        ("http://hooks.example:8080/x", Destination("http", "hooks.example", 8080, "/x")),
        ("https://hooks.example:8443", Destination("https", "hooks.example", 8443, "/")),
        ("http://hooks.example:443", Destination("http", "hooks.example", 443, "/")),
        ("http://hooks.example?a=b", Destination("http", "hooks.example", 80, "/?a=b")),
        ("https://xn--exmple-cua.com/%C3%A4", Destination("https", "xn--exmple-cua.com", 443, "/%C3%A4")),
        ("http://hooks.example/@me?x=@you", Destination("http", "hooks.example", 80, "/@me?x=@you")),
        ("http://1.1.1.1/", Destination("http", "1.1.1.1", 80, "/")),
        ("http://[2606:4700::1111]:8080/", Destination("http", "2606:4700::1111", 8080, "/")),
        ("https://hooks.slack.com/T0/x-_~", Destination("https", "hooks.slack.com", 443, "/T0/x-_~")),
    ],
)  # fmt: skip
def test_a_plain_url_is_taken_apart_once(url: str, expected: Destination) -> None:
    assert destination(url) == expected


def test_the_longest_url_is_2048_characters() -> None:
    start = "http://hooks.example/"
    assert destination(start + "x" * (LONGEST - len(start))).host == "hooks.example"
    with pytest.raises(InvalidUrl):
        destination(start + "x" * (LONGEST - len(start) + 1))


@pytest.mark.parametrize(
    ("url", "allowed", "passes"),
    [
        ("http://inner:5000", (), False),
        ("http://inner:5000", ("inner",), True),
        ("http://INNER:5000", ("inner",), True),
        ("http://inner:5000", ("inner:5000",), True),
        ("http://inner:5000", ("inner:5001",), False),
        ("http://inner:5000", ("inne", "inner.example", "xinner"), False),
        ("http://x.inner:5000", ("inner",), False),
        ("http://inner.:5000", ("inner",), True),
    ],
)
def test_only_the_host_that_the_operator_named_may_use_any_port(
    url: str, allowed: tuple[str, ...], passes: bool
) -> None:
    if passes:
        assert is_excepted(destination(url, allowed), allowed)
    else:
        with pytest.raises(InvalidUrl):
            destination(url, allowed)


@pytest.mark.parametrize("url", ["http://user@inner:5000", "ftp://inner", "http://inner:5000/\r\nx", "http://inn\\er"])
def test_an_exception_is_for_where_it_lies_not_for_how_it_is_spelled(url: str) -> None:
    with pytest.raises(InvalidUrl):
        destination(url, ("inner", "inn"))


def test_only_the_named_port_of_a_host_is_excepted() -> None:
    where = destination("http://inner:8080/")
    assert is_excepted(where, ("inner:8080",)) is True
    assert is_excepted(where, ("inner:80", "inner:443")) is False
