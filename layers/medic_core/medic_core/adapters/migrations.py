"""The schema's migrations, by yoyo. Only the function that migrates has it; it holds `store.schema_lock` meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from yoyo import get_backend, read_migrations
from yoyo.backends import DatabaseBackend


def apply_all(url: str, folder: Path) -> list[str]:
    """Apply what is missing, in order; returns the names."""
    with _backend(url) as backend:
        migrations = backend.to_apply(read_migrations(str(folder)))
        backend.apply_migrations(migrations)
        return [migration.id for migration in migrations]


def roll_back(url: str, folder: Path, count: int | None = None) -> list[str]:
    """Undo the newest `count` migrations (None: all), for development; returns the names."""
    with _backend(url) as backend:
        migrations = backend.to_rollback(read_migrations(str(folder)))[:count]
        backend.rollback_migrations(migrations)
        return [migration.id for migration in migrations]


@contextmanager
def _backend(url: str) -> Iterator[DatabaseBackend]:
    # yoyo names the driver in the scheme. It keeps its own tables in `public`, wherever "$user" would lead: a user
    # called like our schema would otherwise look for them elsewhere once that exists, and apply everything again.
    own = "&" if "?" in url else "?"
    backend = get_backend(f"postgresql+psycopg://{url.split('://', 1)[1]}{own}schema=public")
    try:
        yield backend
    finally:
        backend.connection.close()
