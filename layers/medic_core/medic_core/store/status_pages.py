"""What stands on a public page. Only what everybody may see is read, so that nothing else can be shown."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

from psycopg.rows import class_row

from medic_core.domain.watching.public import PublicState, public_state
from medic_core.domain.watching.schedules import Schedule
from medic_core.store import schedules, watched
from medic_core.store.connection import Transaction
from medic_core.store.services import COLUMNS

ON_PAGE: Final = (
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
    + """) AS held
 ORDER BY lower(s.service_name), s.service_id
"""
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


def on_page(tx: Transaction, page: str) -> list[OnPage]:
    """The services on a page, by name; none where there is no such page."""
    with tx.cursor(row_factory=class_row(OnPage)) as cursor:
        return cursor.execute(ON_PAGE, {"page": page}).fetchall()
