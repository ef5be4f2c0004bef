"""What can be set from outside, and which parameter of the template each variable becomes."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from local.console import Refused

ROOT = Path(__file__).parents[1]
LARGEST_PORT = 65535

#: Environment variable → parameter of infra/template.yaml. With SECRETS and SERVERS the only list of them.
PARAMETERS = {
    "DATABASE_URL": "DatabaseUrl",
    "REDIS_URL": "RedisUrl",
    "MEDIC_RATE_LIMITER_TYPE": "RateLimiterType",
    "RATE_LIMIT_HEARTBEAT_REQUESTS": "RateLimitHeartbeatRequests",
    "RATE_LIMIT_MANAGEMENT_REQUESTS": "RateLimitManagementRequests",
    "RATE_LIMIT_HEALTH_REQUESTS": "RateLimitHealthRequests",
    "RATE_LIMIT_DOCS_REQUESTS": "RateLimitDocsRequests",
    "MEDIC_SWEEP_SECONDS": "SweepSeconds",
    "MEDIC_ALLOWED_WEBHOOK_HOSTS": "AllowedWebhookHosts",
    "MEDIC_BASE_URL": "BaseUrl",
    "SLACK_API_URL": "SlackApiUrl",
    "SLACK_CHANNEL_ID": "SlackChannelId",
    "PAGERDUTY_EVENTS_URL": "PagerDutyEventsUrl",
    "MEDIC_GROUP_ALERTS_FROM": "GroupAlertsFrom",
    "RATE_LIMIT_EXECUTION_REQUESTS": "RateLimitExecutionRequests",
    "RATE_LIMIT_PAGE_REQUESTS": "RateLimitPageRequests",
    "RATE_LIMIT_METRICS_REQUESTS": "RateLimitMetricsRequests",
    "MEDIC_OPEN_METRICS": "OpenMetrics",
    "MEDIC_BREAKER_EXECUTIONS": "BreakerExecutions",
    "MEDIC_ADDITIONAL_SCRIPT_ENV_VARS": "AdditionalScriptVariables",
}
#: Environment variable → parameter that names the secret which holds it, under the variable's own name.
SECRETS = {
    "MEDIC_KEY_CACHE_SECRET": "KeyCacheSecretArn",
    "MEDIC_ADMIN_API_KEY": "AdminKeySecretArn",
    "SLACK_API_TOKEN": "ChannelsSecretArn",
    "SLACK_SIGNING_SECRET": "ChannelsSecretArn",
    "PAGERDUTY_ROUTING_KEY": "ChannelsSecretArn",
    "MEDIC_WEBHOOK_URL": "ChannelsSecretArn",
    "MEDIC_WEBHOOK_SECRET": "ChannelsSecretArn",
    "MEDIC_TRIGGER_SECRET": "ChannelsSecretArn",
    "MEDIC_SECRETS_KEY": "SealingKeysSecretArn",
    "MEDIC_FORMER_SECRETS_KEYS": "SealingKeysSecretArn",
    "MEDIC_ORDERS_KEY": "OrdersKeySecretArn",
}
#: Whose URL may hold who we are → parameter that names the secret which then does.
SERVERS = {"DATABASE_URL": "DatabaseSecretArn", "REDIS_URL": "RedisSecretArn"}
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
    given = {name: environment[name] for name in (*PARAMETERS, *SECRETS) if environment.get(name)}
    given.setdefault("MEDIC_SWEEP_SECONDS", DEFAULT_SWEEP_SECONDS)
    return Settings(_port(environment.get("MEDIC_PORT") or "3000"), data, given)


def parameters(given: Mapping[str, str]) -> dict[str, str]:
    """What variables become, but for what is secret."""
    plain = {PARAMETERS[name]: value for name, value in given.items() if name in PARAMETERS}
    return FIXED | plain | {PARAMETERS[name]: _apart(given[name])[0] for name in SERVERS if name in given}


def secrets_of(given: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Parameter that names a secret → what that secret holds. Each has one, if an empty one."""
    found: dict[str, dict[str, str]] = {parameter: {} for parameter in (*SECRETS.values(), *SERVERS.values())}
    for name, parameter in SECRETS.items():
        if name in given:
            found[parameter][name] = given[name]
    for name, parameter in SERVERS.items():
        found[parameter] = _apart(given.get(name, ""))[1]
    return found


def _apart(url: str) -> tuple[str, dict[str, str]]:
    """A URL without who we are, and that."""
    parts = urlsplit(url)
    said = {"username": parts.username, "password": parts.password}
    who = {name: unquote(text) for name, text in said.items() if text is not None}
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])), who


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= LARGEST_PORT:
        raise Refused(f"MEDIC_PORT must be a port number, not {text!r}.")
    return int(text)


def new_admin_key() -> str:
    """A key of 256 random bits, in the form that the API takes."""
    key_id = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return f"mdk_{key_id}_{secrets.token_urlsafe(32)}"


#: Parameters with a value of their own here: keys lie in the data directory, not in a key service; nobody watches.
FIXED = {"UseKms": "false", "WithAlarms": "false"}


def kept_secret(file: Path, make: Callable[[], str] = lambda: secrets.token_urlsafe(32)) -> str:
    """A random secret that this data directory keeps, readable by its owner alone."""
    if not file.exists() or not file.read_text():
        file.touch(mode=0o600)
        file.write_text(make())
    return file.read_text()


def new_sealing_key() -> str:
    """256 random bits, as AES keys are written down here."""
    return base64.b64encode(secrets.token_bytes(32)).decode()
