-- depends: 0006.jobs
-- Who is told, when, and how it went: working hours, targets, webhooks, maintenance windows, notices.

CREATE TABLE medic.schedules (
    schedule_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    name_key    text NOT NULL UNIQUE,
    timezone    text NOT NULL CHECK (timezone ~ '^[A-Za-z][A-Za-z0-9_+/-]{1,63}$'),
    hours       jsonb NOT NULL,
    holidays    text[] NOT NULL DEFAULT '{}',
    version     integer NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE medic.schedules IS 'Working hours';
COMMENT ON COLUMN medic.schedules.hours IS '{"monday": [{"start": "09:00", "end": "17:00"}]}; an end not after its start is on the next day';
COMMENT ON COLUMN medic.schedules.holidays IS 'Days (2026-12-31) and countries, with or without a region (DE, US-CA)';

ALTER TABLE medic.services
    ADD COLUMN working_hours_id bigint REFERENCES medic.schedules (schedule_id) ON DELETE SET NULL,
    ADD COLUMN notification_mode text NOT NULL DEFAULT 'notify_all'
        CHECK (notification_mode IN ('notify_all', 'notify_until_success'));
CREATE INDEX services_working_hours_idx ON medic.services (working_hours_id) WHERE working_hours_id IS NOT NULL;

ALTER TABLE medic.teams ADD COLUMN version integer NOT NULL DEFAULT 1;

CREATE TABLE medic.notification_targets (
    target_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service_id   bigint REFERENCES medic.services ON DELETE CASCADE,
    team_id      bigint REFERENCES medic.teams ON DELETE CASCADE,
    type         text NOT NULL CHECK (type IN ('slack', 'pagerduty', 'webhook', 'apprise')),
    config       jsonb NOT NULL,
    secret       text,
    priority     integer NOT NULL DEFAULT 0 CHECK (priority BETWEEN 0 AND 1000),
    period       text NOT NULL DEFAULT 'always' CHECK (period IN ('always', 'during_hours', 'after_hours')),
    min_priority text CHECK (min_priority IN ('p1', 'p2', 'p3', 'p4', 'p5')),
    enabled      boolean NOT NULL DEFAULT true,
    version      integer NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CHECK ((service_id IS NULL) <> (team_id IS NULL)),
    CHECK ((secret IS NOT NULL) = (type = 'webhook'))
);
CREATE INDEX notification_targets_service_idx ON medic.notification_targets (service_id) WHERE service_id IS NOT NULL;
CREATE INDEX notification_targets_team_idx ON medic.notification_targets (team_id) WHERE team_id IS NOT NULL;
COMMENT ON COLUMN medic.notification_targets.min_priority IS 'Only alerts as urgent as this or more; NULL: all';

CREATE TABLE medic.webhooks (
    webhook_id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service_id           bigint REFERENCES medic.services ON DELETE CASCADE,
    url                  text NOT NULL CHECK (length(url) <= 2048),
    headers              jsonb NOT NULL DEFAULT '{}',
    secret               text NOT NULL,
    former_secret        text,
    former_secret_until  timestamptz,
    enabled              boolean NOT NULL DEFAULT true,
    disabled_because     text,
    version              integer NOT NULL DEFAULT 1,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now(),
    CHECK ((former_secret IS NULL) = (former_secret_until IS NULL))
);
CREATE INDEX webhooks_service_idx ON medic.webhooks (service_id);
COMMENT ON COLUMN medic.webhooks.service_id IS 'NULL: told of every service';

-- What was found of a target when it was last tried; there is a row only for those that were not well.
CREATE TABLE medic.target_health (
    target_key      text PRIMARY KEY,
    failing_since   timestamptz,
    failure_told_at timestamptz,
    slow_until      timestamptz,
    throttled_until timestamptz,
    grouped_at      timestamptz
);
COMMENT ON COLUMN medic.target_health.slow_until IS 'It did not answer in time: until then it is tried apart from the others';
COMMENT ON COLUMN medic.target_health.throttled_until IS 'It asked us (429) to leave it alone until then';
COMMENT ON COLUMN medic.target_health.grouped_at IS 'When it was last sent a message that lists several alerts';

CREATE TABLE medic.maintenance_windows (
    window_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    name_key    text NOT NULL UNIQUE,
    start_time  timestamptz NOT NULL,
    end_time    timestamptz NOT NULL,
    recurrence  text CHECK (length(recurrence) BETWEEN 1 AND 200),
    timezone    text NOT NULL DEFAULT 'UTC' CHECK (timezone ~ '^[A-Za-z][A-Za-z0-9_+/-]{1,63}$'),
    service_ids bigint[] NOT NULL DEFAULT '{}',
    tags        text[] NOT NULL DEFAULT '{}',
    notify      boolean NOT NULL DEFAULT false,
    reason      text NOT NULL DEFAULT '',
    created_by  text NOT NULL DEFAULT '',
    next_start  timestamptz,
    next_end    timestamptz,
    began_at    timestamptz,
    version     integer NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CHECK (end_time > start_time),
    CHECK ((next_start IS NULL) = (next_end IS NULL))
);
CREATE INDEX maintenance_windows_next_idx ON medic.maintenance_windows (next_start) WHERE next_start IS NOT NULL;
COMMENT ON COLUMN medic.maintenance_windows.service_ids IS 'With tags: whom it is for. Both empty: all services';
COMMENT ON COLUMN medic.maintenance_windows.next_start IS 'The time that is under way, else the next one; NULL when there is none any more';
COMMENT ON COLUMN medic.maintenance_windows.began_at IS 'When the monitor saw the time at next_start begin';

-- What there is to tell besides alerts.
CREATE TABLE medic.notices (
    notice_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind            text NOT NULL CHECK (kind IN ('maintenance_started', 'maintenance_ended', 'target_failing',
                                                  'webhook_disabled', 'test')),
    heading         text NOT NULL,
    because         text NOT NULL,
    at              timestamptz NOT NULL,
    team_ids        bigint[] NOT NULL DEFAULT '{}',
    only_target_key text,
    not_target_key  text
);

ALTER TABLE medic.outbox
    DROP CONSTRAINT outbox_topic_check,
    ADD CONSTRAINT outbox_topic_check CHECK (topic IN ('notification', 'notice'));

ALTER TABLE medic.alert_events
    ADD COLUMN swept_at timestamptz,
    ADD COLUMN opened_together integer;
COMMENT ON COLUMN medic.alert_events.swept_at IS 'Which sweep opened it; NULL where a signal did';
COMMENT ON COLUMN medic.alert_events.opened_together IS 'How many alerts were opened at once with it';

ALTER TABLE medic.notification_deliveries
    ALTER COLUMN alert_event_id DROP NOT NULL,
    ALTER COLUMN alert_id DROP NOT NULL,
    ADD COLUMN notice_id bigint REFERENCES medic.notices ON DELETE CASCADE,
    ADD COLUMN target_id bigint REFERENCES medic.notification_targets ON DELETE SET NULL,
    ADD COLUMN webhook_id bigint REFERENCES medic.webhooks ON DELETE SET NULL,
    ADD COLUMN chain_position integer,
    ADD COLUMN waits_its_turn boolean NOT NULL DEFAULT false,
    ADD COLUMN throttled integer NOT NULL DEFAULT 0,
    ADD COLUMN group_at timestamptz,
    DROP CONSTRAINT notification_deliveries_status_check,
    ADD CONSTRAINT notification_deliveries_status_check
        CHECK (status IN ('pending', 'retrying', 'success', 'failed', 'skipped')),
    DROP CONSTRAINT notification_deliveries_channel_check,
    ADD CONSTRAINT notification_deliveries_channel_check
        CHECK (channel IN ('slack', 'pagerduty', 'webhook', 'apprise')),
    DROP CONSTRAINT notification_deliveries_check,
    ADD CONSTRAINT notification_deliveries_due_check
        CHECK ((status IN ('pending', 'retrying')) = (due_at IS NOT NULL OR waits_its_turn)),
    ADD CONSTRAINT notification_deliveries_turn_check CHECK (NOT waits_its_turn OR due_at IS NULL),
    ADD CONSTRAINT notification_deliveries_subject_check CHECK (num_nonnulls(alert_event_id, notice_id) = 1),
    ADD CONSTRAINT notification_deliveries_notice_key UNIQUE (notice_id, target_key);
CREATE INDEX notification_deliveries_target_idx ON medic.notification_deliveries (target_id, delivery_id)
    WHERE target_id IS NOT NULL;
CREATE INDEX notification_deliveries_webhook_idx ON medic.notification_deliveries (webhook_id, delivery_id)
    WHERE webhook_id IS NOT NULL;
CREATE INDEX notification_deliveries_group_idx ON medic.notification_deliveries (target_key, group_at)
    WHERE group_at IS NOT NULL AND due_at IS NOT NULL;
COMMENT ON COLUMN medic.notification_deliveries.chain_position IS 'Its place where only one target is to be told; NULL where all are';
COMMENT ON COLUMN medic.notification_deliveries.waits_its_turn IS 'It is made if those before it in the chain fail';
COMMENT ON COLUMN medic.notification_deliveries.throttled IS 'How many of its attempts were answered 429: those are not failures';
COMMENT ON COLUMN medic.notification_deliveries.group_at IS 'The sweep with whose other alerts it may share a message';

CREATE VIEW medic.webhook_deliveries AS
    SELECT d.* FROM medic.notification_deliveries d WHERE d.webhook_id IS NOT NULL;
COMMENT ON VIEW medic.webhook_deliveries IS 'The delivery log of webhooks';
