"""House rules that no linter knows."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_MODULE, LONGEST_FUNCTION = 400, 60
OURS = [
    path
    for folder in ("layers/medic_core/medic_core", "functions", "local")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
#: Spelled apart, so that this file does not find itself.
INDEX_HOSTS = ("py" + "pi.org", "python" + "hosted", "registry.np" + "mjs", "deb.deb" + "ian")


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_have_one_idea_each(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_MODULE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, node.name


def test_no_file_names_a_package_index() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        text = (ROOT / name).read_text(errors="replace") if (ROOT / name).exists() else ""
        assert not [host for host in INDEX_HOSTS if host in text], name
