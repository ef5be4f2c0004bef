"""`make bench`: print every figure, and with `--write` put what was measured into docs/benchmarks.md."""

from __future__ import annotations

import argparse
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
DOCUMENT = ROOT / "docs" / "benchmarks.md"


def main() -> None:
    from bench import (  # noqa: PLC0415  (paths first)
        cold_starts,
        dashboard,
        document,
        healthchecks,
        heartbeats,
        jobs,
        keys,
        load,
        million,
        reads,
        repairs,
        routing,
        scale_figures,
        sweeps,
    )

    modules = {
        "heartbeats": heartbeats,
        "healthchecks": healthchecks,
        "jobs": jobs,
        "keys": keys,
        "reads": reads,
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
    parser.add_argument("--write", action="store_true", help="write it into docs/benchmarks.md too")
    parser.add_argument("--only", choices=tuple(modules), help="measure one thing")
    asked = parser.parse_args()
    for name, module in modules.items():
        if asked.only not in {None, name}:
            continue
        print(f"measuring {name} …", flush=True)
        beside = document.circumstances()
        found = module.report()
        print(found, flush=True)
        if asked.write and found:
            DOCUMENT.write_text(document.written(DOCUMENT.read_text(), {name: f"{beside}\n\n{found}"}, tuple(modules)))


if __name__ == "__main__":
    main()
