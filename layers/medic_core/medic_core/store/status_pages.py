"""What stands on a public page. What nobody may see there is not read, so that no template can show it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg.rows import class_row

from medic_core.domain.watching.public import PublicState, public_state
from medic_core.domain.watching.schedules import Schedule
from medic_core.store import schedules, watched
from medic_core.store.connection import Transaction
from medic_core.store.services import COLUMNS

SEEN: Final = (
    """
SELECT s.service_id, s.service_name, s.status, s.created_at, s.every_seconds, s.threshold, s.grace_period_seconds,
       s.cron_expression, s.timezone, s.early_tolerance_seconds, s.alert_after, s.now, trouble.opened_at,
       held.maintenance_until
  FROM ("""  # noqa: S608 - constants
    + COLUMNS
    + """
         WHERE s.status_page = %(page)s) AS s,
       LATERAL (SELECT min(opened_at) AS opened_at FROM medic.alerts
                 WHERE alerts.service_id = s.service_id AND resolved_at IS NULL) AS trouble,
       LATERAL (SELECT max(w.next_end) AS maintenance_until FROM medic.maintenance_windows w
                 WHERE w.next_start <= now() AND w.next_end > now() AND """
    + watched.FOR_SERVICE
    + ") AS held"
)
#: A part of a page, and with each row how all of it does.
ON_PAGE: Final = (
    "WITH seen AS MATERIALIZED ("  # noqa: S608 - constants
    + SEEN
    + """)
SELECT seen.*, (SELECT json_agg(json_build_array(status, in_trouble, in_maintenance, count))
                  FROM (SELECT status, opened_at IS NOT NULL AS in_trouble,
                               maintenance_until IS NOT NULL AS in_maintenance, count(*)
                          FROM seen GROUP BY 1, 2, 3) AS one) AS together
  FROM seen
 ORDER BY lower(service_name), service_id
 LIMIT %(limit)s OFFSET %(first)s
"""
)
#: How the services of a page do, of all names together or of each name.
STATES: Final = (
    """
SELECT CASE WHEN %(by_name)s THEN service_name ELSE '' END, status, opened_at IS NOT NULL,
       maintenance_until IS NOT NULL, count(*)
  FROM ("""
    + SEEN
    + ") AS seen GROUP BY 1, 2, 3, 4"
)


@dataclass(frozen=True, slots=True)
class OnPage:
    """A service as everybody may see it. Its id is for asking about its past alone: it is shown to nobody."""

    service_id: int
    service_name: str
    status: str
    created_at: datetime
    every_seconds: int | None
    threshold: int
    grace_period_seconds: int
    cron_expression: str | None
    timezone: str | None
    early_tolerance_seconds: int
    alert_after: datetime | None
    now: datetime
    opened_at: datetime | None
    maintenance_until: datetime | None
    together: list[tuple[str, bool, bool, int]]

    @property
    def schedule(self) -> Schedule:
        """When it must be heard."""
        return schedules.read(asdict(self))

    @property
    def due_at(self) -> datetime | None:
        """When its grace begins."""
        return self.alert_after - timedelta(seconds=self.grace_period_seconds) if self.alert_after else None

    @property
    def state(self) -> PublicState:
        """How it does."""
        return public_state(
            self.status, in_maintenance=self.maintenance_until is not None, in_trouble=self.opened_at is not None
        )


def on_page(tx: Transaction, page: str, first: int, limit: int) -> tuple[list[OnPage], Counter[PublicState]]:
    """Services on a page, by name, from the one with that number; and how all of it do. None where there are none."""
    with tx.cursor(row_factory=class_row(OnPage)) as cursor:
        found = cursor.execute(ON_PAGE, {"page": page, "first": first, "limit": limit}).fetchall()
    return found, _counted(found[0].together) if found else Counter()


def states(tx: Transaction, page: str) -> Counter[PublicState]:
    """How the services of a page do; empty where there is no such page."""
    rows = tx.execute(STATES, {"page": page, "by_name": False}).fetchall()
    return _counted(row[1:] for row in rows)


def states_by_name(tx: Transaction, page: str) -> dict[str, Counter[PublicState]]:
    """How they do, for each name that a service on the page has."""
    found: dict[str, Counter[PublicState]] = defaultdict(Counter)
    for name, *state in tx.execute(STATES, {"page": page, "by_name": True}).fetchall():
        found[name] += _counted([state])
    return dict(found)


def _counted(groups: Iterable[Sequence[Any]]) -> Counter[PublicState]:
    counts: Counter[PublicState] = Counter()
    for status, in_trouble, in_maintenance, count in groups:
        counts[public_state(status, in_maintenance=in_maintenance, in_trouble=in_trouble)] += count
    return counts
