"""What functions talk to: a Postgres, a Redis and AWS's queues, started for this run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psycopg
from botocore.config import Config

from infra.sam_local.relay import relaying
from infra.sam_local.variables import Addresses, moved
from local import servers
from local.console import Refused
from local.servers import Server
from local.settings import DUMMY_AWS

REGION = "us-east-1"
#: Docker on other systems runs in a machine of its own, which knows ours by this name.
BY_NAME = "host.docker.internal"
#: The emulator has to play queues, and nothing else.
MODEST = {"LOG_LEVEL": "WARNING", "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "DOCKER_HOST": "unix:///nowhere"}


@dataclass(frozen=True)
class Surroundings:
    """The servers as we see them, and where containers find them."""

    addresses: Addresses
    _database_url: str
    _sqs: Any

    def count(self, table: str) -> int:
        """How many rows a table of Medic's has."""
        statement = psycopg.sql.SQL("SELECT count(*) FROM {}").format(psycopg.sql.Identifier("medic", table))
        with psycopg.connect(self._database_url) as connection:
            row = connection.execute(statement).fetchone()
        return int(row[0]) if row else 0

    def messages(self, queue: str) -> list[str]:
        """What waits in a queue, taken out of it."""
        url = self._sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        received = self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in received:
            self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in received]


@contextmanager
def started(folder: Path, gateway: str, queues: Sequence[str]) -> Iterator[Surroundings]:
    """Everything in `folder`, reachable from containers by the address of their gateway. Raises Refused."""
    with ExitStack() as stack:
        postgres, database_url = servers.postgres(folder)
        _run(stack, postgres)
        servers.make_database(database_url)
        found = servers.redis(folder)
        if found is None:
            raise Refused("There is no Redis here: none on the PATH (redis-server), and no wheel for this Python.")
        redis, redis_url = found
        _run(stack, redis)
        emulator = _emulator(folder)
        _run(stack, emulator)
        config = Config(retries={"total_max_attempts": 2}, proxies={})
        endpoint = f"http://127.0.0.1:{emulator.port}"
        sqs = boto3.client("sqs", endpoint_url=endpoint, region_name=REGION, config=config)
        seen = _as_seen_by_containers(stack, gateway)
        urls = {queue: moved(sqs.create_queue(QueueName=queue)["QueueUrl"], seen) for queue in queues}
        addresses = Addresses(moved(database_url, seen), moved(redis_url, seen), moved(endpoint, seen), urls)
        yield Surroundings(addresses, database_url, sqs)


def _run(stack: ExitStack, server: Server) -> None:
    stack.callback(server.stop)
    server.start()


def _emulator(folder: Path) -> Server:
    port, unused = servers.free_port(), servers.free_port()
    command = [sys.executable, "-m", "local.emulator", str(port), str(unused), str(folder / "messages.json")]
    own = {"PATH": os.environ.get("PATH", os.defpath), "GATEWAY_PORT": str(port), "TMPDIR": str(folder)}
    log, name = folder / "emulator.log", "The AWS emulator"
    return Server(name, command, port, log, environment=own | DUMMY_AWS | MODEST, folder=Path.cwd())


def _as_seen_by_containers(stack: ExitStack, gateway: str) -> Callable[[int], tuple[str, int]]:
    """Where a port of ours is for them."""
    relay = stack.enter_context(relaying(gateway))

    def seen(port: int) -> tuple[str, int]:
        try:
            return gateway, relay.listen_for(port)
        except OSError:
            return BY_NAME, port

    return seen
