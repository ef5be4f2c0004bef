"""The environment, read once: the only reader of `os.environ`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from medic_core.credentials import Keeper, SecretText, Server
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
    """What an operator can set. Names of the variables and their meaning: docs/configuration.md.

    Those that are secret are read when they are needed, and say so if they cannot be.
    """

    database: Server
    redis: Server
    key_cache_secret: SecretText
    limiter_type: LimiterType
    rate_limits: Mapping[Endpoints, int]
    admin_api_key: SecretText
    base_url: str
    sweep_every: timedelta
    allowed_webhook_hosts: tuple[str, ...]
    slack_api_url: str
    slack_api_token: SecretText
    slack_signing_secret: SecretText
    slack_channel_id: str
    pagerduty_events_url: str
    pagerduty_routing_key: SecretText
    webhook_url: SecretText
    webhook_secret: SecretText
    group_alerts_from: int
    spool_url: str
    spool_dead_letter_url: str
    notifications_url: str
    slow_notifications_url: str
    playbook_machine_arn: str
    breaker_executions: int
    open_metrics: bool
    trigger_secret: SecretText
    secrets_key: SecretText
    former_secrets_keys: SecretText
    orders_key: SecretText
    kms_key_id: str
    additional_script_variables: tuple[str, ...]

    @property
    def defaults(self) -> Defaults:
        """The default channel. Raises Unavailable."""
        # The heartbeat function reads settings too, and tells nobody.
        from medic_core.domain.routing.targets import Defaults  # noqa: PLC0415

        return Defaults(
            self.slack_channel_id,
            self.pagerduty_routing_key.value,
            self.webhook_url.value,
            self.webhook_secret.value,
        )


class _Reader:
    """Variables by their names, as values."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._keeper = Keeper(self.text("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT"), self.text("AWS_SESSION_TOKEN"))

    def text(self, name: str, default: str = "") -> str:
        return self._environ.get(name, "").strip() or default

    def number(self, name: str, default: int, lowest: int, highest: int) -> int:
        found = int(self.text(name, str(default)))
        if not lowest <= found <= highest:
            raise ValueError(f"{name} must be from {lowest} to {highest}, not {found}")
        return found

    def limit(self, name: str, kind: Endpoints) -> int:
        return self.number(name, rate_limits.DEFAULTS[kind], 1, rate_limits.HIGHEST)

    def secret(self, name: str) -> SecretText:
        return SecretText(self.text(name), self._keeper)

    def several(self, name: str) -> tuple[str, ...]:
        return tuple(one.strip() for one in self.text(name).split(",") if one.strip())


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings with their defaults; an empty variable counts as one that is not set. Raises ValueError."""
    read = _Reader(environ)
    return Settings(
        database=Server(
            read.text("DATABASE_URL"),
            read.secret("DATABASE_CREDENTIALS"),
            is_pooled=read.text("MEDIC_DATABASE_POOLED", "false") == "true",
        ),
        redis=Server(read.text("REDIS_URL"), read.secret("REDIS_CREDENTIALS")),
        key_cache_secret=read.secret("MEDIC_KEY_CACHE_SECRET"),
        limiter_type=LimiterType(read.text("MEDIC_RATE_LIMITER_TYPE", LimiterType.AUTO)),
        rate_limits={
            Endpoints.HEARTBEAT: read.limit("RATE_LIMIT_HEARTBEAT_REQUESTS", Endpoints.HEARTBEAT),
            Endpoints.MANAGEMENT: read.limit("RATE_LIMIT_MANAGEMENT_REQUESTS", Endpoints.MANAGEMENT),
            Endpoints.HEALTH: read.limit("RATE_LIMIT_HEALTH_REQUESTS", Endpoints.HEALTH),
            Endpoints.DOCS: read.limit("RATE_LIMIT_DOCS_REQUESTS", Endpoints.DOCS),
            Endpoints.EXECUTION: read.limit("RATE_LIMIT_EXECUTION_REQUESTS", Endpoints.EXECUTION),
            Endpoints.PAGE: read.limit("RATE_LIMIT_PAGE_REQUESTS", Endpoints.PAGE),
            Endpoints.METRICS: read.limit("RATE_LIMIT_METRICS_REQUESTS", Endpoints.METRICS),
        },
        admin_api_key=read.secret("MEDIC_ADMIN_API_KEY"),
        base_url=read.text("MEDIC_BASE_URL").rstrip("/"),
        sweep_every=timedelta(seconds=float(read.text("MEDIC_SWEEP_SECONDS", "60"))),
        allowed_webhook_hosts=tuple(host.lower() for host in read.several("MEDIC_ALLOWED_WEBHOOK_HOSTS")),
        slack_api_url=read.text("SLACK_API_URL", "https://slack.com/api/").rstrip("/") + "/",
        slack_api_token=read.secret("SLACK_API_TOKEN"),
        slack_signing_secret=read.secret("SLACK_SIGNING_SECRET"),
        slack_channel_id=read.text("SLACK_CHANNEL_ID"),
        pagerduty_events_url=read.text("PAGERDUTY_EVENTS_URL", "https://events.pagerduty.com/v2/enqueue"),
        pagerduty_routing_key=read.secret("PAGERDUTY_ROUTING_KEY"),
        webhook_url=read.secret("MEDIC_WEBHOOK_URL"),
        webhook_secret=read.secret("MEDIC_WEBHOOK_SECRET"),
        group_alerts_from=read.number("MEDIC_GROUP_ALERTS_FROM", DEFAULT_GROUP_FROM, 2, 1000),
        spool_url=read.text("MEDIC_SPOOL_URL"),
        spool_dead_letter_url=read.text("MEDIC_SPOOL_DEAD_LETTER_URL"),
        notifications_url=read.text("MEDIC_NOTIFICATIONS_URL"),
        slow_notifications_url=read.text("MEDIC_SLOW_NOTIFICATIONS_URL"),
        playbook_machine_arn=read.text("MEDIC_PLAYBOOK_MACHINE_ARN"),
        breaker_executions=read.number("MEDIC_BREAKER_EXECUTIONS", DEFAULT_BREAKER_EXECUTIONS, 1, 1000),
        open_metrics=read.text("MEDIC_OPEN_METRICS", "false") == "true",
        trigger_secret=read.secret("MEDIC_TRIGGER_SECRET"),
        secrets_key=read.secret("MEDIC_SECRETS_KEY"),
        former_secrets_keys=read.secret("MEDIC_FORMER_SECRETS_KEYS"),
        orders_key=read.secret("MEDIC_ORDERS_KEY"),
        kms_key_id=read.text("MEDIC_KMS_KEY_ID"),
        additional_script_variables=read.several("MEDIC_ADDITIONAL_SCRIPT_ENV_VARS"),
    )
