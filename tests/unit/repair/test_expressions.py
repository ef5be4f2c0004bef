"""The `if:` of a step: what it means, and that nothing else can be done in it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medic_core.domain.repair.expressions import ExpressionError, parse

CONTEXT: dict[str, Any] = {
    "CONSECUTIVE_FAILURES": "12",
    "SERVICE_NAME": "worker-eu",
    "EMPTY": "",
    "ZERO": "0",
    "NO": "false",
    "TRIGGER_ID": 7,
    "restart": "said by whoever started it",
}
OUTPUTS: dict[str, Any] = {
    "restart": {"status": "completed", "output": {"items": [{"id": 3}], "code": 200, "ok": True, "content-type": "x"}},
}


@pytest.mark.parametrize(
    "text",
    [
        "true",
        "not false",
        "1",
        "'x'",
        "[0]",
        "CONSECUTIVE_FAILURES >= 3",
        "CONSECUTIVE_FAILURES == 12.0",
        "${CONSECUTIVE_FAILURES} > 9",
        "TRIGGER_ID == 7 and TRIGGER_ID == '7'",
        "SERVICE_NAME == 'worker-eu'",
        'SERVICE_NAME == "worker-eu"',
        "'eu' in SERVICE_NAME",
        "'us' not in SERVICE_NAME",
        "SERVICE_NAME in ['a', \"worker-eu\"]",
        "CONSECUTIVE_FAILURES in [1, 12]",
        "SERVICE_NAME > 'worker-a'",
        "restart.status == 'completed'",
        "${restart.status} == 'completed'",
        "restart.output.items.0.id == 3",
        "restart.output.code in [200, 201]",
        "restart.output.content-type == 'x'",
        "restart.output.ok",
        "restart.output.ok == true",
        "NO == false",
        "UNKNOWN == null",
        "restart.output.items.1.id == null",
        "restart.status.further == null",
        "null == null",
        "not null",
        "not UNKNOWN",
        "not EMPTY",
        "not ZERO",
        "not NO",
        "not []",
        "true or false and false",
        "not false and true",
        "not (true and false)",
        "(false or true) and true",
        "-1 < 0",
        "1e3 == 1000",
        "[1, 'a'] == [1, 'a']",
        "  true\n",
    ],
)
def test_it_is_so(text: str) -> None:
    assert parse(text).is_true(CONTEXT, OUTPUTS)


@pytest.mark.parametrize(
    "text",
    [
        "false",
        "null",
        "0",
        "''",
        "CONSECUTIVE_FAILURES < 3",
        "1 == true",
        "1 in [true]",
        "'1' == '1.0'",
        "SERVICE_NAME > 3",
        "null < 1",
        "null <= null",
        "true > false",
        "[1] < [2]",
        "restart < 1",
        "1 in 12",
        "3 in restart",
        "CONSECUTIVE_FAILURES",
        "UNKNOWN",
        "UNKNOWN.status",
        "SERVICE_NAME.length",
        "restart == 'said by whoever started it'",
    ],
)
def test_it_is_not_so(text: str) -> None:
    assert not parse(text).is_true({} if text == "CONSECUTIVE_FAILURES" else CONTEXT, OUTPUTS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at character 1: something is missing here"),
        ("A ==", "at character 5: something is missing here"),
        ("A = 1", "at character 3: '=' is not understood: write =="),
        ("A && B", "at character 3: '&' is not understood: write and"),
        ("!A", "at character 1: '!' is not understood: write not"),
        ("A + 1", "at character 3: '+' is not understood"),
        ("A B", "at character 3: 'B' cannot stand here"),
        ("(A", "at character 3: ) is expected here"),
        ("A)", "at character 2: ')' cannot stand here"),
        ("[1 2]", "at character 4: , is expected here"),
        ("[1", "at character 3: , is expected here"),
        ("1 < 2 < 3", "at character 7: comparisons cannot be chained"),
        ("'a", "at character 1: the closing ' is missing"),
        ('x == "a', 'at character 6: the closing " is missing'),
        ("$A", "at character 1: a variable is written ${NAME}"),
        ("${ A }", "at character 1: a variable is written ${NAME}"),
        ("'${A}' == 'x'", "at character 1: variables are not filled in between quotes"),
        ("True", "at character 1: write true in lower case, or ${True}"),
        ("A AND B", "at character 3: 'AND' cannot stand here"),
        ("and", "at character 1: and cannot stand here"),
        ("12abc", "at character 1: a number or a name is spelled wrongly here"),
        ("a..b", "at character 1: a number or a name is spelled wrongly here"),
        ("1" * 41, "at character 1: a number has at most 40 characters"),
        ("\u00a0", "at character 1: '\\xa0' is not understood"),
        ("__import__('os')", "at character 11: '(' cannot stand here"),
        ("lambda: 1", "at character 7: ':' is not understood"),
        ("secrets.TOKEN == 'x'", "at character 1: secrets cannot be used in an expression"),
        ("${secrets.TOKEN}", "at character 1: secrets cannot be used in an expression"),
        ("not " * 21 + "A", "nested more than 20 deep"),
        ("(" * 21 + "A" + ")" * 21, "nested more than 20 deep"),
        ("[" * 21 + "A" + "]" * 21, "nested more than 20 deep"),
        ("A or " * 100 + "A", "at most 500 characters; this one has 501"),
    ],
)
def test_what_cannot_be_understood_says_where_and_what_to_write(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as error:
        parse(text)
    assert message in str(error.value)


def test_as_long_and_as_deep_as_allowed() -> None:
    assert parse("(" * 20 + "A" + ")" * 20).is_true({"A": "x"}, {})
    assert parse("A or " * 99 + "true").is_true({}, {})


def test_expressions_are_values() -> None:
    assert parse("A == 1") == parse("A == 1") != parse("A == 2")
    assert hash(parse("A")) == hash(parse("A"))
    assert repr(parse("A")) == "Expression(text='A')"
    assert parse("a.status == 1 and ${b.output} or C").registered == {"a", "b"}


def test_very_deep_outputs_are_not_equal_rather_than_an_error() -> None:
    one: list[Any] = []
    other: list[Any] = []
    for _ in range(100_000):
        one, other = [one], [other]
    assert not parse("a.x == b.x").is_true({}, {"a": {"x": one}, "b": {"x": other}})


WORDS = [
    "and",
    "or",
    "not",
    "in",
    "==",
    "<",
    ">=",
    "(",
    ")",
    "[",
    "]",
    ",",
    "A",
    "a.b.0",
    "${B}",
    "1",
    "'x'",
    "null",
    "true",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab01"), inner, max_size=3),
    max_leaves=8,
)


@given(st.text() | st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), JSON, JSON)
def test_any_text_is_understood_or_refused_and_never_raises_afterwards(text: str, known: Any, output: Any) -> None:
    try:
        expression = parse(text)
    except ExpressionError:
        return
    assert expression.is_true({"A": known, "B": output}, {"a": output}) in {True, False}
