"""URLs and headers that users give for what Medic calls, as the API's models take them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from medic_core.domain.access.addresses import InvalidUrl, destination
from medic_core.domain.routing import redaction
from medic_core.domain.routing.apprise_urls import LOCAL, valid_apprise_url
from medic_core.domain.routing.headers import valid_headers
from medic_core.domain.routing.targets import Channel
from models.reading import problems
from models.routing import NewTarget, NewWebhook, shown_config
from tests.fuzz import junk

HOSTS = ["a.example.com", "127.0.0.1", "[::1]", "[", "[::1%25eth0]", "a@b", "0x7f000001", "a:0", "a:99999"]
SCHEMES = ["http", "https", "HTTPS", "mailto", "file", "FILE", "slack", "json", "exec", "x" * 40]
RESTS = ["/p?attach=/etc/passwd", "?%61ttach=x", "?a=%2Fetc", "#", "/?+X-A=/b"]
urls = st.builds(
    lambda scheme, host, rest: f"{scheme}://{host}{rest}",
    st.sampled_from(SCHEMES),
    st.sampled_from(HOSTS) | junk.texts,
    st.sampled_from(RESTS) | junk.texts,
)
header_names = st.sampled_from(["Host", "X-A", "x-a"]) | junk.texts
headers = st.dictionaries(header_names, junk.texts | junk.values, max_size=3)
configs = st.one_of(
    junk.like(channel_id=junk.texts),
    junk.like(service_key=junk.texts),
    junk.like(url=urls),
    junk.like(url=urls, headers=headers),
)
targets = junk.like(type=st.sampled_from([str(kind) for kind in Channel]), config=configs, service_id=st.just(1))
webhooks = junk.like(url=urls, headers=headers, service_id=junk.numbers)


def read_or_told(model: TypeAdapter[Any], sent: Any) -> Any:
    """What a model makes of it; None where it says what is wrong."""
    try:
        return model.validate_python(sent)
    except ValidationError as error:
        return None if problems(error.errors()) else error


@given(urls | junk.texts)
def test_any_text_is_an_apprise_url_or_refused(text: str) -> None:
    found = junk.refused_or(valid_apprise_url, text)
    assert found is None or found.partition("://")[0].lower() not in LOCAL


@given(urls | junk.texts)
def test_any_text_is_a_destination_or_refused_and_can_be_shown(text: str) -> None:
    assert isinstance(redaction.shown_url(text), str)
    assert isinstance(redaction.shown_scheme(text), str)
    try:
        where = destination(text)
    except InvalidUrl:
        return
    assert where.host


@given(st.dictionaries(header_names, junk.texts, max_size=3))
def test_any_headers_are_a_line_each_or_refused(found: dict[str, str]) -> None:
    for name, value in (junk.refused_or(valid_headers, found) or {}).items():
        assert not {"\r", "\n", "\0"} & {*name, *value}


@given(targets | junk.values)
def test_any_target_is_one_that_can_be_shown_or_is_told_by_field(sent: Any) -> None:
    target = read_or_told(TypeAdapter(NewTarget), sent)
    assert target is None or shown_config(target.type, target.config.model_dump())


@given(webhooks | junk.values)
def test_any_webhook_is_one_or_is_told_by_field(sent: Any) -> None:
    assert isinstance(read_or_told(TypeAdapter(NewWebhook), sent), NewWebhook | None)
