"""What a page was asked."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

import pytest

from dashboard.asked import Form, again, asked_id, asked_line, chosen, moment, number
from medic_core.api.request import Request
from medic_core.errors import BadRequest
from tests.fixtures.functions import gateway_event


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def sent(body: str, content_type: str = "application/x-www-form-urlencoded") -> Form:
    return Form.of(Request.from_event(gateway_event("POST", "/ui", body, {"content-type": content_type})))


def test_a_form_is_read_with_what_comes_several_times() -> None:
    form = sent("id=1&id=22&note=a%0D%0Ab&name=+x+&empty=")
    assert form.numbers("id") == [1, 22]
    assert (form.text("note"), form.line("name"), form.line("missing")) == ("a\nb", "x", "")
    assert (form.ticked("empty"), form.ticked("missing"), form.whole("missing")) == (True, False, None)


@pytest.mark.parametrize(
    ("body", "content_type", "said"),
    [
        ("{}", "application/json", "the form on the page"),
        ("&".join("a=1" for _ in range(301)), "application/x-www-form-urlencoded", "cannot be read"),
        ("a=" + "x" * 262_144, "application/x-www-form-urlencoded", "must not be longer"),
    ],
)
def test_what_is_no_form_is_refused(body: str, content_type: str, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        sent(body, content_type)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "\u0661", "9" * 17, "9007199254740992"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(BadRequest, match="hours: must be a whole number"):
        number(text, "hours")


@pytest.mark.parametrize("body", ["a=x%00y", "a=" + "x" * 501, "a=x%07y", "a=x%0Ay"])
def test_what_is_no_line(body: str) -> None:
    with pytest.raises(BadRequest, match="a: must"):
        sent(body).line("a")


def test_a_time_without_a_zone_is_utc() -> None:
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert moment("2026-01-31T12:00", "at") == moment("2026-01-31T13:00+01:00", "at") == noon
    assert moment("", "at") is None
    with pytest.raises(BadRequest, match="at: must be a time"):
        moment("tomorrow", "at")


@pytest.mark.parametrize("text", ["0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00", "1899-12-31T23:59"])
def test_a_time_that_nothing_can_be_reckoned_with_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="at: must"):
        moment(text, "at")


def test_what_was_chosen() -> None:
    assert chosen({"colour": "red"}, "colour", Colour) is Colour.RED
    assert chosen({"colour": ""}, "colour", Colour) is chosen({}, "colour", Colour) is None
    with pytest.raises(BadRequest, match="colour: must be one of red, blue"):
        chosen({"colour": "green"}, "colour", Colour)
    assert (asked_id({"id": " 7 "}, "id"), asked_id({}, "id")) == (7, None)
    with pytest.raises(BadRequest, match="name: must be a line"):
        asked_line({"name": "a\nb"}, "name")


def test_the_same_list_asked_again() -> None:
    query = {"name": "a&b", "status": "", "cursor": "x"}
    assert again("/ui/services", query, ["cursor"]) == "/ui/services?name=a%26b"
    assert again("/ui/services", query, cursor="y") == "/ui/services?name=a%26b&cursor=y"
    assert again("/ui/services", {}) == "/ui/services"
