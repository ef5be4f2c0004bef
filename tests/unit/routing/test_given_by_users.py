"""URLs and headers that users give: what is refused, and what of them is ever shown."""

from __future__ import annotations

import pytest

from medic_core.domain.routing.apprise_urls import valid_apprise_url
from medic_core.domain.routing.headers import MOST, valid_headers
from medic_core.domain.routing.redaction import shown_key, shown_scheme, shown_url
from medic_core.errors import BadRequest


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.com/hooks/medic", "https://example.com/hooks/medic"),
        ("https://example.com", "https://example.com"),
        ("https://example.com:8443/a/12", "https://example.com:8443/a/12"),
        ("https://example.com/hook?token=S3cret&x=1", "https://example.com/hook?token=***&x=***"),
        ("https://example.com/hook?S3cret", "https://example.com/hook?***"),
        ("https://user:S3cret@example.com/", "https://***@example.com/"),
        (
            "https://hooks.slack.com/services/T00000000/B00000000/a1B2c3D4e5F6g7H8i9J0k1L2",
            "https://hooks.slack.com/services/T00000000/B00000000/***",
        ),
        (
            "https://discord.com/api/webhooks/1234567890/aBcDeF_0123456789-xyz",
            "https://discord.com/api/webhooks/1234567890/***",
        ),
        ("https://[2606:4700::1111]:8443/x", "https://[2606:4700::1111]:8443/x"),
        ("https://example.com:99999/", "***"),
        ("https://example.com/a-perfectly-readable-path", "https://example.com/a-perfectly-readable-path"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_of_other_secrets_so_much_is_shown() -> None:
    assert shown_scheme("mailto://user:S3cret@example.com") == "mailto://***"
    assert shown_key("R" * 28 + "1234") == "***1234"
    assert shown_key("short") == "***"


@pytest.mark.parametrize(
    "url",
    [
        "mailto://user:password@example.com?to=a@example.com", "msteams://a/b/c/d", "discord://1/abc", "tgram://1:a/2",
        "sns://key/secret/eu-west-1/arn", "jsons://example.com/path?+X-Header=1", "ntfys://topic", "MAILTO://u:p@x.com",
        "gotify://host/token?priority=high", "slack://a/b/c/#general?footer=no",
    ],
)  # fmt: skip
def test_an_apprise_url_that_talks_to_a_network(url: str) -> None:
    assert valid_apprise_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "example.com", "://x", "1x://y", "mailto:user", "file:///etc/passwd", "exec://rm", "EXEC://rm",
        "dbus://", "gnome://", "kde://", "qt://", "glib://", "macosx://", "windows://", "syslog://", "SysLog://host",
        "blink1://", "vapid://user@example.com", "include://x", "script://x",
        "fcm://project@key/device?keyfile=/etc/passwd", "fcm://p@k/d?KeyFile=x", "vapids://a?subfile=x",
        "workflows://h/a/b?template=/etc/passwd",
        "discord://1/a?template=file:///etc/passwd", "mailto://u:p@x.com?pgpkey=/etc/keys/x",
        "json://x?attach=/etc/passwd",
        "tgram://1:a/2?anything=/etc/passwd", "tgram://1:a/2?x=~/.ssh/id", "tgram://1:a/2?x=file:///etc/passwd",
        "tgram://1:a/2?x=%2Fetc%2Fpasswd", "tgram://1:a/2?x=%252Fetc%252Fpasswd", "tgram://1:a/2?x=../x",
        "json://host/\r\nX: y", "json://ho st", "json://" + "a" * 3000,
    ],
)  # fmt: skip
def test_one_that_would_use_this_machine_or_is_none(url: str) -> None:
    with pytest.raises(BadRequest) as refused:
        valid_apprise_url(url, "config.url")
    assert refused.value.message.startswith("config.url")
    assert "etc" not in refused.value.message


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer x"}, {"X-Team": "infra, eu"}, {"x": ""}, {"User-Agent": "we"}]
)
def test_headers_that_can_be_sent(headers: dict[str, str]) -> None:
    assert valid_headers(headers) == headers


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ({"X": "a\r\nHost: evil"}, "must be a line"), ({"X": "a\nb"}, "must be a line"),
        ({"X": "a\x00"}, "must be a line"),
        ({"X": " a"}, "must be a line"), ({"X": "a\t"}, "must be a line"), ({"X": "\u00e4"}, "must be a line"),
        ({"X": "a" * 1001}, "must be a line"), ({"X\r\nY": "a"}, "no name of a header"), ({"X Y": "a"}, "no name"),
        ({"": "a"}, "no name"), ({"X:": "a"}, "no name"), ({"\u00e4": "a"}, "no name"),
        ({"Host": "evil"}, "Medic's to say"),
        ({"hOsT": "evil"}, "Medic's to say"), ({"Content-Length": "0"}, "Medic's"),
        ({"Transfer-Encoding": "chunked"}, "Medic's"),
        ({"Connection": "close"}, "Medic's"), ({"Webhook-Signature": "v1,x"}, "Medic's"),
        ({"webhook-id": "x"}, "Medic's"),
        ({"X": "a", "x": "b"}, "named twice"), ({f"X-{n}": "a" for n in range(MOST + 1)}, "at most 20"),
    ],
)  # fmt: skip
def test_headers_that_are_refused(headers: dict[str, str], problem: str) -> None:
    with pytest.raises(BadRequest, match=problem):
        valid_headers(headers)
