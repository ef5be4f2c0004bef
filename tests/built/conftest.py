"""Built functions around a real Postgres, a real Redis and the emulator's queues, with their secrets elsewhere."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier, Literal

from medic_core.adapters.migrations import apply_all
from medic_core.flows.housekeep import make_partitions
from medic_core.flows.keys import ensure_admin_key
from medic_core.store.connection import Database
from tests.built.emulator import ROOT, Build, BuiltFunction
from tests.built.secrets_extension import SESSION_TOKEN, SecretsExtension
from tests.fixtures.aws import Emulator
from tests.fixtures.functions import ADMIN_KEY, HashedOnce, a_machine
from tests.fixtures.postgres import MIGRATIONS, PostgresServer

sys.path[:0] = [str(ROOT / "infra")]
import python313  # noqa: E402  (the path above comes first)

BUILD = Path(os.environ.get("MEDIC_BUILD", ROOT / ".aws-sam" / "build"))
PASSWORD = "first: p@ss/word %40"
NAMESPACE = "Medic/test"


@pytest.fixture(scope="session")
def build() -> Build:
    assert (BUILD / "template.yaml").exists(), f"Nothing is built in {BUILD}: `make contract` builds."
    return Build(BUILD, str(python313.find(os.environ)))


class Account:
    """What a stack finds in its account: secrets, queues, a machine, a database role with a password."""

    def __init__(self, aws: Emulator, database_url: str, redis_url: str, queues: dict[str, str]) -> None:
        self._aws = aws
        self.database_url = database_url
        self.role = f"role_{uuid4().hex[:8]}"
        self.extension = SecretsExtension()
        self._make_role()
        self.database_secret = self._secret({"username": self.role, "password": PASSWORD})
        keys = self._secret({"MEDIC_KEY_CACHE_SECRET": "seals keys", "MEDIC_ADMIN_API_KEY": ADMIN_KEY})
        sealing = self._secret({"MEDIC_SECRETS_KEY": "YW5vdGhlciBvbmUgb2YgeW91ciBvd24sIG5vdCBpdCE="})
        orders = self._secret({"MEDIC_ORDERS_KEY": "YW4gZXhhbXBsZTogbWFrZSBvbmUgb2YgeW91ciBvd24="})
        channels = self._secret({"SLACK_API_TOKEN": "xoxb-secret", "MEDIC_TRIGGER_SECRET": "a trigger's"})
        parts = urlsplit(database_url)
        self.values = {
            "DATABASE_URL": parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(),
            "DATABASE_CREDENTIALS": self.database_secret,
            "MEDIC_DATABASE_POOLED": "false",
            "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT": str(self.extension.port),
            "REDIS_URL": redis_url,
            "MEDIC_KEY_CACHE_SECRET": f"{keys}:MEDIC_KEY_CACHE_SECRET",
            "MEDIC_ADMIN_API_KEY": f"{keys}:MEDIC_ADMIN_API_KEY",
            "MEDIC_SECRETS_KEY": f"{sealing}:MEDIC_SECRETS_KEY",
            "MEDIC_FORMER_SECRETS_KEYS": f"{sealing}:MEDIC_FORMER_SECRETS_KEYS",
            "MEDIC_ORDERS_KEY": f"{orders}:MEDIC_ORDERS_KEY",
            **{
                name: f"{channels}:{name}"
                for name in (
                    "SLACK_API_TOKEN",
                    "SLACK_SIGNING_SECRET",
                    "PAGERDUTY_ROUTING_KEY",
                    "MEDIC_WEBHOOK_URL",
                    "MEDIC_WEBHOOK_SECRET",
                    "MEDIC_TRIGGER_SECRET",
                )
            },
            "MEDIC_BASE_URL": "https://medic.test",
            "MEDIC_PLAYBOOK_MACHINE_ARN": a_machine(aws),
            "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE,
            "RATE_LIMIT_MANAGEMENT_REQUESTS": "1000000",
            "RATE_LIMIT_HEARTBEAT_REQUESTS": "1000000",
            **queues,
        }
        self.everywhere = {
            **aws.environment,
            "AWS_SESSION_TOKEN": SESSION_TOKEN,
            "TZ": ":UTC",
        }

    def _make_role(self) -> None:
        with psycopg.connect(self.database_url, autocommit=True) as admin:
            admin.execute(f"CREATE ROLE {self.role} SUPERUSER LOGIN")
            self.set_password(PASSWORD)

    def set_password(self, password: str) -> None:
        """From now on new connections need this one."""
        with psycopg.connect(self.database_url, autocommit=True) as admin:
            admin.execute(SQL("ALTER ROLE {} PASSWORD {}").format(Identifier(self.role), Literal(password)))

    def _secret(self, content: dict[str, str]) -> str:
        text = json.dumps(content)
        client = self._aws.client("secretsmanager")
        arn = str(client.create_secret(Name=f"medic/{uuid4().hex}", SecretString=text)["ARN"])
        self.extension.secrets[arn] = text
        return arn

    def rotate_database_secret(self, password: str) -> None:
        """The password changes there and in Secrets Manager; the extension still remembers the old one."""
        self.set_password(password)
        content = json.dumps({"username": self.role, "password": password})
        self._aws.client("secretsmanager").put_secret_value(SecretId=self.database_secret, SecretString=content)

    def cut_connections(self) -> None:
        """Those of the stack's role, as a failover does; they are gone when this returns."""
        with psycopg.connect(self.database_url, autocommit=True) as admin:
            # Each is waited for. One that ended meanwhile by itself is no failure.
            cut = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = %s"
            admin.execute(cut, [self.role])

    def close(self) -> None:
        self.extension.stop()
        self.cut_connections()
        with psycopg.connect(self.database_url, autocommit=True) as admin:
            admin.execute(f"REASSIGN OWNED BY {self.role} TO CURRENT_USER")
            admin.execute(f"DROP OWNED BY {self.role}")
            admin.execute(f"DROP ROLE {self.role}")


