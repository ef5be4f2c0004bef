"""Cold starts of what `sam build` left behind, under Lambda's emulator: with the bytecode that is shipped, and without.

INIT is the emulator's own figure: Python, the runtime's client, and all that the function's module imports. Nobody
listens where its database should be.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import database, measure
from infra import python313
from medic_core.adapters import hashing
from medic_core.flows.keys import ensure_admin_key
from medic_core.store.connection import Database
from tests.builders import a_service
from tests.built.emulator import ROOT, Build, BuiltFunction
from tests.fixtures.aws import DUMMY
from tests.fixtures.functions import ADMIN_KEY

STARTS = 10
WARM = 2000
BUILT = Path(os.environ.get("MEDIC_BUILD", ROOT / ".aws-sam" / "build"))
NOBODY = {**DUMMY, "DATABASE_URL": "postgresql://127.0.0.1:1/none", "MEDIC_SWEEP_SECONDS": "60"}
#: Functions that do nothing, one of which imports the driver: what no function of ours can do without.
NOTHING = "def handler(event, context):\n    return {}\n"
REFERENCES = {"nothing at all": NOTHING, "`import psycopg` alone": f"import psycopg\n\n\n{NOTHING}"}
IMPORT_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|(\s+)(\S+)")
MEGABYTE = 1_000_000


def report() -> str:
    if not (BUILT / "template.yaml").exists():
        return "### Cold starts\n\nNot measured: nothing is built (`make build`).\n"
    build = Build(BUILT, str(python313.find(os.environ)))
    with tempfile.TemporaryDirectory() as folder:
        return "\n".join([_starts(build, Path(folder)), _imports(build), _warm(build, Path(folder)), _sizes(build)])


def _starts(build: Build, folder: Path) -> str:
    plain = Build(_without_bytecode(build, folder / "plain"), build.python)
    found = {}
    for number, (name, source) in enumerate(REFERENCES.items()):
        both = [_with_handler(one, folder / f"{number}-{one.folder.name}", source) for one in (build, plain)]
        found[name] = _in_turn(both[0], both[1], "HeartbeatFunction", folder)
    alone = statistics.median(found["`import psycopg` alone"][0])
    found |= {name: _in_turn(build, plain, name, folder) for name in sorted(build.functions)}
    rows = []
    for name, (shipped, bare) in found.items():
        share = statistics.median(shipped) / statistics.median(bare)
        resident = f"{_resident(build, name, folder) / 1000:.0f}" if name in build.functions else ""
        against = f"{statistics.median(shipped) / alone:.2f}"
        rows.append([name, _shown(shipped), _shown(bare), f"{share:.0%}", against, resident])
    columns = ["function", "INIT, ms (lowest–highest)", "without bytecode", "share", "× psycopg alone", "max RSS, MB"]
    table = measure.table(f"Cold starts: INIT under the emulator, median of {STARTS}", columns, rows)
    least = alone / statistics.median(found["HeartbeatFunction"][1])
    return (
        f"{table}\nBudgets of the heartbeat function: 1.8 × psycopg alone, and 40% of itself without bytecode, "
        f"of which psycopg alone is {least:.0%}.\n"
    )


def _in_turn(build: Build, plain: Build, name: str, folder: Path) -> tuple[list[float], list[float]]:
    shipped, bare = [], []
    for _ in range(STARTS):
        shipped += _inits(build, name, folder, 1)
        bare += _inits(plain, name, folder, 1)
    return shipped, bare


def _inits(build: Build, name: str, folder: Path, count: int = STARTS) -> list[float]:
    found = []
    for _ in range(count):
        with _running(build, name, folder, NOBODY) as function:
            # Any event will do: it is the start that is measured.
            function.invoke({})
            found += function.init_milliseconds[:1]
    return found


def _resident(build: Build, name: str, folder: Path) -> int:
    with _running(build, name, folder, NOBODY) as function:
        function.invoke({})
        return function.largest_resident_kilobytes


@contextmanager
def _running(build: Build, name: str, folder: Path, environment: dict[str, str]) -> Iterator[BuiltFunction]:
    log = folder / "log"
    log.unlink(missing_ok=True)
    function = BuiltFunction(build, name, environment, log).start()
    try:
        yield function
    finally:
        function.stop()


def _shown(milliseconds: list[float]) -> str:
    return f"{statistics.median(milliseconds):.0f} ({min(milliseconds):.0f}–{max(milliseconds):.0f})"


def _without_bytecode(build: Build, target: Path) -> Path:
    shutil.copytree(build.folder, target, ignore=shutil.ignore_patterns("__pycache__"))
    return _with_its_migrations(build, target)


def _with_handler(build: Build, target: Path, source: str) -> Build:
    """A build whose heartbeat function is something else."""
    (target / "HeartbeatFunction").mkdir(parents=True)
    (target / "HeartbeatFunction" / "ingest.py").write_text(source)
    shutil.copy(build.folder / "template.yaml", target)
    (target / "CoreLayer").symlink_to(build.folder / "CoreLayer")
    return Build(_with_its_migrations(build, target), build.python)


def _with_its_migrations(build: Build, target: Path) -> Path:
    """The template names that layer's folder from where it lies."""
    content = (target / "template.yaml").read_text()
    uri = build.template["Resources"]["MigrationsLayer"]["Properties"]["ContentUri"]
    (target / "template.yaml").write_text(content.replace(uri, str((build.folder / uri).resolve())))
    return target


