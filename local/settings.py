"""What can be set from outside, and which parameter of the template each variable becomes."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from local.console import Refused

ROOT = Path(__file__).parents[1]
LARGEST_PORT = 65535

#: Environment variable → parameter of infra/template.yaml. The only list of them.
PARAMETERS = {
    "DATABASE_URL": "DatabaseUrl",
    "REDIS_URL": "RedisUrl",
    "MEDIC_KEY_CACHE_SECRET": "KeyCacheSecret",
    "MEDIC_RATE_LIMITER_TYPE": "RateLimiterType",
    "RATE_LIMIT_HEARTBEAT_REQUESTS": "RateLimitHeartbeatRequests",
    "RATE_LIMIT_MANAGEMENT_REQUESTS": "RateLimitManagementRequests",
    "RATE_LIMIT_HEALTH_REQUESTS": "RateLimitHealthRequests",
    "RATE_LIMIT_DOCS_REQUESTS": "RateLimitDocsRequests",
    "MEDIC_ADMIN_API_KEY": "AdminApiKey",
    "MEDIC_SWEEP_SECONDS": "SweepSeconds",
    "MEDIC_ALLOWED_WEBHOOK_HOSTS": "AllowedWebhookHosts",
    "MEDIC_BASE_URL": "BaseUrl",
    "SLACK_API_URL": "SlackApiUrl",
    "SLACK_API_TOKEN": "SlackApiToken",
    "SLACK_SIGNING_SECRET": "SlackSigningSecret",
    "SLACK_CHANNEL_ID": "SlackChannelId",
    "PAGERDUTY_EVENTS_URL": "PagerDutyEventsUrl",
    "PAGERDUTY_ROUTING_KEY": "PagerDutyRoutingKey",
    "MEDIC_WEBHOOK_URL": "WebhookUrl",
    "MEDIC_WEBHOOK_SECRET": "WebhookSecret",
    "MEDIC_GROUP_ALERTS_FROM": "GroupAlertsFrom",
    "RATE_LIMIT_EXECUTION_REQUESTS": "RateLimitExecutionRequests",
    "RATE_LIMIT_PAGE_REQUESTS": "RateLimitPageRequests",
    "MEDIC_BREAKER_EXECUTIONS": "BreakerExecutions",
    "MEDIC_TRIGGER_SECRET": "TriggerSecret",
    "MEDIC_SECRETS_KEY": "SecretsKey",
    "MEDIC_FORMER_SECRETS_KEYS": "FormerSecretsKeys",
    "MEDIC_ORDERS_KEY": "OrdersKey",
    "MEDIC_ADDITIONAL_SCRIPT_ENV_VARS": "AdditionalScriptVariables",
}
DEFAULT_SWEEP_SECONDS = "15"
#: The emulator asks for credentials and checks none. A person's real ones, profiles and endpoints are never looked at.
DUMMY_AWS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class Settings:
    """Where it runs and with what. `given` are the variables that become parameters."""

    port: int
    data: Path
    given: Mapping[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def read(environment: Mapping[str, str]) -> Settings:
    """The settings that the environment asks for. Raises Refused."""
    data = Path(environment.get("MEDIC_DATA_DIR") or ROOT / ".medic").expanduser().resolve()
    given = {name: environment[name] for name in PARAMETERS if environment.get(name)}
    given.setdefault("MEDIC_SWEEP_SECONDS", DEFAULT_SWEEP_SECONDS)
    return Settings(_port(environment.get("MEDIC_PORT") or "3000"), data, given)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= LARGEST_PORT:
        raise Refused(f"MEDIC_PORT must be a port number, not {text!r}.")
    return int(text)


def new_admin_key() -> str:
    """A key of 256 random bits, in the form that the API takes."""
    key_id = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return f"mdk_{key_id}_{secrets.token_urlsafe(32)}"


#: Parameters with a value of their own here: keys lie in the data directory, not in a key service.
FIXED = {"UseKms": "false"}


def kept_secret(file: Path, make: Callable[[], str] = lambda: secrets.token_urlsafe(32)) -> str:
    """A random secret that this data directory keeps, readable by its owner alone."""
    if not file.exists() or not file.read_text():
        file.touch(mode=0o600)
        file.write_text(make())
    return file.read_text()


def new_sealing_key() -> str:
    """256 random bits, as AES keys are written down here."""
    return base64.b64encode(secrets.token_bytes(32)).decode()
