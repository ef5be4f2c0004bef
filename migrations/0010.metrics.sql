-- depends: 0009.approvals
-- What has happened so far, counted: /metrics is read from here, and not from history.

CREATE TABLE medic.counters (
    name       text NOT NULL,
    labels     jsonb NOT NULL DEFAULT '{}',
    service_id bigint,
    value      double precision NOT NULL CHECK (value >= 0),
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, labels)
) WITH (fillfactor = 70);
COMMENT ON TABLE medic.counters IS 'Only ever added to; of a histogram each row is one bucket, not those below it';
COMMENT ON COLUMN medic.counters.service_id IS 'Whom it is about: shown as long as that service is there. No foreign key: nothing waits for it';

-- How far history was counted. Locked by who counts, so it is no part of monitor_state, which every sweep locks.
CREATE TABLE medic.counted (
    only_row            boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    counted_until       timestamptz NOT NULL DEFAULT now(),
    registered_services bigint NOT NULL DEFAULT 0,
    active_services     bigint NOT NULL DEFAULT 0,
    measured_at         timestamptz
);
COMMENT ON COLUMN medic.counted.counted_until IS 'All that happened up to then is in counters; what came later is counted where it lies';
COMMENT ON COLUMN medic.counted.measured_at IS 'When services were last counted from end to end';
INSERT INTO medic.counted DEFAULT VALUES;

-- Replayed from the spool with a time that had been counted before: counted from here.
CREATE TABLE medic.late_heartbeats (
    service_id bigint NOT NULL,
    kind       text NOT NULL CHECK (kind IN
                   ('UP', 'DOWN', 'DEGRADED', 'STARTED', 'COMPLETED', 'FAILED', 'LOG', 'IGNORED'))
);

CREATE INDEX alert_events_at_idx ON medic.alert_events (at);
CREATE INDEX playbook_executions_created_idx ON medic.playbook_executions (created_at);
CREATE INDEX job_runs_late_idx ON medic.job_runs (job_run_id) WHERE status = 'STARTED' AND stale_at IS NOT NULL;

ALTER TABLE medic.playbook_executions ADD COLUMN traceparent text CHECK (length(traceparent) = 55);
COMMENT ON COLUMN medic.playbook_executions.traceparent IS 'The W3C trace of the request that started it, which its webhooks go on with';
