"""Forms, queries and cookies of pages."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import urlencode, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from dashboard import asked, service_form, sessions, weeks
from dashboard.asked import Form
from dashboard.views import sign_in
from medic_core.api.request import Request
from medic_core.domain.access.api_keys import VerifiedKey
from models.services import NewService
from pages import forms
from tests.fixtures.functions import gateway_event
from tests.fuzz import junk

TYPES = ["application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-8", "text/plain", ""]
SERVICE = [
    "heartbeat_name", "service_name", "every", "unit", "grace", "grace_unit", "expression", "timezone",
    "early_tolerance", "threshold", "priority", "runbook", "tags", "team",
]  # fmt: skip
moments = st.sampled_from([
    "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00", "2026-01-31T12:00", "2026-01-31", "2026-W05-1",
    "2026-01-31T24:00",
])  # fmt: skip
names = st.sampled_from([*SERVICE, "form", "at", "id"]) | junk.sent
pairs = st.lists(st.tuples(names, junk.sent | moments | st.sampled_from(["1", "days", "* * * * *"])), max_size=8)
form_bodies = pairs.map(lambda found: urlencode(found).encode()) | junk.raw
now = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())
session_values = st.builds(
    lambda *parts: ".".join(parts), junk.sent, junk.sent, st.just(str(now)) | junk.sent, junk.sent
)
cookies = (
    junk.sent
    | st.builds(
        lambda name, value: f"{name}={value}",
        st.sampled_from([sessions.COOKIE, sessions.SECURE_COOKIE, forms.COOKIE]),
        session_values | junk.sent | junk.sent.map(lambda text: f'"{text}"') | st.just('"\\377\\400' + "x" * 40 + '"'),
    )
)  # fmt: skip


class Colour(StrEnum):
    RED = "red"


def a_request(body: bytes = b"", **headers: str) -> Request:
    return Request.from_event(gateway_event("POST", "/ui", body, headers))


@given(form_bodies, st.sampled_from(TYPES), names)
def test_any_form_is_read_or_refused(body: bytes, content_type: str, name: str) -> None:
    form = junk.refused_or(Form.of, a_request(body, content_type=content_type))
    for field in [name, *form.values] if form is not None else []:
        for read in (form.text, form.line, form.words, form.lines, form.ticked, form.numbers, form.whole, form.moment):
            junk.refused_or(read, field)
        junk.refused_or(form.hours, field, 1)


@given(form_bodies)
def test_any_form_describes_a_service_or_is_refused(body: bytes) -> None:
    form = junk.refused_or(Form.of, a_request(body, content_type=TYPES[0]))
    if form is not None:
        junk.refused_or(service_form.written, form)
        junk.refused_or(service_form.team, form)
        found = junk.refused_or(service_form.configuration, form)
        junk.refused_or(asked.valid, NewService, {"heartbeat_name": "a", "service_name": "a", **(found or {})})


@given(form_bodies, st.sampled_from(TYPES))
def test_any_form_of_a_page_without_a_session_is_read_or_refused(body: bytes, content_type: str) -> None:
    junk.refused_or(forms.fields, body, {"content-type": content_type})


@given(junk.sent | moments)
def test_any_query_is_understood_or_refused(said: str) -> None:
    query = {"a": said}
    junk.refused_or(asked.chosen, query, "a", Colour)
    junk.refused_or(asked.asked_id, query, "a")
    junk.refused_or(asked.asked_line, query, "a")
    found = junk.refused_or(asked.moment, said.strip(), "a")
    assert found is None or found.tzinfo is UTC
    junk.refused_or(weeks.week_named, said)
    assert asked.again("/ui", query, b=said).startswith("/ui")


@given(cookies, junk.sent)
def test_no_cookie_that_was_not_signed_here_is_a_session(cookie: str, said: str) -> None:
    request = a_request(cookie=cookie)
    assert junk.refused_or(sessions._read, sessions._cookie(request), request.received_at) is None
    junk.refused_or(sessions.check_form, request, said)
    junk.refused_or(forms.check, request.headers, said, b"page")
    assert forms.set_cookie(forms.cookie(request.headers), "/ui", is_secure=True).count("\n") == 0


@given(st.integers(0, 2**53), st.integers(1, 100), junk.sent)
def test_a_session_with_anything_added_is_none(number: int, cut: int, added: str) -> None:
    key = VerifiedKey(number, "abcd", "a key", frozenset(), 1)
    cookie = sessions.begun(a_request(), key).partition(";")[0].partition("=")[2]
    received_at = a_request().received_at
    assert sessions._read(cookie, received_at).api_key_id == number
    for other in (cookie[:-cut], cookie + added):
        assert other == cookie or junk.refused_or(sessions._read, other, received_at) is None


@given(
    junk.sent | junk.sent.map(lambda text: f"/{text}") | st.sampled_from(["//a", "/\\a", "/\t/a", "https:a", "/%2fa"])
)
def test_nobody_is_sent_elsewhere_after_signing_in(path: str) -> None:
    assert not urlsplit(sign_in.safe(path)).netloc
    assert sign_in.safe(path).startswith("/")
