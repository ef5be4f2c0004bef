"""The files of a container that runs Python functions: an interpreter, a shell, what they load, and Lambda's runtime.

They are those of this machine, put where Lambda has them: an image of a whole system takes a minute to make and ten
times the room, and nothing else of it is ever opened.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from local.console import Refused

#: What SAM's Dockerfile and functions may call; Lambda's image has them too.
PROGRAMS = (
    *("bash", "cat", "chmod", "cp", "cut", "date", "env", "false", "grep", "head", "id", "ln", "ls", "mkdir", "mktemp"),
    *("mv", "rm", "sed", "sleep", "sort", "tail", "touch", "tr", "true", "uname", "wc"),
)
#: What wheels may count on wherever they are installed (PEP 600), where it is not asked for by the programs anyway.
FOR_WHEELS = (
    *("libdl.so.2", "libgcc_s.so.1", "libm.so.6", "libpthread.so.0", "libresolv.so.2", "librt.so.1", "libstdc++.so.6"),
    "libutil.so.1",
)
#: Of Python: its tests, its windows, and what is installed for somebody else.
LEFT_OUT = (
    *("test", "idlelib", "tkinter", "turtledemo", "ensurepip", "pydoc_data", "site-packages", "dist-packages"),
    *("config-3*", "_tkinter*", "_test*", "_ctypes_test*", "*.opt-?.pyc"),
)
PLACES = (
    *("usr/bin", "usr/lib", "etc", "opt", "proc", "sys", "dev", "tmp"),
    *("var/task", "var/runtime", "var/lang/bin", "var/lang/lib"),
)
#: One folder of libraries, under all the names that a loader may look for it.
SAME_PLACE = {
    "bin": "usr/bin",
    "sbin": "usr/bin",
    "usr/sbin": "bin",
    "lib": "usr/lib",
    "lib64": "usr/lib",
    "usr/lib64": "lib",
    "usr/lib/x86_64-linux-gnu": ".",
}
#: Copied where this machine has them: whom TLS trusts, and the locale that scripts are run in.
AS_THEY_ARE = (Path("/etc/ssl/certs/ca-certificates.crt"), Path("/usr/lib/locale/C.utf8"))
FIND_PARTS = (
    "import json, os, sys, sysconfig; "
    "places = sysconfig.get_path('stdlib'), sysconfig.get_config_var('DESTSHARED'); "
    "print(json.dumps([os.path.realpath(sys.executable), *places]))"
)
LOADED = re.compile(r"^\s+(?:\S+ => )?(/\S+) \(0x[0-9a-f]+\)$", re.MULTILINE)
#: Looks for modules where Lambda does, in its order.
BOOTSTRAP = """#!/bin/sh
export PYTHONPATH=/var/task:/opt/python/lib/python3.13/site-packages:/opt/python:/var/runtime
exec /var/lang/bin/python3.13 -m awslambdaric "$_HANDLER"
"""


def collect(root: Path, python: Path, requirements: Path) -> None:
    """Put everything into an empty folder. Raises Refused."""
    _make_places(root)
    binaries = _copy_python(root, python)
    binaries += _copy_programs(root)
    _install_runtime(root, python, requirements)
    for library in needed(binaries) | _for_wheels():
        shutil.copy2(library, root / "usr/lib" / library.name)


def _make_places(root: Path) -> None:
    for place in PLACES:
        (root / place).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    for name, target in SAME_PLACE.items():
        (root / name).symlink_to(target)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    for path in AS_THEY_ARE:
        copy = root / path.relative_to("/")
        if path.is_dir():
            shutil.copytree(path, copy)
        elif path.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)


def _copy_python(root: Path, python: Path) -> list[Path]:
    """The interpreter under /var/lang; returns what of it loads libraries."""
    parts = subprocess.run([python, "-c", FIND_PARTS], capture_output=True, text=True, check=True).stdout
    executable, library, extensions = map(Path, json.loads(parts))
    place, programs = root / "var/lang/lib" / "python3.13", root / "var/lang/bin"
    shutil.copytree(library, place, ignore=shutil.ignore_patterns(*LEFT_OUT))
    if not extensions.is_relative_to(library):
        shutil.copytree(extensions, place / "lib-dynload", ignore=shutil.ignore_patterns(*LEFT_OUT), dirs_exist_ok=True)
    shutil.copy2(executable, programs / "python3.13")
    for name in ("python3", "python"):
        (programs / name).symlink_to("python3.13")
    return [executable, *(path for path in extensions.glob("*.so") if (place / "lib-dynload" / path.name).exists())]


def _copy_programs(root: Path) -> list[Path]:
    found = []
    for name in PROGRAMS:
        program = shutil.which(name)
        if program is None:
            raise Refused(f"The base image needs the program {name}, and there is none here.")
        found.append(Path(program).resolve())
        shutil.copy2(found[-1], root / "usr/bin" / name)
    (root / "usr/bin/sh").symlink_to("bash")
    return found


def _install_runtime(root: Path, python: Path, requirements: Path) -> None:
    place = root / "var/runtime"
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input", "--root-user-action", "ignore"]
    command: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        *quiet,
        "--require-hashes",
        "--target",
        place,
        "-r",
        requirements,
    ]
    installed = subprocess.run(command, capture_output=True, text=True, check=False)
    if installed.returncode != 0:
        raise Refused(f"Lambda's runtime could not be installed: {installed.stderr.strip().splitlines()[-1:]}")
    bootstrap = place / "bootstrap"
    bootstrap.write_text(BOOTSTRAP)
    bootstrap.chmod(0o755)


def needed(binaries: Iterable[Path]) -> set[Path]:
    """The shared libraries that programs load, and theirs, and the loader."""
    listed = subprocess.run(["ldd", *binaries], capture_output=True, text=True, check=False).stdout
    return {Path(path) for path in LOADED.findall(listed)}


def _for_wheels() -> set[Path]:
    """Beside the C library that the shell loads."""
    libc = next(path for path in needed([Path("/bin/sh").resolve()]) if path.name.startswith("libc."))
    return {path for path in map(libc.with_name, FOR_WHEELS) if path.exists()}
