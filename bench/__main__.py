"""`make bench`: print every figure, and write docs/benchmarks.md with `--write`."""

from __future__ import annotations

import argparse
import platform
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATHS = (
    "layers/medic_core",
    "functions/heartbeat",
    "functions/monitor",
    "functions/router",
    "functions/management",
    ".",
)
sys.path[:0] = [str(ROOT / path) for path in PATHS]

INTRODUCTION = """# Benchmarks

Written by `make bench WRITE=1` ({python}, {cores}). Read the ratios: both sides of each were measured in the same
run on the same machine, in turn. Absolute figures drift with the machine.
"""


def main() -> None:
    from bench import (  # noqa: PLC0415  (paths first)
        cold_starts,
        dashboard,
        heartbeats,
        jobs,
        keys,
        load,
        million,
        repairs,
        routing,
        scale_figures,
        sweeps,
    )

    modules = {
        "heartbeats": heartbeats,
        "jobs": jobs,
        "keys": keys,
        "sweeps": sweeps,
        "routing": routing,
        "repairs": repairs,
        "dashboard": dashboard,
        "cold-starts": cold_starts,
        "load": load,
        "million": million,
        "scale": scale_figures,
    }
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md too")
    parser.add_argument("--only", choices=tuple(modules), help="measure one thing")
    asked = parser.parse_args()
    reports = []
    for name, module in modules.items():
        if asked.only in {None, name}:
            print(f"measuring {name} …", flush=True)
            reports.append(module.report())
            print(reports[-1], flush=True)
    if asked.write:
        import os  # noqa: PLC0415

        head = INTRODUCTION.format(python=f"CPython {platform.python_version()}", cores=f"{os.cpu_count()} cores")
        (ROOT / "docs" / "benchmarks.md").write_text("\n".join([head, *reports]))


if __name__ == "__main__":
    main()
