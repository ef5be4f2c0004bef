"""Builds one folder for Lambda: its code, its packages as locked, bytecode for both, and nothing that nobody reads.

Run by infra/Makefile with the Python that Lambda runs, because bytecode is that version's own. Lambda's disk is
read-only: what comes without bytecode is compiled again at every cold start.
"""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from py_compile import PycInvalidationMode

#: Wheels for Lambda's Linux (glibc 2.34), whatever this machine is.
PLATFORMS = {
    "x86_64": ("manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "arm64": ("manylinux_2_34_aarch64", "manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"),
}
LOCKED, ASKED = "requirements.txt", "requirements.in"
NOT_CODE = ("__pycache__", ASKED, LOCKED, "Makefile")
#: Of packages: what is for those who develop them. Licences stay, and what `importlib.metadata` reads.
USELESS_FOLDERS = ("tests", "test", "testing", "bin", "include", "examples")
USELESS_FILES = ("*.pyi", "*.pyx", "*.pxd", "*.c", "*.h", "*.cpp")
USELESS_NOTES = ("RECORD", "INSTALLER", "REQUESTED", "WHEEL", "direct_url.json")


def build(source: Path, target: Path, architecture: str) -> None:
    """Build `source` into `target`. Raises CalledProcessError."""
    target.mkdir(parents=True, exist_ok=True)
    if (source / LOCKED).exists():
        _install(source / LOCKED, target, architecture)
        _strip(target)
    shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*NOT_CODE))
    _compile(target)


def _install(locked: Path, target: Path, architecture: str) -> None:
    platforms = [part for name in PLATFORMS[architecture] for part in ("--platform", name)]
    version = ".".join(map(str, sys.version_info[:2]))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    what = ["--require-hashes", "--no-deps", "--requirement", str(locked)]
    kind = ["--only-binary", ":all:", "--implementation", "cp", "--python-version", version, *platforms]
    subprocess.run([*pip, "install", "--no-compile", *kind, *what, "--target", str(target)], check=True)


def _strip(target: Path) -> None:
    for path in list(_useless(target)):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _useless(target: Path) -> Iterator[Path]:
    for package in target.iterdir():
        if package.name == "bin":
            yield package
        elif package.name.endswith(".dist-info"):
            yield from (note for name in USELESS_NOTES if (note := package / name).exists())
        elif package.is_dir():
            # Only right below a package: deeper, a name like these may be part of what it does.
            yield from (folder for name in USELESS_FOLDERS if (folder := package / name).is_dir())
            yield from (file for pattern in USELESS_FILES for file in package.rglob(pattern))


def _compile(target: Path) -> None:
    """Bytecode that nobody checks against its source, which does not change there."""
    never_checked = PycInvalidationMode.UNCHECKED_HASH
    compiled = compileall.compile_dir(target, quiet=1, invalidation_mode=never_checked, force=True)
    if not compiled:
        raise SystemExit(f"{target}: not all of it could be compiled.")


def main() -> int:
    source, target = map(Path, sys.argv[1:])
    architecture = os.environ.get("MEDIC_ARCHITECTURE") or "x86_64"
    if architecture not in PLATFORMS:
        print(f"MEDIC_ARCHITECTURE must be {' or '.join(PLATFORMS)}, not {architecture}.", file=sys.stderr)
        return 1
    build(source, target.resolve(), architecture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
