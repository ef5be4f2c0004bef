-- What the older schema cannot say goes: alerts of the newer kinds, and what was told of flapping.
DELETE FROM medic.alert_events WHERE event = 'flapping';
DELETE FROM medic.alerts WHERE kind IN ('duration_exceeded', 'stale_run');
UPDATE medic.service_state
   SET troubles = ARRAY(SELECT kind FROM unnest(troubles) AS kind WHERE kind NOT IN ('duration_exceeded', 'stale_run'))
 WHERE troubles && ARRAY['duration_exceeded', 'stale_run'];
ALTER TABLE medic.alert_events
    DROP CONSTRAINT alert_events_event_check,
    ADD CONSTRAINT alert_events_event_check CHECK (event IN
        ('opened', 'reminded', 'unmuted', 'acknowledged', 'snoozed', 'resolved'));
ALTER TABLE medic.alerts
    DROP COLUMN recovery_held,
    DROP COLUMN counted_until,
    DROP CONSTRAINT alerts_kind_check,
    ADD CONSTRAINT alerts_kind_check CHECK (kind IN
        ('missed_heartbeat', 'never_reported', 'reported_down', 'job_failed', 'ingest_silent'));
DROP INDEX medic.heartbeat_events_run_idx;
ALTER TABLE medic.job_runs
    DROP COLUMN stale_at,
    DROP COLUMN stale_after;
-- A service by cron becomes one by the day; its ticks are lost.
UPDATE medic.service_state SET recent_heartbeats = ARRAY[COALESCE(last_heartbeat_at, now())] WHERE cron IS NOT NULL;
ALTER TABLE medic.service_state
    DROP COLUMN flapping_until,
    DROP COLUMN health_changes,
    DROP COLUMN extension_reasons,
    DROP COLUMN cron;
ALTER TABLE medic.services
    DROP COLUMN flapping_window_seconds,
    DROP COLUMN flapping_max_changes,
    DROP COLUMN early_tolerance_seconds,
    DROP COLUMN timezone,
    DROP COLUMN cron_expression;
UPDATE medic.services SET every_seconds = 86400 WHERE every_seconds IS NULL;
ALTER TABLE medic.services ALTER COLUMN every_seconds SET NOT NULL;
