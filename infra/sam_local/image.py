"""The image that functions run in: AWS's where it can be had, else one made here under its name."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.sam_local import root_files
from infra.sam_local.engine import Engine
from local.console import Refused, say

#: On images of ours: what they were made from.
LABEL = "medic.made-from"
SETTINGS = (
    "ENV PATH=/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin",
    "ENV LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/task:/var/task/lib:/opt/lib",
    "ENV LANG=C.UTF-8",
    "ENV TZ=:UTC",
    "ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
    "ENV LAMBDA_TASK_ROOT=/var/task",
    "ENV LAMBDA_RUNTIME_DIR=/var/runtime",
    "WORKDIR /var/task",
)


@contextmanager
def at_hand(engine: Engine, name: str, make: Callable[[Engine, str], None]) -> Iterator[None]:
    """AWS's image is there under its name, or else the one that `make` makes.

    In an engine that is not ours, nothing keeps AWS's name afterwards that AWS did not make.
    """
    label = engine.label(name, LABEL)
    if label == "" or (label is None and not engine.is_ours and _pulled(engine, name)):
        say(f"using AWS's image {name}")
        yield
        return
    make(engine, name)
    try:
        yield
    finally:
        if engine.is_ours:
            # Those that `sam local` has put others in the place of.
            engine.docker("image", "prune", "--force")
        else:
            engine.docker("image", "rm", name, short(name))


def architecture() -> str:
    """Of this machine, as Lambda calls it."""
    return {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine().lower()]


def _pulled(engine: Engine, name: str) -> bool:
    say(f"pulling {name} …")
    return engine.docker("pull", "--quiet", name).code == 0


def make(engine: Engine, name: str, python: Path, requirements: Path) -> None:
    """Make an image of this machine's Python, unless the last run has left the same. Raises Refused."""
    if (platform.system(), architecture()) != ("Linux", "x86_64"):
        raise Refused(f"AWS's image {name} cannot be pulled, and one is made in its place on x86-64 Linux alone.")
    origin = _origin(python, requirements)
    if engine.label(name, LABEL) == origin:
        say("using the base image of the last run")
        return
    say("making a base image of this machine's Python 3.13 …")
    with tempfile.TemporaryDirectory(prefix="medic-image-") as folder:
        root_files.collect(Path(folder), python, requirements)
        _import(engine, Path(folder), name, origin)
    engine.docker("tag", name, short(name))


def _import(engine: Engine, root: Path, name: str, origin: str) -> None:
    changes = [part for setting in (*SETTINGS, f"LABEL {LABEL}={origin}") for part in ("--change", setting)]
    tar = ["tar", "--create", "--file=-", "--owner=0", "--group=0", f"--directory={root}", "."]
    with subprocess.Popen(tar, stdout=subprocess.PIPE) as packing:
        if packing.stdout is None:
            raise Refused("tar gave nothing.")
        imported = engine.docker("import", *changes, "-", name, stdin=packing.stdout.fileno())
    if imported.code != 0 or packing.returncode != 0:
        raise Refused(f"The base image could not be imported: {imported.complaint}")


def short(name: str) -> str:
    """Under which the image is known where an architecture is not said."""
    return name.removesuffix(f"-{architecture()}")


def _origin(python: Path, requirements: Path) -> str:
    """Differs when the image would."""
    said = hashlib.sha256()
    for file in (Path(__file__), Path(root_files.__file__), requirements):
        said.update(file.read_bytes())
    said.update(f"{python} {python.stat().st_mtime_ns}".encode())
    return said.hexdigest()[:16]
