"""What is deployed has bytecode, made of its very source by Lambda's own Python, and nothing that nobody reads."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from tests.built.emulator import Build

#: Run by the Python that was built for: it alone knows what its bytecode must look like.
CHECK = """
import importlib.util, pathlib, sys
checked = 0
for source in pathlib.Path(sys.argv[1]).rglob("*.py"):
    compiled = pathlib.Path(importlib.util.cache_from_source(source))
    if not compiled.exists():
        print(source, "has none")
        continue
    head = compiled.read_bytes()[:16]
    wanted = importlib.util.source_hash(source.read_bytes())
    if head[:4] != importlib.util.MAGIC_NUMBER:
        print(source, "has one of another Python")
    elif int.from_bytes(head[4:8], "little") != 0b01:
        print(source, "has one that is looked at by time, or against its source")
    elif head[8:] != wanted:
        print(source, "has one of another source")
    checked += 1
print(checked, "checked")
"""
#: Of Lambda: for a function with its layers, unzipped.
MOST_BYTES = 250_000_000
#: Of a zip that is uploaded directly; larger ones go by S3, which is what SAM does anyway.
MOST_ZIPPED = 50_000_000


def built_folders(build: Build) -> Iterator[Path]:
    yield build.folder / "CoreLayer" / "python"
    yield from (build.folder / name for name in sorted(build.functions))


def check(build: Build, folder: Path) -> list[str]:
    command = [build.python, "-c", CHECK, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_every_module_has_bytecode_that_lambda_takes_without_a_look_at_the_source(build: Build) -> None:
    for folder in built_folders(build):
        *problems, checked = check(build, folder)
        assert problems == [], folder
        assert int(checked.split()[0]) > 0, folder


def removed(_: Path, compiled: Path) -> None:
    compiled.unlink()


def of_another_python(_: Path, compiled: Path) -> None:
    compiled.write_bytes(b"\0" * 16)


def of_another_source(source: Path, _: Path) -> None:
    source.write_text("changed = True\n")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(removed, "has none"), (of_another_python, "another Python"), (of_another_source, "another source")],
)
def test_and_that_would_be_noticed(
    build: Build, tmp_path: Path, spoil: Callable[[Path, Path], None], said: str
) -> None:
    source = tmp_path / "module.py"
    source.write_text("answer = 42\n")
    compiling = (
        "import py_compile as p, sys;p.compile(sys.argv[1], invalidation_mode=p.PycInvalidationMode.UNCHECKED_HASH)"
    )
    subprocess.run([build.python, "-c", compiling, str(source)], check=True)
    assert check(build, tmp_path) == ["1 checked"]
    spoil(source, next((tmp_path / "__pycache__").iterdir()))
    assert said in check(build, tmp_path)[0]


def test_nothing_lies_there_that_nobody_reads(build: Build) -> None:
    for folder in built_folders(build):
        names = {path.name for path in folder.rglob("*")}
        assert not names & {"RECORD", "INSTALLER", "REQUESTED", "requirements.in", "requirements.txt", "Makefile"}, (
            folder
        )
        assert not {name for name in names if name.endswith((".pyi", ".c", ".h"))}, folder
        assert not {path.name for path in folder.iterdir()} & {"bin", "tests", "pip", "boto3", "botocore"}, folder


def test_licences_came_along(build: Build) -> None:
    packages = list((build.folder / "CoreLayer" / "python").glob("*.dist-info"))
    assert len(packages) > 10
    assert any(path for package in packages for path in package.rglob("LICENSE*"))


@pytest.mark.parametrize("heavy", ["apprise", "slack_sdk", "jinja2", "pydantic", "holidays", "yoyo"])
def test_what_is_heavy_lies_with_those_who_use_it(build: Build, heavy: str) -> None:
    users = {folder.name for folder in built_folders(build) if (folder / heavy).exists()}
    assert users
    assert users <= {"RouterFunction", "ManagementFunction", "MigrateFunction"}


def test_each_function_fits_with_its_layers(build: Build) -> None:
    for name in build.functions:
        folders = [build.folder / name, *build.layers(name)]
        assert sum(path.stat().st_size for one in folders for path in one.rglob("*") if path.is_file()) < MOST_BYTES / 2


def test_the_largest_zip_can_be_uploaded(build: Build) -> None:
    for folder in (build.folder / "CoreLayer", build.folder / "RouterFunction"):
        with TemporaryFile() as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for path in folder.rglob("*"):
                    archive.write(path, path.relative_to(folder))
            assert file.tell() < MOST_ZIPPED
