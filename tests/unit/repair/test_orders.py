"""What may be seen of orders and reports, and what of secrets in what scripts say: nothing."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.repair.orders import (
    HIDDEN,
    STDERR_MARK,
    Interpreter,
    ScriptOrder,
    ScriptReport,
    Verdict,
    mask,
)

SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=6, max_size=40)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def wrapped(text: str, width: int) -> str:
    return "\n".join(text[begin : begin + width] for begin in range(0, len(text), width))


def in_all_forms(secret: str) -> dict[str, str]:
    """How programs say it."""
    content = secret.encode()
    plain, url_safe = base64.b64encode(content).decode(), base64.urlsafe_b64encode(content).decode()
    return {
        "plain": secret,
        "base64": plain,
        "base64 without padding": plain.rstrip("="),
        "base64 for URLs": url_safe,
        "base64 in lines of 76": wrapped(plain, 76),
        "base64 in lines of 64": wrapped(plain, 64),
        "URL": quote(secret, safe=""),
        "path of a URL": quote(secret),
        "form": quote_plus(secret),
        "JSON": json.dumps(secret),
        "JSON with its letters": json.dumps(secret, ensure_ascii=False),
    }


@given(SECRETS, st.text(), st.text())
def test_no_secret_survives_in_any_form(secret: str, before: str, after: str) -> None:
    for name, form in in_all_forms(secret).items():
        shown = mask(before + form + after, [secret])
        assert form not in shown, name
        assert secret not in shown, name


@given(SECRETS, st.binary(max_size=5), st.binary(max_size=5))
def test_what_base64_shows_of_a_secret_between_other_things_is_no_more_than_its_ends(
    secret: str, before: bytes, after: bytes
) -> None:
    text = base64.b64encode(before + secret.encode() + after).decode()
    assert HIDDEN in mask(text, [secret])


@given(st.lists(SECRETS, min_size=1, max_size=5), st.data())
def test_of_secrets_that_overlap_none_survives(secrets: list[str], data: st.DataObject) -> None:
    text = "".join(data.draw(st.lists(st.sampled_from([*secrets, secrets[0][:3], HIDDEN, "x"]), max_size=12)))
    shown = mask(text, secrets)
    assert [secret for secret in secrets if secret in shown] == []


def test_each_line_of_a_secret_is_one() -> None:
    key = "-----BEGIN KEY-----\nc2VjcmV0LW9uZQ\n  c2VjcmV0LXR3bw\n-----END KEY-----\n"
    shown = mask(f"said: {' '.join(key.split())}", [key])
    assert "c2Vj" not in shown


@given(st.text(max_size=5), st.text())
def test_what_is_too_short_to_be_a_secret_hides_nothing(short: str, text: str) -> None:
    assert mask(text, [short]) == text


@given(st.text(alphabet="abc \n", max_size=60))
def test_what_has_no_secret_in_it_stays_as_it_is(text: str) -> None:
    assert mask(text, ["a-secret-value"]) == text


def an_order(**fields: Any) -> ScriptOrder:
    values: dict[str, Any] = {
        "execution_id": 1,
        "playbook_id": 2,
        "service_id": None,
        "step_index": 0,
        "attempt": 1,
        "name": "restart",
        "interpreter": Interpreter.BASH,
        "content": "echo content-canary",
        "sha256": "0" * 64,
        "parameters": {"TOKEN": "parameter-canary"},
        "context": {"SERVICE_NAME": "context-canary"},
        "timeout_seconds": 60,
        "hidden": ("hidden-canary",),
    }
    return ScriptOrder(**{**values, **fields})


@given(st.dictionaries(st.text(), JSON), st.dictionaries(st.text(), st.text()), st.lists(st.text()), st.text())
def test_an_order_is_read_as_it_was_written(
    parameters: dict[str, Any], context: dict[str, str], hidden: list[str], content: str
) -> None:
    order = an_order(parameters=parameters, context=context, hidden=tuple(hidden), content=content)
    assert ScriptOrder.from_bytes(order.to_bytes()) == order


@given(st.sampled_from(Verdict), st.none() | st.integers(0, 255), st.text(), st.text(), st.booleans(), st.booleans())
def test_a_report_is_read_as_it_was_written(
    verdict: Verdict, code: int | None, output: str, error: str, timed_out: bool, truncated: bool
) -> None:
    report = ScriptReport(verdict, code, output, error, timed_out, truncated)
    assert ScriptReport.from_bytes(report.to_bytes()) == report


@pytest.mark.parametrize("shown", [repr, str])
def test_what_is_printed_of_orders_and_reports_shows_no_content(shown: Any) -> None:
    assert "canary" not in shown(an_order())
    assert "canary" not in shown(ScriptReport(Verdict.DONE, 0, "output-canary"))


@pytest.mark.parametrize("read", [ScriptOrder.from_bytes, ScriptReport.from_bytes])
@pytest.mark.parametrize(
    "content", [b"", b"canary", b"[]", b"1", b'{"canary": 1}', b'{"interpreter": "canary"}', b"\xff"]
)
def test_what_is_none_says_so_and_shows_nothing(read: Any, content: bytes) -> None:
    with pytest.raises(ValueError, match="This is no") as raised:
        read(content)
    assert "canary" not in str(raised.value)


def test_an_order_whose_text_was_changed_is_not_what_was_registered() -> None:
    registered = an_order(content="", sha256="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    assert registered.is_what_was_registered
    assert not an_order(content=" ", sha256=registered.sha256).is_what_was_registered


def output_of(output: str, **fields: Any) -> Any:
    return ScriptReport(Verdict.DONE, 0, output, **fields).data["output"]


@given(st.dictionaries(st.text(alphabet="abc"), st.lists(st.integers(-9, 9) | st.text(alphabet="xyz é")), max_size=5))
def test_json_on_stdout_can_be_taken_apart(said: dict[str, Any]) -> None:
    assert output_of(json.dumps(said)) == said
    assert output_of(json.dumps(said, indent=1) + f"\n{STDERR_MARK}\nand a warning") == said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "done",
        '{"a": 1} and more',
        "NaN",
        "[1e999]",
        '{"a": -Infinity}',
        '"\\u0000"',
        '{"\\u0000": 1}',
        '["\\ud800"]',
        "[" * 60 + "]" * 60,
        "[" * 4000,
        "1" * 5000,
        f'{{"a": \n{STDERR_MARK}\n1}}',
    ],
)
def test_all_else_stays_text_and_so_does_what_a_database_would_not_keep(text: str) -> None:
    assert output_of(text) == text


def test_json_that_was_cut_off_stays_text() -> None:
    assert output_of("[1]", truncated=True) == "[1]"
