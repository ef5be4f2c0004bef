"""Lines to copy, that have a service send its heartbeats."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from medic_core.domain.watching.public import address_of
from medic_core.domain.watching.schedules import Cron, Schedule
from medic_core.store.services import Service

NOT_OF_MARKDOWN = re.compile(r"[\\\[\]<>`*_&!]")


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


def badges(service: Service, base_url: str) -> list[Snippet]:
    """What shows a public service on pages elsewhere; nothing for one that is not."""
    if service.status_page is None:
        return []
    page = f"{base_url}/status/{service.status_page}"
    badge = f"{page}/{quote(address_of(service.service_name))}"
    endpoint = f"https://img.shields.io/endpoint?url={quote(f'{badge}/shields.json', safe='')}"
    name = NOT_OF_MARKDOWN.sub(r"\\\g<0>", service.service_name)
    return [
        Snippet("Markdown", f"[![{name}]({badge}/badge.svg)]({page})", "For a README."),
        Snippet("Picture", f"{badge}/badge.svg", "For everywhere else."),
        Snippet("JSON", f"{badge}/badge.json", "For programs."),
        Snippet("shields.io", endpoint, "Drawn by shields.io, in the style of your other badges."),
        Snippet("The whole page", f"{page}/badge.svg", "One badge for all services on it."),
    ]


def _cron(schedule: Schedule) -> str:
    """When a crontab would run it."""
    if isinstance(schedule, Cron):
        return schedule.expression
    minutes = max(1, int(schedule.every.total_seconds()) // 60)
    if minutes < 60:
        return f"*/{minutes} * * * *"
    return f"0 */{minutes // 60} * * *" if minutes < 24 * 60 else "0 0 * * *"
