"""Charts and lines to copy."""

from __future__ import annotations

import re
import shlex
import subprocess
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from dashboard import snippets
from dashboard.charts import HEIGHT, durations
from medic_core.domain.watching.cron import valid_expression
from medic_core.domain.watching.schedules import Cron, Interval, Schedule
from medic_core.store.job_runs import RunRow

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
URL = "https://medic.example.com/ping/6f1c0c5e-1111-4222-8333-abcdefabcdef"


def a_run(number: int, duration_ms: int | None, **more: Any) -> RunRow:
    values: dict[str, Any] = {
        "job_run_id": number, "run_id": f"run-{number}", "status": "COMPLETED", "started_at": NOON,
        "completed_at": NOON, "exit_status": None, "stale_after": None, "stale_at": None,
    }  # fmt: skip
    return RunRow(**values | {"duration_ms": duration_ms} | more)


def test_fewer_than_two_ended_runs_make_no_chart() -> None:
    assert durations([], None) is None
    assert durations([a_run(2, None), a_run(1, 5)], None) is None


def test_the_oldest_stands_on_the_left_and_each_within_the_picture() -> None:
    chart = durations([a_run(3, 300, status="FAILED"), a_run(2, 0), a_run(1, 100, stale_at=NOON)], None)
    assert chart is not None
    assert [(one.state, one.duration_ms) for one in chart.bars] == [("stale", 100), ("completed", 0), ("failed", 300)]
    assert [one.x for one in chart.bars] == [0, 12, 24]
    assert all(one.height > 0 and one.y >= 0 and one.y + one.height == pytest.approx(HEIGHT) for one in chart.bars)
    assert (chart.highest_ms, chart.limit_y) == (300, None)


def test_the_limit_is_drawn_where_it_is_near() -> None:
    runs = [a_run(2, 100), a_run(1, 80)]
    near, far = durations(runs, 150), durations(runs, 1000)
    assert near is not None
    assert far is not None
    assert near.limit_y is not None
    assert near.limit_y < min(one.y for one in near.bars)
    assert far.limit_y is None


def texts(schedule: Schedule) -> dict[str, str]:
    service: Any = SimpleNamespace(schedule=schedule, slug="nightly-backup")
    return {one.name: one.text for one in snippets.of(service, URL)}


@pytest.mark.parametrize(
    ("schedule", "timing"),
    [
        (Interval(timedelta(seconds=30)), "*/1 * * * *"),
        (Interval(timedelta(minutes=5)), "*/5 * * * *"),
        (Interval(timedelta(hours=6)), "0 */6 * * *"),
        (Interval(timedelta(days=1)), "0 0 * * *"),
        (Cron("0 2 * * 1-5"), "0 2 * * 1-5"),
    ],
)
def test_a_crontab_runs_it_as_often_as_it_must_be_heard(schedule: Schedule, timing: str) -> None:
    found = texts(schedule)
    assert found["cron"].startswith(f"{timing} your-command;")
    valid_expression(timing)
    assert yaml.safe_load(found["Kubernetes"])["spec"]["schedule"] == timing


@pytest.mark.parametrize("name", ["curl", "With start and end"])
def test_a_shell_takes_them(name: str) -> None:
    text = texts(Interval(timedelta(minutes=5)))[name]
    assert subprocess.run(["/bin/sh", "-n"], input=text, text=True, check=False).returncode == 0
    assert all(URL in line for line in text.splitlines() if line.startswith("curl"))
    assert shlex.split(text)[0] == "curl"


def test_kubernetes_takes_the_manifest_and_each_names_the_ping_url() -> None:
    found = texts(Cron("0 2 * * *"))
    manifest = yaml.safe_load(found["Kubernetes"])
    assert (manifest["kind"], manifest["metadata"]["name"]) == ("CronJob", "nightly-backup")
    (container,) = manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["command"][-1].endswith(f"{URL}/$?")
    assert all(re.search(re.escape(URL), text) for text in found.values())
