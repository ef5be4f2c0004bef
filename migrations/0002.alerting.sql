-- depends: 0001.watching

-- Open problems, their history, and what must leave the database because of them.

CREATE TABLE medic.alerts (
    alert_id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service_id           bigint REFERENCES medic.services ON DELETE SET NULL,
    heartbeat_name       text NOT NULL,
    kind                 text NOT NULL CHECK (kind IN
                             ('missed_heartbeat', 'never_reported', 'reported_down', 'job_failed', 'ingest_silent')),
    status               text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'acknowledged', 'snoozed', 'resolved')),
    priority             text NOT NULL CHECK (priority IN ('p1', 'p2', 'p3', 'p4', 'p5')),
    because              text NOT NULL,
    consecutive_failures integer NOT NULL DEFAULT 1 CHECK (consecutive_failures >= 1),
    overdue_since        timestamptz NOT NULL,
    opened_at            timestamptz NOT NULL,
    told_at              timestamptz,
    reminders            integer NOT NULL DEFAULT 0,
    remind_at            timestamptz,
    acknowledged_by      text,
    resolved_at          timestamptz,
    next_look_at         timestamptz,
    CHECK ((status = 'resolved') = (resolved_at IS NOT NULL))
);
CREATE UNIQUE INDEX alerts_one_open_idx ON medic.alerts (service_id, kind) WHERE resolved_at IS NULL;
CREATE UNIQUE INDEX alerts_one_open_of_medic_idx ON medic.alerts (kind) WHERE resolved_at IS NULL AND service_id IS NULL
    AND kind = 'ingest_silent';
CREATE INDEX alerts_look_idx ON medic.alerts (next_look_at) WHERE next_look_at IS NOT NULL;
CREATE INDEX alerts_opened_idx ON medic.alerts (opened_at DESC, alert_id DESC);
COMMENT ON COLUMN medic.alerts.overdue_since IS 'The deadline that passed, or the moment of the failure: missed periods are counted from here';
COMMENT ON COLUMN medic.alerts.told_at IS 'When people were first told; NULL while it is silent. Only a told alert is told to be over';
COMMENT ON COLUMN medic.alerts.next_look_at IS 'When the monitor must look again: a further missed period, a reminder, the end of a mute';

CREATE TABLE medic.alert_events (
    alert_event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id       bigint NOT NULL REFERENCES medic.alerts ON DELETE CASCADE,
    event          text NOT NULL CHECK (event IN ('opened', 'reminded', 'unmuted', 'acknowledged', 'snoozed', 'resolved')),
    at             timestamptz NOT NULL,
    actor          text,
    because        text NOT NULL,
    consecutive_failures integer NOT NULL
);
CREATE INDEX alert_events_alert_idx ON medic.alert_events (alert_id, alert_event_id);

CREATE TABLE medic.outbox (
    outbox_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic      text NOT NULL CHECK (topic IN ('notification')),
    subject_id bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    leave_at   timestamptz NOT NULL DEFAULT now(),
    leases     integer NOT NULL DEFAULT 0,
    done_at    timestamptz,
    UNIQUE (topic, subject_id)
);
CREATE INDEX outbox_waiting_idx ON medic.outbox (leave_at) WHERE done_at IS NULL;
COMMENT ON TABLE medic.outbox IS 'Written with the change that caused it; done when the receiver has taken it over in its own rows, not when it was sent';

-- What the monitor must remember between two sweeps.
CREATE TABLE medic.monitor_state (
    only_row            boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    last_sweep_at       timestamptz,
    spool_waiting_since timestamptz,
    gap_start           timestamptz,
    gap_end             timestamptz
);
COMMENT ON COLUMN medic.monitor_state.gap_start IS
    'A stretch without sweeps that was not judged yet, because heartbeats of that time still waited in the spool';
INSERT INTO medic.monitor_state DEFAULT VALUES;