def _imports(build: Build) -> str:
    """What costs most of the heartbeat function's imports, each without what it imports in turn."""
    path = os.pathsep.join(map(str, (build.folder / "HeartbeatFunction", build.folder / "CoreLayer" / "python")))
    environment = {**NOBODY, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"}
    own: dict[str, list[int]] = {}
    for _ in range(STARTS):
        command = [build.python, "-X", "importtime", "-c", "import ingest"]
        said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr
        for match in IMPORT_LINE.finditer(said):
            own.setdefault(match[4], []).append(int(match[1]))
    medians = sorted(((statistics.median(times), name) for name, times in own.items()), reverse=True)[:10]
    rows = [[f"`{name}`", f"{micros / 1000:.1f}"] for micros, name in medians]
    return measure.table("Cold starts: the ten costliest imports of the heartbeat function", ["module", "ms"], rows)


def _warm(build: Build, folder: Path) -> str:
    with database.fresh() as url:
        own = Database(url)
        a_service(own, "warm")
        ensure_admin_key(own, ADMIN_KEY, hashing)
        own.close()
        given = {**DUMMY, "DATABASE_URL": url, "RATE_LIMIT_HEARTBEAT_REQUESTS": "1000000"}
        with _running(build, "HeartbeatFunction", folder, given) as function:
            body = {"heartbeat_name": "warm", "status": "UP"}

            def call() -> None:
                answer = function.http("POST", "/heartbeat", body, x_api_key=ADMIN_KEY)
                assert answer["statusCode"] == 201, answer

            timing = measure.timed(call, WARM)
            resident = function.largest_resident_kilobytes
    cells = [f"{timing.percentile(share):.2f}" for share in (0.5, 0.99)]
    row = ["`POST /heartbeat`", *cells, f"{resident / 1000:.0f}"]
    return measure.table(
        f"Warm heartbeats through the emulator, {WARM} in a row",
        ["request", "p50, ms", "p99, ms", "max RSS, MB"],
        [row],
    )


def _sizes(build: Build) -> str:
    rows = []
    for folder in [build.folder / "CoreLayer", *(build.folder / name for name in sorted(build.functions))]:
        unzipped = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        layers = sum(_size(layer) for layer in build.layers(folder.name)) if folder.name in build.functions else 0
        together = f"{(unzipped + layers) / MEGABYTE:.1f}" if layers else ""
        rows.append([folder.name, f"{_zipped(folder) / MEGABYTE:.1f}", f"{unzipped / MEGABYTE:.1f}", together])
    columns = ["built", "zipped, MB", "unzipped, MB", "with its layers (of 250 MB)"]
    return measure.table("Sizes of what is deployed", columns, rows)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _zipped(folder: Path) -> int:
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in folder.rglob("*"):
                archive.write(path, path.relative_to(folder))
        return file.tell()


if __name__ == "__main__":
    sys.stdout.write(report())
