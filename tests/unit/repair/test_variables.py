"""Filling in variables: one pass, no secret where it does not belong, no host that nobody allowed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.repair.variables import (
    CannotRender,
    Values,
    fill,
    fill_all,
    fill_header,
    fill_headers,
    fill_url,
    secrets_in,
    unknown_in,
    url_problem,
)

CONTEXT: dict[str, Any] = {
    "SERVICE_NAME": "worker 1/a",
    "N": 3,
    "NOTHING": None,
    "EMPTY": "",
    "HOST": "inner.example.com",
}
OUTPUTS: dict[str, Any] = {
    "restart": {"status": "completed", "output": {"items": [{"id": 7}], "ok": True, "none": None}}
}
VALUES = Values(CONTEXT, OUTPUTS, {"TOKEN": "S3cret", "LINES": "a\r\nb"})
MASKED = Values(CONTEXT, OUTPUTS, None)


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("", ""),
        ("no variables, $NAME, {x}, ${}", "no variables, $NAME, {x}, ${}"),
        ("${SERVICE_NAME}", "worker 1/a"),
        ("${N} of ${N}", "3 of 3"),
        ("${UNKNOWN} ${NOTHING} ${ N } ${N", "${UNKNOWN} ${NOTHING} ${ N } ${N"),
        ("Bearer ${secrets.TOKEN}", "Bearer S3cret"),
        ("${restart.status}: ${restart.output.items.0.id}", "completed: 7"),
        ("${restart.output.items} ${restart.output.ok}", '[{"id": 7}] true'),
        ("${restart.output.items.1.id} ${restart.output.none}", "${restart.output.items.1.id} ${restart.output.none}"),
        ("${EMPTY}x", "x"),
    ],
)
def test_fill(template: str, filled: str) -> None:
    assert fill(template, VALUES) == filled


def test_a_body_is_filled_in_everywhere_and_keeps_its_types() -> None:
    body = {
        "${SERVICE_NAME}": ["${N}", 1, None, True, {"deep": "${secrets.TOKEN}"}],
        "ok": "${restart.output.ok}",
        "items": "${restart.output.items}",
        "text": "is ${restart.output.ok}",
        "unknown": "${restart.nothing}",
    }
    assert fill_all(body, VALUES) == {
        "worker 1/a": ["3", 1, None, True, {"deep": "S3cret"}],
        "ok": True,
        "items": [{"id": 7}],
        "text": "is true",
        "unknown": "${restart.nothing}",
    }
    with pytest.raises(CannotRender, match="two keys"):
        fill_all({"${N}": 1, "3": 2}, VALUES)


def test_whoever_starts_an_execution_cannot_speak_for_a_step() -> None:
    values = Values(
        {"restart": "forged", "restart.status": "forged", "secrets.TOKEN": "forged"}, OUTPUTS, {"TOKEN": "x"}
    )
    assert fill("${restart.status} ${secrets.TOKEN}", values) == "completed x"
    assert fill_all("${restart}", values) == OUTPUTS["restart"]


@given(st.text(st.sampled_from("${}secrtTOKEN._N"), max_size=40) | st.just("${secrets.TOKEN}"))
def test_what_is_filled_in_is_never_looked_at_again(value: str) -> None:
    values = Values(
        {"A": value, "B": "b", "N": "n"}, {"o": {"x": value, "l": [value]}}, {"TOKEN": "S3cret", "T": value}
    )
    assert fill("<${A}${o.x}${secrets.T}>", values) == f"<{value}{value}{value}>"
    assert fill_all({"${A}": "${A}", "-l-": ["${o.l}"]}, values) == {value: value, "-l-": [[value]]}
    if value:
        assert "S3cret" not in fill_url("https://a.example.com/x?y=${A}", values, ())


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_outputs_inside_of_text_are_json(output: Any) -> None:
    values = Values({}, {"o": {"x": output}}, None)
    filled = fill("<${o.x}>", values)[1:-1]
    if output is None:
        assert filled == "${o.x}"
    else:
        assert (filled if isinstance(output, str) else json.loads(filled)) == output


def test_secrets_are_masked_where_none_are_given_and_never_shown() -> None:
    assert fill("Bearer ${secrets.TOKEN} ${secrets.OTHER}", MASKED) == "Bearer *** ***"
    assert (
        fill_url("https://a.example.com/${secrets.TOKEN}?k=${secrets.X}", MASKED, ())
        == "https://a.example.com/***?k=***"
    )
    assert "S3cret" not in repr(VALUES)


@pytest.mark.parametrize("how", [fill, fill_all, fill_header, lambda template, values: fill_url(template, values, ())])
def test_a_missing_secret_is_named(how: Any) -> None:
    with pytest.raises(CannotRender, match="there is no secret MISSING"):
        how("https://a.example.com/${secrets.MISSING}", VALUES)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("${secrets.LINES}", "one line"),
        ("${C}", "one line"),
        ("a\x00", "one line"),
        ("a\tb", "one line"),
        ("\x85", "one line"),
        ("${SNOW}", "Latin letters"),
        ("${HALF}", "Latin letters"),
    ],
)
def test_a_header_stays_one_line_of_latin_letters(template: str, message: str) -> None:
    values = Values({"C": "x\nInjected: 1", "SNOW": "☃", "HALF": "\ud800"}, {}, VALUES.secrets)
    with pytest.raises(CannotRender, match=message) as error:
        fill_header(template, values)
    assert "Injected" not in str(error.value)
    assert "\r" not in str(error.value)


def test_headers() -> None:
    assert fill_header("Müller ${N}", VALUES) == "Müller 3"
    assert fill_headers({"X-${N}": "Bearer ${secrets.TOKEN}"}, VALUES) == {"X-3": "Bearer S3cret"}
    for headers, message in [
        ({"X ${N}": "x"}, "no name of a header"),
        ({"${A}": "x"}, "belongs to the connection"),
        ({"X-3": "x", "x-${N}": "y"}, "named twice"),
    ]:
        with pytest.raises(CannotRender, match=message):
            fill_headers(headers, Values({"N": 3, "A": "Content-Length"}, {}, {}))


@pytest.mark.parametrize(
    ("template", "allowed", "url"),
    [
        ("https://a.example.com/x", (), "https://a.example.com/x"),
        ("https://a.example.com/${SERVICE_NAME}/x?n=${N}", (), "https://a.example.com/worker%201%2Fa/x?n=3"),
        ("https://a.example.com?n=${EMPTY}", (), "https://a.example.com?n="),
        ("https://a.example.com/${restart.output.items.0.id}", (), "https://a.example.com/7"),
        (
            "https://a.example.com/?q=${restart.output.items}",
            (),
            "https://a.example.com/?q=%5B%7B%22id%22%3A%207%7D%5D",
        ),
        ("https://a.example.com/${secrets.TOKEN}", (), "https://a.example.com/S3cret"),
        ("https://${HOST}/x", ("inner.example.com",), "https://inner.example.com/x"),
        ("https://${HOST}:9000/x", ("inner.example.com:9000",), "https://inner.example.com:9000/x"),
        ("${BASE}/${N}", ("base.example.com",), "https://base.example.com/api/3"),
    ],
)
def test_a_url_that_may_be_called(template: str, allowed: tuple[str, ...], url: str) -> None:
    values = Values(CONTEXT | {"BASE": "https://base.example.com/api"}, OUTPUTS, VALUES.secrets)
    assert fill_url(template, values, allowed) == url


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("https://a.example.com/${UNKNOWN}", "UNKNOWN is unknown"),
        ("https://a.example.com/${NOTHING}", "NOTHING is unknown"),
        ("https://a.example.com/${restart.nope}?x=1", "restart.nope is unknown"),
        ("https://a.example.com/${EMPTY}/restart", "EMPTY is empty"),
        ("https://a.example.com/${N", "begins no variable"),
        ("https://a.example.com/${UP}/x", "climb"),
        ("https://a.example.com/${DOT}${DOT}/x", "climb"),
        ("https://a.example.com/%2e${DOT}/x", "climb"),
        ("https://a.example.com/${HALF}", "not proper text"),
        ("https://${HOST}/x", "HOST would decide the host of the URL, and inner.example.com is not among"),
        ("https://${HOST}", "HOST would decide"),
        ("https://a.example.com:${N}/x", "port not allowed"),
        ("https://a.example.com:${PORT}/x", "PORT would decide"),
        ("${SCHEME}://a.example.com/", "SCHEME would decide"),
        ("${BASE}/x", "BASE would decide"),
        ("${BASE}.evil.example.com/", "BASE would decide"),
        ("${HALF}", "cannot be called"),
        ("https://allowed.example.com${AT}/x", "cannot be a part of a URL's host"),
        ("https://${SLASH}/x", "cannot be a part of a URL's host"),
        ("https://${secrets.TOKEN}/x", "secrets.TOKEN cannot be a part of a URL's scheme, host or port"),
        ("https://allowed.example.com:${secrets.TOKEN}/", "secrets.TOKEN cannot be a part"),
        ("${secrets.TOKEN}/x", "secrets.TOKEN cannot be a part"),
        ("${BASE_OPEN}${secrets.TOKEN}", "secrets.TOKEN cannot be a part"),
        ("https://user:x@a.example.com/", "cannot be called"),
        ("https://a.example.com/a b", "cannot be called"),
        ("ftp://a.example.com/", "cannot be called"),
        ("https://a.example.com/" + "x" * 2048, "cannot be called"),
    ],
)
def test_a_url_that_may_not_be_called(template: str, message: str) -> None:
    more = {
        "UP": "..", "DOT": ".", "HALF": "\ud800", "PORT": "8443", "SCHEME": "https", "BASE": "https://b.example.com",
        "AT": "@evil.example.com", "SLASH": "allowed.example.com/elsewhere", "BASE_OPEN": "https://b.example.com",
    }  # fmt: skip
    with pytest.raises(CannotRender) as error:
        fill_url(template, Values(CONTEXT | more, OUTPUTS, VALUES.secrets), ("allowed.example.com",))
    assert message in str(error.value)
    assert "S3cret" not in str(error.value)


@given(st.text(min_size=1))
def test_no_value_leaves_the_path_that_it_was_written_into(value: str) -> None:
    values = Values({"A": value}, {}, {})
    try:
        url = fill_url("https://a.example.com/one/${A}/two?x=${A}#y", values, ())
    except CannotRender:
        return
    before, after = url.removeprefix("https://a.example.com/one/").split("/two?x=")
    assert after == f"{before}#y"
    assert before.isascii()
    assert not set(before) & set("/?#\\@ ")


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("https://a.example.com", None),
        ("https://a.example.com?mail=a@b", None),
        ("http://${HOST}:${PORT}/x/${secrets.T}?y=${Z}", None),
        ("${BASE}/x?k=${secrets.T}", None),
        ("ftp://a", "must begin with"),
        ("", "must begin with"),
        ("HTTPS://a", "must begin with"),
        ("https://", "must have a host"),
        ("https:///x", "must have a host"),
        ("https://u:p@a.example.com/", "nothing before an @"),
        ("https://a.example.com/ü", "must be ASCII"),
        ("https://a.example.com/a b", "must be ASCII"),
        ("https://a.example.com\\@b/", "must be ASCII"),
        ("https://a.example.com/${x", "begins no variable"),
        ("${x/y", "begins no variable"),
        ("https://${secrets.HOST}/x", "must not have a secret"),
        ("https://a.example.com:${secrets.PORT}", "must not have a secret"),
        ("https://${secrets.USER}@a.example.com/", "must not have a secret"),
        ("${secrets.URL}", "must not have a secret"),
        ("https://a/" + "x" * 2048, "at most 2048"),
    ],
)
def test_what_is_wrong_with_a_url_whatever_is_filled_in(template: str, problem: str | None) -> None:
    found = url_problem(template)
    assert (found is None) if problem is None else (found is not None and problem in found)


def test_what_a_value_asks_for() -> None:
    body = {"${A}": ["${secrets.X} ${secrets.Y}", {"b": "${o.x} ${o.y} ${N}"}], "c": 1}
    assert secrets_in(body) == {"X", "Y"}
    assert unknown_in(body, Values({"N": "1"}, {"o": {"x": 1}}, {})) == {"A", "o.y"}
