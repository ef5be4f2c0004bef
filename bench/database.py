"""A Postgres of the bench's own, durable, with services in bulk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from local import servers
from medic_core.adapters.migrations import apply_all
from medic_core.flows.housekeep import make_partitions
from medic_core.store.connection import Database

ROOT = Path(__file__).parents[1]

SERVICES = """
INSERT INTO medic.services (heartbeat_name, name_key, service_name, slug, ping_id, priority, every_seconds)
SELECT 'service-' || n, 'service-' || n, 'service-' || n, 'service-' || n, gen_random_uuid(), 'p3', 60
  FROM generate_series((SELECT count(*) + 1 FROM medic.services), %(count)s) AS n
"""
STATES = """
INSERT INTO medic.service_state (service_id, health, last_heartbeat_at, recent_heartbeats, silence_allowed, alert_after)
SELECT service_id, 'up', now(), ARRAY[now()], interval '1 minute', now() + interval '1 day'
  FROM medic.services WHERE service_id NOT IN (SELECT service_id FROM medic.service_state)
"""


#: A disk that is none, where there is one.
MEMORY = Path("/dev/shm")


@contextmanager
def fresh(parent: Path | None = None) -> Iterator[str]:
    """The URL of a migrated database that is gone afterwards; on the disk of temporary files, or on another."""
    folder = Path(tempfile.mkdtemp(prefix="medic-bench-", dir=parent))
    folder.chmod(0o755)
    server, url = servers.postgres(folder)
    server.start()
    try:
        servers.make_database(url)
        apply_all(url, ROOT / "migrations")
        database = Database(url)
        make_partitions(database, days=1)
        database.close()
        yield url
    finally:
        server.stop()
        shutil.rmtree(folder)


def fill(url: str, count: int) -> None:
    """Bring the number of services to `count`, all heard just now and due tomorrow."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SERVICES, {"count": count})
        connection.execute(STATES)
        connection.execute("VACUUM ANALYZE medic.services, medic.service_state")


def make_due(url: str, count: int) -> None:
    """Let so many services be overdue."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "UPDATE medic.service_state SET alert_after = now() - interval '1 second', health = 'up', troubles = '{}',"
            " health_changes = '{}', flapping_until = NULL"
            " WHERE service_id IN (SELECT service_id FROM medic.service_state ORDER BY service_id LIMIT %s)",
            [count],
        )


def settle_down(url: str) -> None:
    """Forget all alerts, and let nothing be due."""
    with psycopg.connect(url, autocommit=True) as connection:
        # With what hangs on them: deliveries, firings of triggers, executions.
        connection.execute("TRUNCATE medic.alerts, medic.outbox CASCADE")
        connection.execute(
            "UPDATE medic.service_state SET alert_after = now() + interval '1 day', health = 'up', troubles = '{}'"
            " WHERE alert_after IS NULL OR alert_after <= now() OR troubles <> '{}'"
        )
        connection.execute("VACUUM ANALYZE medic.service_state")
