"""When services had open alerts: the past that pages draw."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from psycopg.rows import tuple_row

from medic_core.domain.watching.periods import Outage
from medic_core.store.connection import Transaction

#: A service that goes up and down all day is as black after so many.
MOST_OUTAGES: Final = 300
OUTAGES: Final = """
SELECT wanted.service_id, a.opened_at, a.resolved_at
  FROM unnest(%(service_ids)s::bigint[], %(since)s::timestamptz[]) AS wanted (service_id, since),
       LATERAL (SELECT opened_at, resolved_at FROM medic.alerts
                 WHERE alerts.service_id = wanted.service_id
                   AND COALESCE(resolved_at, 'infinity') > wanted.since
                 ORDER BY alert_id DESC LIMIT %(most)s) AS a
"""


def outages(tx: Transaction, since: Mapping[int, datetime]) -> dict[int, list[Outage]]:
    """The outages of services that reach beyond a time, which is each service's own."""
    values = {"service_ids": list(since), "since": list(since.values()), "most": MOST_OUTAGES}
    found: dict[int, list[Outage]] = {service_id: [] for service_id in since}
    with tx.cursor(row_factory=tuple_row) as cursor:
        for service_id, began, ended in cursor.execute(OUTAGES, values):
            found[service_id].append(Outage(began, ended))
    return found
