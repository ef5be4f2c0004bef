"""What has happened so far, added up: what functions count themselves, and how long a series is kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from psycopg.types.json import Jsonb

from medic_core.domain.observing.exposition import Sample
from medic_core.store.connection import Transaction

#: In one order, so that two who add at once wait for one another and not in a circle.
ADD: Final = """
INSERT INTO medic.counters AS c (name, labels, value)
SELECT name, labels, sum(value)
  FROM unnest(%(names)s::text[], %(labels)s::jsonb[], %(values)s::float8[]) AS w (name, labels, value)
 GROUP BY name, labels ORDER BY name, labels
ON CONFLICT (name, labels) DO UPDATE SET value = c.value + EXCLUDED.value, changed_at = now()
"""


def add(tx: Transaction, samples: Iterable[Sample]) -> None:
    """Add to counters. Not inside a longer transaction: everybody else who counts the same would wait for its end."""
    counted = list(samples)
    if not counted:
        return
    tx.execute(
        ADD,
        {
            "names": [one.name for one in counted],
            "labels": [Jsonb(dict(one.labels)) for one in counted],
            "values": [one.value for one in counted],
        },
    )


#: A series that ends and begins again later is a counter that was reset: who reads counters knows that.
FORGET: Final = """
DELETE FROM medic.counters c
 WHERE (c.labels <> jsonb_build_object() AND c.changed_at < now() - %(days)s * interval '1 day')
    OR (c.service_id IS NOT NULL AND NOT EXISTS (SELECT FROM medic.services s WHERE s.service_id = c.service_id))
"""


def forget(tx: Transaction, days: int) -> int:
    """Remove series that have not risen for so long, and those of services that are gone; returns how many."""
    return tx.execute(FORGET, {"days": days}).rowcount
