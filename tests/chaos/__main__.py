"""`make chaos`: run for minutes, several times, each from a seed that is printed.

python -m tests.chaos [--seed N] [--seconds N] [--runs N] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.clock import Clock
from tests.chaos.plan import plan
from tests.chaos.run import Result, run


def main() -> int:
    """0 where every promise was kept."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description="Break Medic, and look whether it kept its promises."
    )
    parser.add_argument(
        "--seed", type=int, help="what is broken when; the same seed breaks the same (default: a new one)"
    )
    parser.add_argument("--seconds", type=float, default=180, help="how long it is broken (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=1, help="so many, each with the next seed (default: %(default)s)")
    parser.add_argument("--keep", type=Path, help="where journals and logs go (default: a temporary folder)")
    asked = parser.parse_args()
    first = asked.seed if asked.seed is not None else random.SystemRandom().randrange(1_000_000)
    folder = asked.keep or Path(tempfile.mkdtemp(prefix="medic-chaos-"))
    if not Clock.can_move:
        print("no C compiler here: clocks do not jump")
    failed = [
        seed for seed in range(first, first + asked.runs) if not _is_kept(seed, asked.seconds, folder / str(seed))
    ]
    for seed in failed:
        print(f"broken promises with seed {seed}; again: make chaos SEED={seed} SECONDS={asked.seconds:.0f}")
    return 1 if failed else 0


def _is_kept(seed: int, seconds: float, folder: Path) -> bool:
    print(f"seed {seed}, {seconds:.0f} s; journals and logs in {folder}")
    folder.mkdir(parents=True)
    began = time.monotonic()
    result = run(
        plan(seed, seconds), folder, lambda text: print(f"[{time.monotonic() - began:6.1f}] {text}", flush=True)
    )
    print(report(result))
    return not result.verdict.wrong


def report(result: Result) -> str:
    """What was counted, and what was wrong."""
    lines = [f"  {name:28} {count}" for name, count in result.verdict.figures.items()]
    lines += [f"  settled after                {result.settled_after:.0f} s"]
    lines += [f"  WRONG {one}" for one in result.verdict.wrong] or ["  every promise was kept"]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
