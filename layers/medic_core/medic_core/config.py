"""The environment, read once: the only reader of `os.environ`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator can set. Names of the variables and their meaning: docs/configuration.md."""

    database_url: str
    redis_url: str
    key_cache_secret: str
    admin_api_key: str
    base_url: str
    sweep_every: timedelta
    allowed_webhook_hosts: tuple[str, ...]
    slack_api_url: str
    slack_api_token: str
    slack_channel_id: str
    pagerduty_events_url: str
    pagerduty_routing_key: str
    webhook_url: str
    spool_url: str
    spool_dead_letter_url: str
    notifications_url: str


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings with their defaults; an empty variable counts as one that is not set."""

    def text(name: str, default: str = "") -> str:
        return environ.get(name, "").strip() or default

    hosts = text("MEDIC_ALLOWED_WEBHOOK_HOSTS").split(",")
    return Settings(
        database_url=text("DATABASE_URL"),
        redis_url=text("REDIS_URL"),
        key_cache_secret=text("MEDIC_KEY_CACHE_SECRET"),
        admin_api_key=text("MEDIC_ADMIN_API_KEY"),
        base_url=text("MEDIC_BASE_URL").rstrip("/"),
        sweep_every=timedelta(seconds=float(text("MEDIC_SWEEP_SECONDS", "60"))),
        allowed_webhook_hosts=tuple(host.strip().lower() for host in hosts if host.strip()),
        slack_api_url=text("SLACK_API_URL", "https://slack.com/api/").rstrip("/") + "/",
        slack_api_token=text("SLACK_API_TOKEN"),
        slack_channel_id=text("SLACK_CHANNEL_ID"),
        pagerduty_events_url=text("PAGERDUTY_EVENTS_URL", "https://events.pagerduty.com/v2/enqueue"),
        pagerduty_routing_key=text("PAGERDUTY_ROUTING_KEY"),
        webhook_url=text("MEDIC_WEBHOOK_URL"),
        spool_url=text("MEDIC_SPOOL_URL"),
        spool_dead_letter_url=text("MEDIC_SPOOL_DEAD_LETTER_URL"),
        notifications_url=text("MEDIC_NOTIFICATIONS_URL"),
    )
