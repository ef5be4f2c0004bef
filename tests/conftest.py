"""What tests stand on: a real Postgres with a database of its own for each test, a real Redis, a real SQS emulator."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

from hypothesis import settings  # noqa: E402

from local import servers  # noqa: E402  (the path above comes first)

#: Of each property; `make fuzz` asks for more.
EXAMPLES = int(os.environ.get("MEDIC_FUZZ_EXAMPLES", "100"))
#: The gate gives the same answer twice; elsewhere each run looks at other examples.
settings.register_profile("gate", derandomize=True, deadline=None, max_examples=EXAMPLES)
settings.register_profile("anywhere", deadline=None, max_examples=EXAMPLES)
settings.load_profile("gate" if os.environ.get("CI") else "anywhere")

HAS_REDIS = servers.redis(ROOT) is not None
#: A Python without a wheel of Redis, on a machine without Redis, has nothing to run these on; the header says so.
NEEDS_REDIS = [
    *("chaos/test_checker.py", "chaos/test_run.py"),
    *("integration/test_key_cache.py", "integration/test_limiters.py", "integration/test_limits_together.py"),
]
HAS_BROWSER = any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
NEEDS_BROWSER = [
    *("system/test_browser.py", "system/test_dashboard_keyboard.py"),
    *("system/test_dashboard_pages.py", "system/test_dashboard_walk.py"),
]
#: Debian puts it where only root looks.
HAS_POOLER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin") is not None
NEEDS_POOLER = ["built/test_pooler.py"]
collect_ignore = (
    ([] if HAS_REDIS else NEEDS_REDIS) + ([] if HAS_BROWSER else NEEDS_BROWSER) + ([] if HAS_POOLER else NEEDS_POOLER)
)
#: Each has a Postgres, a Redis and an emulator of its own; with more of them the longest test is what is waited for.
MOST_WORKERS = 8
pytest_plugins = [
    "tests.fixtures.postgres",
    "tests.fixtures.clock",
    "tests.fixtures.pooler",
    "tests.fixtures.redis",
    "tests.fixtures.aws",
    "tests.fixtures.functions",
    "tests.fixtures.receivers",
    "tests.fixtures.routing",
    "tests.fixtures.processes",
    "tests.fixtures.clients",
    "tests.fixtures.dashboard",
    "tests.fixtures.bridge",
    "tests.fixtures.worlds",
    "tests.fixtures.written",
]


def pytest_report_header() -> str:
    redis = "a real one" if HAS_REDIS else f"none here, so these are left out: {NEEDS_REDIS}"
    browser = "a real one" if HAS_BROWSER else f"no chromium here, so these are left out: {NEEDS_BROWSER}"
    pool = "a real one" if HAS_POOLER else f"no pgbouncer here, so these are left out: {NEEDS_POOLER}"
    axe = "from npm" if shutil.which("npm") else "no npm here, so pages are not asked whom they keep out"
    return f"redis: {redis}\nbrowser: {browser}\npooler: {pool}\naxe: {axe}"


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are cores, because many tests wait. None for a single file: it is over before they are up."""
    places = [Path(argument.partition("::")[0]) for argument in config.args]
    is_one_file = len(places) == 1 and places[0].is_file()
    return 0 if is_one_file else min((os.cpu_count() or 1) + 1, MOST_WORKERS)
