"""What docs/security.md says is stopped, is stopped by something that is there, and tried by a test that is there."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.contract.test_house import ROOT

TEXT = (ROOT / "docs" / "security.md").read_text()
FOLDERS = "docs|functions|infra|layers|migrations|requirements|tests"
#: A file, and a test in it where one is named.
NAMED = sorted(set(re.findall(rf"`((?:{FOLDERS})/[\w./-]+)(?:::(\w+))?`", TEXT)))
TESTS = [(path, name) for path, name in NAMED if name]
LINKS = re.findall(r"\]\(([^)#]+)\)", TEXT)
ROW = re.compile(r"^\| (?!---)(.+) \|$", re.MULTILINE)
#: Commands that try something, as make has them.
COMMANDS = sorted(set(re.findall(r"`make ([a-z]+)", TEXT)))


@cache
def defined_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_there_is_something_to_look_at() -> None:
    assert len(TESTS) > 60
    assert len(NAMED) - len(TESTS) > 40


@pytest.mark.parametrize("path", sorted({path for path, _ in NAMED}))
def test_every_file_that_is_named_is_there(path: str) -> None:
    assert (ROOT / path).is_file()


@pytest.mark.parametrize(("path", "name"), TESTS)
def test_every_test_that_is_named_is_there(path: str, name: str) -> None:
    assert name.startswith("test_")
    assert name in defined_in(path)


def test_every_threat_has_something_that_tries_it() -> None:
    """A row of a table whose last column is headed so names a test or a command."""
    for table in re.split(r"\n\n+", TEXT):
        heading, *rows = ROW.findall(table) or [""]
        if heading.endswith("Shown by"):
            assert rows
            assert [row for row in rows if not re.search(r"`(tests/\S+::\w+|make\b[a-z ]*)`", row)] == []


def test_links_lead_somewhere() -> None:
    assert LINKS
    assert [link for link in LINKS if not (ROOT / "docs" / link).is_file()] == []


def test_commands_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert [name for name in COMMANDS if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []
