"""Teams: who owns services, and the ping key that their slug URLs share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg.rows import scalar_row

from medic_core.domain.watching.names import name_key
from medic_core.store.connection import Transaction
from medic_core.store.tables import Table

#: The update that changes nothing makes the statement return the row that was there.
ENSURE: Final = """
INSERT INTO medic.teams (name, name_key, ping_key) VALUES (%(name)s, %(name_key)s, %(ping_key)s)
ON CONFLICT (name_key) DO UPDATE SET name_key = EXCLUDED.name_key
RETURNING team_id
"""


def ensure(tx: Transaction, name: str, ping_key: str) -> int:
    """The team of that name, made with this ping key where there is none."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(ENSURE, {"name": name, "name_key": name_key(name), "ping_key": ping_key}).fetchone()
    assert isinstance(found, int)
    return found


EXISTING: Final = "SELECT team_id FROM medic.teams WHERE team_id = %(team_id)s"


def existing(tx: Transaction, team_id: int | None) -> int | None:
    """The id, if there is such a team."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(EXISTING, {"team_id": team_id}).fetchone()


BY_NAME: Final = "SELECT team_id FROM medic.teams WHERE name_key = %(name_key)s"


def by_name(tx: Transaction, name_key: str) -> int | None:
    """The team of that name, if there is one."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(BY_NAME, {"name_key": name_key}).fetchone()


BY_PING_KEY: Final = "SELECT team_id FROM medic.teams WHERE ping_key = %(ping_key)s"


def by_ping_key(tx: Transaction, ping_key: str) -> int | None:
    """The team whose slug URLs carry this key."""
    with tx.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(BY_PING_KEY, {"ping_key": ping_key}).fetchone()


@dataclass(frozen=True, slots=True)
class Team:
    """A team as it is listed."""

    team_id: int
    name: str
    name_key: str
    slack_channel_id: str | None
    ping_key: str
    version: int
    created_at: datetime
    updated_at: datetime
    now: datetime


TEAMS: Final = Table("teams", "team_id", Team, fixed=frozenset({"team_id"}))
