"""Targets and webhooks in one list, with the names of whose they are and how they were when they were last tried."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import class_row

from medic_core.store.connection import Transaction

#: Names are looked up for the page alone.
LISTED: Final = """
WITH found AS (
    SELECT 'target' AS kind, target_id AS number, service_id, team_id, type AS channel, config, priority, period,
           min_priority, enabled, NULL::text AS disabled_because
      FROM medic.notification_targets
     UNION ALL
    SELECT 'webhook', webhook_id, service_id, NULL, 'webhook',
           jsonb_build_object('url', url, 'headers', headers), NULL, 'always', NULL, enabled, disabled_because
      FROM medic.webhooks
), page AS (
    SELECT * FROM found
     WHERE (%(service_id)s::bigint IS NULL OR service_id = %(service_id)s)
       AND (%(team_id)s::bigint IS NULL OR team_id = %(team_id)s)
       AND (kind, number) > (%(kind)s, %(after)s)
     ORDER BY kind, number LIMIT %(limit)s
)
SELECT p.*, s.service_name, t.name AS team, h.failing_since,
       CASE WHEN h.throttled_until > now() THEN h.throttled_until END AS throttled_until
  FROM page p
  LEFT JOIN medic.services s USING (service_id)
  LEFT JOIN medic.teams t ON t.team_id = p.team_id
  LEFT JOIN medic.target_health h ON h.target_key = p.kind || ':' || p.number
 ORDER BY p.kind, p.number
"""


@dataclass(frozen=True, slots=True)
class Listed:
    """A target or a webhook; its `config` is not for everybody. `priority` None: it is not one of several in order."""

    kind: str
    number: int
    service_id: int | None
    team_id: int | None
    channel: str
    config: dict[str, Any]
    priority: int | None
    period: str
    min_priority: str | None
    enabled: bool
    disabled_because: str | None
    service_name: str | None
    team: str | None
    failing_since: datetime | None
    throttled_until: datetime | None

    @property
    def key(self) -> str:
        """What deliveries to it are logged under."""
        return f"{self.kind}:{self.number}"


def listed(
    tx: Transaction, service_id: int | None, team_id: int | None, after: tuple[str, int] | None, limit: int
) -> list[Listed]:
    """Targets, then webhooks, each in the order of their making, from the one after `after`; None does not filter."""
    kind, number = after or ("", 0)
    values = {"service_id": service_id, "team_id": team_id, "kind": kind, "after": number, "limit": limit}
    with tx.cursor(row_factory=class_row(Listed)) as cursor:
        return cursor.execute(LISTED, values).fetchall()
