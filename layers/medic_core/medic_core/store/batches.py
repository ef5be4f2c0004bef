"""Many ordinary heartbeats in one statement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from medic_core.domain.access.api_keys import VerifiedKey
from medic_core.domain.watching.signals import ById, ByName, Signal
from medic_core.store.connection import Transaction

#: Part of a statement that comes with a key: why the key that was verified is refused, if it is.
KEY: Final = """key AS (
    SELECT CASE WHEN %(key_id)s::text IS NULL THEN NULL
                WHEN k.api_key_id IS NULL THEN 'invalid_key'
                WHEN k.revoked_at <= now() THEN 'revoked_key'
                WHEN LEAST(k.expires_at, secret.valid_until) <= now() THEN 'expired_key'
                WHEN k.api_key_id <> %(api_key_id)s OR k.version <> %(key_version)s THEN 'changed_key'
           END AS refusal
      FROM (VALUES (1)) AS always
      LEFT JOIN medic.api_key_secrets secret ON secret.key_id = %(key_id)s
      LEFT JOIN medic.api_keys k USING (api_key_id)
)"""

#: As `medic.record_heartbeat` for each service that is meant once or several times by the same ordinary sign of life.
#: Rows are locked in the order of their ids: two batches wait for one another and not in a circle.
RECORD: Final = (
    """
WITH """  # noqa: S608 - constants
    + KEY
    + """, sent AS (
    SELECT * FROM unnest(%(positions)s::int[], %(name_keys)s::text[], %(service_ids)s::bigint[], %(kinds)s::text[],
                         %(run_ids)s::text[], %(signal_ids)s::uuid[], %(addresses)s::text[], %(agents)s::text[])
                  AS s (position, name_key, service_id, kind, run_id, signal_id, remote_address, user_agent)
), meant AS (
    SELECT sent.position, sent.kind, sent.run_id, sent.signal_id, sent.remote_address, sent.user_agent,
           service.service_id, service.heartbeat_name, service.active, service.threshold
      FROM sent
      LEFT JOIN LATERAL (
           SELECT service_id, heartbeat_name, active, threshold FROM medic.services WHERE name_key = sent.name_key
           UNION ALL
           SELECT service_id, heartbeat_name, active, threshold FROM medic.services WHERE service_id = sent.service_id
      ) AS service ON true
), ordinary AS (
    SELECT service_id, threshold, min(kind) AS kind, count(*)::int AS times
      FROM meant, key
     WHERE key.refusal IS NULL AND active
     GROUP BY service_id, threshold
    HAVING bool_and(run_id IS NULL) AND min(kind) = max(kind) AND min(kind) IN ('UP', 'DEGRADED')
), locked AS (
    SELECT st.service_id FROM medic.service_state st JOIN ordinary USING (service_id)
     ORDER BY st.service_id FOR UPDATE OF st
), heard AS (
    UPDATE medic.service_state st
       SET last_heartbeat_at = GREATEST(now(), st.last_heartbeat_at),
           recent_heartbeats = (array_fill(GREATEST(now(), st.last_heartbeat_at), ARRAY[o.times])
                                || st.recent_heartbeats)[1:o.threshold],
           alert_after = (array_fill(GREATEST(now(), st.last_heartbeat_at), ARRAY[o.times])
                          || st.recent_heartbeats)[o.threshold] + st.silence_allowed
      FROM locked JOIN ordinary o USING (service_id)
     WHERE st.service_id = locked.service_id AND st.cron IS NULL AND st.settled
       AND cardinality(st.recent_heartbeats) = o.threshold
       AND st.health = CASE o.kind WHEN 'UP' THEN 'up' ELSE 'degraded' END
    RETURNING st.service_id
), event AS (
    INSERT INTO medic.heartbeat_events (service_id, received_at, signal_id, kind, remote_address, user_agent)
    SELECT m.service_id, now(), m.signal_id, m.kind, m.remote_address, m.user_agent
      FROM meant m JOIN heard USING (service_id)
)
SELECT key.refusal, m.position, m.service_id, m.heartbeat_name, m.active, heard.service_id IS NOT NULL AS recorded
  FROM key LEFT JOIN meant m ON true LEFT JOIN heard USING (service_id)
 ORDER BY m.position
"""
)


class Found(NamedTuple):
    """Whom a signal means. `recorded` is False where it needs more than the one statement does."""

    service_id: int | None
    heartbeat_name: str | None
    active: bool | None
    recorded: bool


def record(
    tx: Transaction, signals: Mapping[int, Signal], key: VerifiedKey | None
) -> tuple[str | None, dict[int, Found]]:
    """Record the ordinary ones of many signals: why the key is refused, if it is, and whom each position means."""
    sent = signals.values()
    rows = tx.execute(
        RECORD,
        {
            "key_id": key.key_id if key else None,
            "api_key_id": key.api_key_id if key else None,
            "key_version": key.version if key else None,
            "positions": list(signals),
            "name_keys": [one.whom.name_key if isinstance(one.whom, ByName) else None for one in sent],
            "service_ids": [one.whom.service_id if isinstance(one.whom, ById) else None for one in sent],
            "kinds": [one.kind for one in sent],
            "run_ids": [one.run_id for one in sent],
            "signal_ids": [one.signal_id for one in sent],
            "addresses": [one.remote_address or None for one in sent],
            "agents": [one.user_agent or None for one in sent],
        },
    ).fetchall()
    return rows[0][0], {row[1]: Found(*row[2:]) for row in rows if row[1] is not None}