#: Variable → queue.
QUEUES = {
    "MEDIC_SPOOL_URL": "spool",
    "MEDIC_SPOOL_DEAD_LETTER_URL": "dead-letters",
    "MEDIC_NOTIFICATIONS_URL": "notifications",
    "MEDIC_SLOW_NOTIFICATIONS_URL": "slow",
}


@pytest.fixture
def own_database_url(own_server: PostgresServer) -> str:
    """A database on a server that this test may stop. Where a module calls it `database_url`, its account is there."""
    url = own_server.url("postgres")
    apply_all(url, MIGRATIONS)
    database = Database(url)
    make_partitions(database, days=1)
    database.close()
    return url


@pytest.fixture
def queues(a_queue: Any) -> dict[str, Any]:
    return {variable: a_queue(name) for variable, name in QUEUES.items()}


@pytest.fixture
def account(aws: Emulator, database_url: str, redis_url: str, queues: dict[str, Any]) -> Iterator[Account]:
    database = Database(database_url)
    ensure_admin_key(database, ADMIN_KEY, HashedOnce())
    database.close()
    found = Account(aws, database_url, redis_url, {name: queue.url for name, queue in queues.items()})
    yield found
    found.close()


@pytest.fixture
def start(build: Build, account: Account, tmp_path: Path) -> Iterator[Callable[..., BuiltFunction]]:
    """Start a built function: `start("HeartbeatFunction", REDIS_URL="")` with one variable changed."""
    started: list[BuiltFunction] = []

    def begin(name: str, **changed: str) -> BuiltFunction:
        names = build.variables(name)
        values = {variable: value for variable, value in account.values.items() if variable in names}
        environment = {**account.everywhere, **values, **changed}
        if name == "ScriptStepFunction":
            environment.update(DATABASE_URL="", DATABASE_CREDENTIALS="")
        function = BuiltFunction(build, name, environment, tmp_path / f"{name}.{len(started)}.log")
        started.append(function)
        return function.start()

    yield begin
    for function in started:
        function.stop()
