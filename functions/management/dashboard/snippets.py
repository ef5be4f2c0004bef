"""Lines to copy, that have a service send its heartbeats."""

from __future__ import annotations

from dataclasses import dataclass

from medic_core.domain.watching.schedules import Cron, Schedule
from medic_core.store.services import Service


@dataclass(frozen=True, slots=True)
class Snippet:
    """A way to send heartbeats."""

    name: str
    text: str
    note: str


def of(service: Service, ping_url: str) -> list[Snippet]:
    """For the shell, cron, systemd and Kubernetes; heartbeats that fail must not fail the job."""
    timing, slug = _cron(service.schedule), service.slug
    return [
        Snippet("curl", f"curl -fsS -m 10 --retry 5 {ping_url}", "One heartbeat."),
        Snippet(
            "With start and end",
            f"curl -fsS -m 10 --retry 5 {ping_url}/start\nyour-command\ncurl -fsS -m 10 --retry 5 {ping_url}/$?",
            "Medic then knows how long it took, and that it failed, by its exit status.",
        ),
        Snippet("cron", f"{timing} your-command; curl -fsS -m 10 --retry 5 {ping_url}/$?", "A line of a crontab."),
        Snippet(
            "systemd",
            f"[Service]\nExecStart=/usr/local/bin/your-command\n"
            f"ExecStartPre=-/usr/bin/curl -fsS -m 10 --retry 5 {ping_url}/start\n"
            f"ExecStopPost=-/bin/sh -c 'curl -fsS -m 10 --retry 5 {ping_url}/$EXIT_STATUS'",
            "In the unit that the timer starts.",
        ),
        Snippet(
            "Kubernetes",
            "apiVersion: batch/v1\nkind: CronJob\n"
            f"metadata:\n  name: {slug}\n"
            f'spec:\n  schedule: "{timing}"\n  concurrencyPolicy: Forbid\n'
            "  jobTemplate:\n    spec:\n      backoffLimit: 0\n      template:\n        spec:\n"
            "          restartPolicy: Never\n          containers:\n            - name: job\n"
            "              image: your-image\n              command:\n                - /bin/sh\n                - -c\n"
            f"                - your-command; curl -fsS -m 10 --retry 5 {ping_url}/$?",
            "The image needs curl.",
        ),
    ]


def _cron(schedule: Schedule) -> str:
    """When a crontab would run it."""
    if isinstance(schedule, Cron):
        return schedule.expression
    minutes = max(1, int(schedule.every.total_seconds()) // 60)
    if minutes < 60:
        return f"*/{minutes} * * * *"
    return f"0 */{minutes // 60} * * *" if minutes < 24 * 60 else "0 0 * * *"
