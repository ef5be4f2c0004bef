"""docs/promises.md lists every promise once, and every test that it names is there."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.contract.test_house import ROOT

TEXT = (ROOT / "docs" / "promises.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
COUNT = 43
#: A file of tests; a class and a function in it where they are named.
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)((?:::\w+)*)`", TEXT)))
TESTS = [(path, name.removeprefix("::")) for path, name in NAMED if name]
#: The columns of a promise.
ROW = re.compile(r"^\| P(\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
PROMISES = {int(number): columns for number, *columns in ROW.findall(TEXT)}
LINKS = re.findall(r"\]\(([^)\s]+)\)", TEXT)
#: What is left to somebody with an account of AWS.
ONLY_ON_AWS = ["failover", "throttl", "Scheduler", "Step Functions", "IAM"]


@cache
def defined_in(path: str) -> set[str]:
    """Functions, classes, and the functions of classes as `Class::function`."""
    found: set[str] = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.ClassDef):
            found |= {node.name} | {f"{node.name}::{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
    return found


def test_every_promise_is_listed_once_and_in_order() -> None:
    assert [int(number) for number, *_ in ROW.findall(TEXT)] == list(range(1, COUNT + 1))
    assert len(re.findall(r"^\| P\d", TEXT, re.MULTILINE)) == COUNT


@pytest.mark.parametrize("number", range(1, COUNT + 1))
def test_every_promise_is_attacked_and_has_a_figure_or_is_said_not_to_be_one(number: int) -> None:
    promise, attacked_by, figure = PROMISES[number]
    assert "::test_" in attacked_by or promise.startswith("Not promised")
    assert re.search(r"\d|none|equal|exactly|—", figure)


def test_there_is_something_to_look_at() -> None:
    assert len(TESTS) > 60


@pytest.mark.parametrize("path", sorted({path for path, _ in NAMED}))
def test_every_file_that_is_named_is_there(path: str) -> None:
    assert (ROOT / path).is_file()


@pytest.mark.parametrize(("path", "name"), TESTS)
def test_every_test_that_is_named_is_there(path: str, name: str) -> None:
    assert name in defined_in(path)


def test_what_cannot_be_proved_here_is_checked_once_a_release() -> None:
    for what in ONLY_ON_AWS:
        assert what in TEXT.partition("| P1 |")[0]
    assert [link for link in LINKS if not (ROOT / "docs" / link.partition("#")[0]).is_file()] == []
    assert "operations.md#once-a-release" in LINKS
    assert re.search(r"^## Once a release$", OPERATIONS, re.MULTILINE)
