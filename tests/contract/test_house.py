"""House rules that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_MODULE, LONGEST_FUNCTION = 400, 60
OURS = [
    path
    for folder in ("layers/medic_core/medic_core", "functions", "local", "infra")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
#: Spelled apart, so that this file does not find itself.
INDEX_HOSTS = ("py" + "pi.org", "python" + "hosted", "registry.np" + "mjs", "deb.deb" + "ian")
LEFT_FOR_LATER = re.compile(r"\b(TO" + "DO|FIX" + "ME|XX" + "X|HA" + r"CK)\b")


def tracked() -> list[Path]:
    """The files that git knows and that are there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def found_in_tracked(pattern: re.Pattern[str]) -> list[str]:
    texts = {path: path.read_text(errors="replace") for path in tracked() if path.suffix != ".png"}
    return [str(path.relative_to(ROOT)) for path, text in texts.items() if pattern.search(text)]


@pytest.mark.xdist_group("one after the other")
def test_groups_of_tests_are_kept_together(request: pytest.FixtureRequest) -> None:
    """What may not run side by side says so with a mark, which versions of pytest and xdist have not seen together."""
    is_worker = hasattr(request.config, "workerinput")
    assert request.node.nodeid.endswith("@one after the other") or not is_worker


def test_there_is_something_to_look_at() -> None:
    assert len(OURS) > 50
    assert len(tracked()) > len(OURS)


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_have_one_idea_each(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_MODULE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, node.name


def test_nothing_is_left_for_later() -> None:
    assert found_in_tracked(LEFT_FOR_LATER) == []


def test_no_file_names_a_package_index() -> None:
    assert found_in_tracked(re.compile("|".join(map(re.escape, INDEX_HOSTS)))) == []
