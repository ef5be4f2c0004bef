"""One short run for all tests of this folder, and what it left to look at."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.chaos.disk import a_disk
from tests.chaos.journal import Entry
from tests.chaos.plan import plan
from tests.chaos.run import Result, aftermath
from tests.fixtures.postgres import a_folder

SEED = int(os.environ.get("MEDIC_CHAOS_SEED", "4"))
SECONDS = 30.0


@dataclass
class World:
    """What a run left: journals, and a database. Both may be changed."""

    folder: Path
    database_url: str

    def execute(self, *queries: str) -> None:
        """The last must change something: else nothing was planted."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            changed = [connection.execute(query).rowcount for query in queries]
        assert changed[-1] > 0, queries

    def rewrite(self, journal: str, edit: Callable[[list[Entry]], list[Entry]]) -> None:
        file = self.folder / f"{journal}.jsonl"
        before = [json.loads(line) for line in file.read_text().splitlines()]
        after = edit([*before])
        assert after != before, journal
        file.write_text("".join(json.dumps(entry) + "\n" for entry in after))


@pytest.fixture(scope="session")
def ended() -> Iterator[tuple[Result, World]]:
    """Its database lives on until all tests have looked."""
    folder = a_folder("medic-chaos-journals-")
    with a_disk() as disk, aftermath(plan(SEED, SECONDS), folder, disk, print) as (result, database_url):
        yield result, World(folder, database_url)
    shutil.rmtree(folder)


@pytest.fixture
def world(ended: tuple[Result, World], tmp_path: Path) -> Iterator[World]:
    """A copy, to plant something into."""
    _, original = ended
    folder, name = tmp_path / "journals", f"planted_{uuid4().hex}"
    shutil.copytree(original.folder, folder, ignore=lambda *_: {"medic"})
    server, _, database = original.database_url.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {database} STRATEGY file_copy")
        yield World(folder, f"{server}/{name}")
        admin.execute(f"DROP DATABASE {name} (FORCE)")
