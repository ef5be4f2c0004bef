"""The environment, read once: the only reader of `os.environ`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from medic_core.domain.access import rate_limits
from medic_core.domain.access.rate_limits import Endpoints

if TYPE_CHECKING:
    from medic_core.domain.routing.targets import Defaults

#: So many alerts of one sweep for one target come in one message.
DEFAULT_GROUP_FROM = 5
#: So many repairs of one service in an hour, and no more start by themselves.
DEFAULT_BREAKER_EXECUTIONS = 5


class LimiterType(StrEnum):
    """Where rate limits are kept."""

    AUTO = "auto"  #: Redis where one is configured, else each instance's memory
    REDIS = "redis"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator can set. Names of the variables and their meaning: docs/configuration.md."""

    database_url: str
    redis_url: str
    key_cache_secret: str
    limiter_type: LimiterType
    rate_limits: Mapping[Endpoints, int]
    admin_api_key: str
    base_url: str
    sweep_every: timedelta
    allowed_webhook_hosts: tuple[str, ...]
    slack_api_url: str
    slack_api_token: str
    slack_signing_secret: str
    slack_channel_id: str
    pagerduty_events_url: str
    pagerduty_routing_key: str
    webhook_url: str
    webhook_secret: str
    group_alerts_from: int
    spool_url: str
    spool_dead_letter_url: str
    notifications_url: str
    slow_notifications_url: str
    playbook_machine_arn: str
    breaker_executions: int
    trigger_secret: str
    secrets_key: str
    former_secrets_keys: tuple[str, ...]
    orders_key: str
    kms_key_id: str
    additional_script_variables: tuple[str, ...]

    @property
    def defaults(self) -> Defaults:
        """The default channel."""
        # The heartbeat function reads settings too, and tells nobody.
        from medic_core.domain.routing.targets import Defaults  # noqa: PLC0415

        return Defaults(self.slack_channel_id, self.pagerduty_routing_key, self.webhook_url, self.webhook_secret)


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings with their defaults; an empty variable counts as one that is not set. Raises ValueError."""

    def text(name: str, default: str = "") -> str:
        return environ.get(name, "").strip() or default

    def number(name: str, default: int, lowest: int, highest: int) -> int:
        found = int(text(name, str(default)))
        if not lowest <= found <= highest:
            raise ValueError(f"{name} must be from {lowest} to {highest}, not {found}")
        return found

    def limit(name: str, kind: Endpoints) -> int:
        return number(name, rate_limits.DEFAULTS[kind], 1, rate_limits.HIGHEST)

    def several(name: str) -> tuple[str, ...]:
        return tuple(one.strip() for one in text(name).split(",") if one.strip())

    return Settings(
        database_url=text("DATABASE_URL"),
        redis_url=text("REDIS_URL"),
        key_cache_secret=text("MEDIC_KEY_CACHE_SECRET"),
        limiter_type=LimiterType(text("MEDIC_RATE_LIMITER_TYPE", LimiterType.AUTO)),
        rate_limits={
            Endpoints.HEARTBEAT: limit("RATE_LIMIT_HEARTBEAT_REQUESTS", Endpoints.HEARTBEAT),
            Endpoints.MANAGEMENT: limit("RATE_LIMIT_MANAGEMENT_REQUESTS", Endpoints.MANAGEMENT),
            Endpoints.HEALTH: limit("RATE_LIMIT_HEALTH_REQUESTS", Endpoints.HEALTH),
            Endpoints.DOCS: limit("RATE_LIMIT_DOCS_REQUESTS", Endpoints.DOCS),
            Endpoints.EXECUTION: limit("RATE_LIMIT_EXECUTION_REQUESTS", Endpoints.EXECUTION),
            Endpoints.PAGE: limit("RATE_LIMIT_PAGE_REQUESTS", Endpoints.PAGE),
        },
        admin_api_key=text("MEDIC_ADMIN_API_KEY"),
        base_url=text("MEDIC_BASE_URL").rstrip("/"),
        sweep_every=timedelta(seconds=float(text("MEDIC_SWEEP_SECONDS", "60"))),
        allowed_webhook_hosts=tuple(host.lower() for host in several("MEDIC_ALLOWED_WEBHOOK_HOSTS")),
        slack_api_url=text("SLACK_API_URL", "https://slack.com/api/").rstrip("/") + "/",
        slack_api_token=text("SLACK_API_TOKEN"),
        slack_signing_secret=text("SLACK_SIGNING_SECRET"),
        slack_channel_id=text("SLACK_CHANNEL_ID"),
        pagerduty_events_url=text("PAGERDUTY_EVENTS_URL", "https://events.pagerduty.com/v2/enqueue"),
        pagerduty_routing_key=text("PAGERDUTY_ROUTING_KEY"),
        webhook_url=text("MEDIC_WEBHOOK_URL"),
        webhook_secret=text("MEDIC_WEBHOOK_SECRET"),
        group_alerts_from=number("MEDIC_GROUP_ALERTS_FROM", DEFAULT_GROUP_FROM, 2, 1000),
        spool_url=text("MEDIC_SPOOL_URL"),
        spool_dead_letter_url=text("MEDIC_SPOOL_DEAD_LETTER_URL"),
        notifications_url=text("MEDIC_NOTIFICATIONS_URL"),
        slow_notifications_url=text("MEDIC_SLOW_NOTIFICATIONS_URL"),
        playbook_machine_arn=text("MEDIC_PLAYBOOK_MACHINE_ARN"),
        breaker_executions=number("MEDIC_BREAKER_EXECUTIONS", DEFAULT_BREAKER_EXECUTIONS, 1, 1000),
        trigger_secret=text("MEDIC_TRIGGER_SECRET"),
        secrets_key=text("MEDIC_SECRETS_KEY"),
        former_secrets_keys=several("MEDIC_FORMER_SECRETS_KEYS"),
        orders_key=text("MEDIC_ORDERS_KEY"),
        kms_key_id=text("MEDIC_KMS_KEY_ID"),
        additional_script_variables=several("MEDIC_ADDITIONAL_SCRIPT_ENV_VARS"),
    )
