-- depends: 0005.management
-- Schedules by cron, runs that take too long, services that flap.

ALTER TABLE medic.services
    ALTER COLUMN every_seconds DROP NOT NULL,
    ADD COLUMN cron_expression text CHECK (length(cron_expression) BETWEEN 1 AND 200),
    ADD COLUMN timezone text CHECK (timezone ~ '^[A-Za-z][A-Za-z0-9_+/-]{1,63}$'),
    ADD COLUMN early_tolerance_seconds integer NOT NULL DEFAULT 60 CHECK (early_tolerance_seconds BETWEEN 0 AND 43200),
    ADD COLUMN flapping_max_changes integer DEFAULT 10 CHECK (flapping_max_changes BETWEEN 2 AND 50),
    ADD COLUMN flapping_window_seconds integer NOT NULL DEFAULT 3600 CHECK (flapping_window_seconds BETWEEN 60 AND 86400),
    ADD CONSTRAINT services_one_schedule_check CHECK ((every_seconds IS NULL) = (cron_expression IS NOT NULL)),
    ADD CONSTRAINT services_cron_zone_check CHECK ((cron_expression IS NULL) = (timezone IS NULL)),
    ADD CONSTRAINT services_cron_threshold_check CHECK (cron_expression IS NULL OR threshold = 1);
COMMENT ON COLUMN medic.services.flapping_max_changes IS 'More changes than these within the window are flapping; NULL: nothing is';

ALTER TABLE medic.service_state
    ADD COLUMN cron text,
    ADD COLUMN extension_reasons text[] NOT NULL DEFAULT '{}'
        CHECK (extension_reasons <@ ARRAY['began', 'started', 'failed']),
    ADD COLUMN health_changes timestamptz[] NOT NULL DEFAULT '{}',
    ADD COLUMN flapping_until timestamptz;
UPDATE medic.service_state
   SET extension_reasons = array_fill('started'::text, ARRAY[cardinality(extensions) / 2])
 WHERE extensions <> '{}';
ALTER TABLE medic.service_state
    ADD CONSTRAINT service_state_extensions_check CHECK (cardinality(extensions) = 2 * cardinality(extension_reasons));
CREATE INDEX service_state_flapping_idx ON medic.service_state (flapping_until) WHERE flapping_until IS NOT NULL;
COMMENT ON COLUMN medic.service_state.cron IS
    'The cron schedule as one text, repeated because the row lock makes it sure; NULL for an interval';
COMMENT ON COLUMN medic.service_state.health_changes IS 'When it last went down or came back, newest first';
COMMENT ON COLUMN medic.service_state.flapping_until IS
    'Its openings and recoveries are held until then, or later if it changes again; NULL once that was settled';

ALTER TABLE medic.job_runs
    ADD COLUMN stale_after timestamptz,
    ADD COLUMN stale_at timestamptz,
    ADD CONSTRAINT job_runs_stale_check CHECK (stale_after IS NULL OR status = 'STARTED');
UPDATE medic.job_runs r
   SET stale_after = started_at + s.max_duration_ms * interval '1 millisecond'
  FROM medic.services s
 WHERE s.service_id = r.service_id AND r.status = 'STARTED';
CREATE INDEX job_runs_stale_idx ON medic.job_runs (stale_after) WHERE stale_after IS NOT NULL;
COMMENT ON COLUMN medic.job_runs.stale_after IS 'When a run under way has taken too long; NULL once it was found, or where nothing is too long';
COMMENT ON COLUMN medic.job_runs.stale_at IS 'When it was found to take too long: once per run';

-- What was said during a run.
CREATE INDEX heartbeat_events_run_idx ON medic.heartbeat_events (service_id, run_id) WHERE run_id IS NOT NULL;

ALTER TABLE medic.alerts
    DROP CONSTRAINT alerts_kind_check,
    ADD CONSTRAINT alerts_kind_check CHECK (kind IN
        ('missed_heartbeat', 'never_reported', 'reported_down', 'job_failed', 'duration_exceeded', 'stale_run',
         'ingest_silent')),
    ADD COLUMN counted_until timestamptz,
    ADD COLUMN recovery_held boolean NOT NULL DEFAULT false;
UPDATE medic.alerts a
   SET counted_until = overdue_since + COALESCE((consecutive_failures - 1) * (
           SELECT every_seconds FROM medic.services s
            WHERE s.service_id = a.service_id AND a.kind = 'missed_heartbeat') * interval '1 second', interval '0');
ALTER TABLE medic.alerts ALTER COLUMN counted_until SET NOT NULL;
CREATE INDEX alerts_recovery_held_idx ON medic.alerts (service_id) WHERE recovery_held;
COMMENT ON COLUMN medic.alerts.counted_until IS 'The last missed deadline that is in consecutive_failures';
COMMENT ON COLUMN medic.alerts.recovery_held IS 'Its end is told when its service has stopped flapping';

ALTER TABLE medic.alert_events
    DROP CONSTRAINT alert_events_event_check,
    ADD CONSTRAINT alert_events_event_check CHECK (event IN
        ('opened', 'reminded', 'unmuted', 'flapping', 'acknowledged', 'snoozed', 'resolved'));
