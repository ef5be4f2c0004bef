DROP TABLE medic.idempotency_keys;
DROP TABLE medic.service_snapshots;

DROP INDEX medic.alerts_service_idx;
DROP INDEX medic.alerts_open_idx;
CREATE INDEX alerts_opened_idx ON medic.alerts (opened_at DESC, alert_id DESC);
UPDATE medic.alerts SET status = 'open' WHERE status = 'snoozed';
ALTER TABLE medic.alerts DROP COLUMN snoozed_until, DROP COLUMN acknowledged_at;

ALTER TABLE medic.service_state DROP COLUMN settled, DROP COLUMN paused;
ALTER TABLE medic.service_state
    ADD COLUMN settled boolean NOT NULL GENERATED ALWAYS AS (
        health IN ('up', 'degraded') AND consecutive_failures = 0 AND troubles = '{}' AND unnamed_run IS NULL
    ) STORED;
COMMENT ON COLUMN medic.service_state.settled IS 'A plain sign of life changes nothing but times';

UPDATE medic.services SET active = false WHERE paused_at IS NOT NULL;
ALTER TABLE medic.services
    DROP COLUMN version, DROP COLUMN resume_on_heartbeat, DROP COLUMN paused_at, DROP COLUMN tags;

-- The newest secret of each key is the one that stays.
ALTER TABLE medic.api_keys
    DROP COLUMN version, DROP COLUMN rate_limits,
    ADD COLUMN key_id text UNIQUE CHECK (key_id ~ '^[a-z0-9]{4,32}$'),
    ADD COLUMN secret_hash text;
UPDATE medic.api_keys k SET key_id = s.key_id, secret_hash = s.secret_hash
  FROM (SELECT DISTINCT ON (api_key_id) * FROM medic.api_key_secrets ORDER BY api_key_id, created_at DESC) s
 WHERE s.api_key_id = k.api_key_id;
DELETE FROM medic.api_keys WHERE key_id IS NULL;
ALTER TABLE medic.api_keys ALTER COLUMN key_id SET NOT NULL, ALTER COLUMN secret_hash SET NOT NULL;
COMMENT ON COLUMN medic.api_keys.last_used_at IS NULL;
DROP TABLE medic.api_key_secrets;
