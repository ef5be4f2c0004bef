-- depends: 0004.access
-- Keys that rotate, services that pause, changes that can be undone, requests that can be repeated.

-- A key may have two secrets while it rotates. Each has an id of its own, so that one look finds one hash.
CREATE TABLE medic.api_key_secrets (
    key_id      text PRIMARY KEY CHECK (key_id ~ '^[a-z0-9]{4,32}$'),
    api_key_id  bigint NOT NULL REFERENCES medic.api_keys ON DELETE CASCADE,
    secret_hash text NOT NULL,
    valid_until timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN medic.api_key_secrets.valid_until IS 'Set by a rotation: the end of the overlap. NULL as long as its key';
CREATE INDEX api_key_secrets_key_idx ON medic.api_key_secrets (api_key_id);
INSERT INTO medic.api_key_secrets (key_id, api_key_id, secret_hash, created_at)
SELECT key_id, api_key_id, secret_hash, updated_at FROM medic.api_keys;

ALTER TABLE medic.api_keys
    DROP COLUMN key_id,
    DROP COLUMN secret_hash,
    ADD COLUMN rate_limits jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN version integer NOT NULL DEFAULT 1;
COMMENT ON COLUMN medic.api_keys.version IS 'Counts changes: what is remembered of a key holds for one version of it';
COMMENT ON COLUMN medic.api_keys.last_used_at IS 'To within a few minutes: not every request writes it';
COMMENT ON COLUMN medic.api_keys.rate_limits IS 'Requests a minute of its own, by kind of endpoint';

ALTER TABLE medic.services
    ADD COLUMN tags text[] NOT NULL DEFAULT '{}',
    ADD COLUMN paused_at timestamptz,
    ADD COLUMN resume_on_heartbeat boolean NOT NULL DEFAULT false,
    ADD COLUMN version integer NOT NULL DEFAULT 1;
CREATE INDEX services_tags_idx ON medic.services USING gin (tags);
COMMENT ON COLUMN medic.services.version IS 'Counts changes of the configuration: the ETag';

-- The expression of a generated column can only be changed by making the column again (before Postgres 17).
ALTER TABLE medic.service_state
    DROP COLUMN settled,
    ADD COLUMN paused boolean NOT NULL DEFAULT false;
ALTER TABLE medic.service_state
    ADD COLUMN settled boolean NOT NULL GENERATED ALWAYS AS (
        health IN ('up', 'degraded') AND consecutive_failures = 0 AND troubles = '{}' AND unnamed_run IS NULL
        AND NOT paused
    ) STORED;
COMMENT ON COLUMN medic.service_state.settled IS 'A plain sign of life changes nothing but times';
COMMENT ON COLUMN medic.service_state.paused IS 'That services.paused_at is set, repeated here for the hot statement';

ALTER TABLE medic.alerts
    ADD COLUMN acknowledged_at timestamptz,
    ADD COLUMN snoozed_until timestamptz,
    ADD CONSTRAINT alerts_snoozed_check CHECK (status <> 'snoozed' OR snoozed_until IS NOT NULL);
-- Ids rise as alerts open: lists go by them.
DROP INDEX medic.alerts_opened_idx;
CREATE INDEX alerts_open_idx ON medic.alerts (alert_id) WHERE resolved_at IS NULL;
CREATE INDEX alerts_service_idx ON medic.alerts (service_id, alert_id);

CREATE TABLE medic.service_snapshots (
    snapshot_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service_id     bigint NOT NULL,
    heartbeat_name text NOT NULL,
    action_type    text NOT NULL CHECK (action_type IN ('deactivate', 'activate', 'mute', 'unmute', 'edit', 'bulk_edit',
                                                        'priority_change', 'team_change', 'delete', 'restore')),
    actor          text NOT NULL,
    snapshot_data  jsonb NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    restored_at    timestamptz,
    restored_by    text
);
CREATE INDEX service_snapshots_service_idx ON medic.service_snapshots (service_id, snapshot_id);
CREATE INDEX service_snapshots_created_idx ON medic.service_snapshots (created_at);
COMMENT ON COLUMN medic.service_snapshots.service_id IS 'No foreign key: a deleted service is restored from its snapshot';

CREATE TABLE medic.idempotency_keys (
    api_key_id      bigint NOT NULL REFERENCES medic.api_keys ON DELETE CASCADE,
    idempotency_key text NOT NULL,
    request_digest  bytea NOT NULL,
    response        jsonb,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (api_key_id, idempotency_key)
);
CREATE INDEX idempotency_keys_created_idx ON medic.idempotency_keys (created_at);
COMMENT ON TABLE medic.idempotency_keys IS 'Written in the transaction of the change that the request made: both or neither';
