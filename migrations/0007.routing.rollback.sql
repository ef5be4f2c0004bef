-- What the older schema cannot say goes: notices, deliveries that were skipped or that wait, Apprise.
DROP VIEW medic.webhook_deliveries;
DELETE FROM medic.notification_deliveries
 WHERE alert_event_id IS NULL OR status = 'skipped' OR channel = 'apprise' OR waits_its_turn;
ALTER TABLE medic.notification_deliveries
    DROP CONSTRAINT notification_deliveries_notice_key,
    DROP CONSTRAINT notification_deliveries_subject_check,
    DROP CONSTRAINT notification_deliveries_turn_check,
    DROP CONSTRAINT notification_deliveries_due_check,
    DROP CONSTRAINT notification_deliveries_channel_check,
    DROP CONSTRAINT notification_deliveries_status_check,
    DROP COLUMN group_at,
    DROP COLUMN throttled,
    DROP COLUMN waits_its_turn,
    DROP COLUMN chain_position,
    DROP COLUMN webhook_id,
    DROP COLUMN target_id,
    DROP COLUMN notice_id,
    ALTER COLUMN alert_id SET NOT NULL,
    ALTER COLUMN alert_event_id SET NOT NULL,
    ADD CONSTRAINT notification_deliveries_channel_check CHECK (channel IN ('slack', 'pagerduty', 'webhook')),
    ADD CONSTRAINT notification_deliveries_status_check CHECK (status IN ('pending', 'retrying', 'success', 'failed')),
    ADD CONSTRAINT notification_deliveries_check CHECK ((status IN ('pending', 'retrying')) = (due_at IS NOT NULL));
ALTER TABLE medic.alert_events
    DROP COLUMN opened_together,
    DROP COLUMN swept_at;
DELETE FROM medic.outbox WHERE topic = 'notice';
ALTER TABLE medic.outbox
    DROP CONSTRAINT outbox_topic_check,
    ADD CONSTRAINT outbox_topic_check CHECK (topic IN ('notification'));
DROP TABLE medic.notices;
DROP TABLE medic.maintenance_windows;
DROP TABLE medic.target_health;
DROP TABLE medic.webhooks;
DROP TABLE medic.notification_targets;
ALTER TABLE medic.teams DROP COLUMN version;
ALTER TABLE medic.services
    DROP COLUMN notification_mode,
    DROP COLUMN working_hours_id;
DROP TABLE medic.schedules;
