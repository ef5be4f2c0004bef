from __future__ import annotations

import sys
from pathlib import Path

import pytest

from infra import python313
from infra.python313 import Missing


def a_python(place: Path, version: str) -> Path:
    """A program that answers as an interpreter of this version would."""
    place.parent.mkdir(parents=True, exist_ok=True)
    code = f"import sys; sys.version_info = ({version}); sys.executable = {str(place)!r}; exec(sys.argv[2])"
    place.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{code.replace(chr(39), chr(34))}' \"$@\"\n")
    place.chmod(0o755)
    return place


def environment(home: Path, **more: str) -> dict[str, str]:
    return {"PYENV_ROOT": str(home), **more}


@pytest.fixture
def nothing_on_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))


def test_the_variable_is_an_order(tmp_path: Path) -> None:
    right = a_python(tmp_path / "right", "3, 13, 1")
    wrong = a_python(tmp_path / "wrong", "3, 12, 9")
    a_python(tmp_path / "versions" / "3.13.0" / "bin" / "python3.13", "3, 13, 0")
    assert python313.find(environment(tmp_path, PYTHON313=str(right))) == right
    for refused in (wrong, tmp_path / "is-not-there"):
        with pytest.raises(Missing, match=f"PYTHON313 is {refused}, which"):
            python313.find(environment(tmp_path, PYTHON313=str(refused)))


@pytest.mark.usefixtures("nothing_on_the_path")
def test_of_pyenvs_the_newest_that_runs_is_taken(tmp_path: Path) -> None:
    for version in ("3.13.2", "3.13.10"):
        a_python(tmp_path / "versions" / version / "bin" / "python3.13", version.replace(".", ", "))
    broken = tmp_path / "versions" / "3.13.11" / "bin" / "python3.13"
    broken.parent.mkdir(parents=True)
    broken.write_text("not a program")
    assert python313.find(environment(tmp_path)) == tmp_path / "versions" / "3.13.10" / "bin" / "python3.13"


def test_the_path_comes_first_but_a_shim_that_refuses_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_pyenv = a_python(tmp_path / "versions" / "3.13.0" / "bin" / "python3.13", "3, 13, 0")
    on_path = a_python(tmp_path / "bin" / "python3.13", "3, 13, 5")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert python313.find(environment(tmp_path)) == on_path
    on_path.write_text("#!/bin/sh\nexit 127\n")
    assert python313.find(environment(tmp_path)) == in_pyenv


@pytest.mark.usefixtures("nothing_on_the_path")
def test_where_there_is_none_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"PYTHON313=/path/to/python3\.13 names one"):
        python313.find(environment(tmp_path))
