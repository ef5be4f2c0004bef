-- Who is watched, what was heard, and what we believe.

CREATE SCHEMA medic;

CREATE TABLE medic.teams (
    team_id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name             text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    name_key         text NOT NULL UNIQUE,
    slack_channel_id text,
    ping_key         text NOT NULL UNIQUE,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN medic.teams.name_key IS 'The name as it is compared: NFC, case-folded (domain.watching.names)';
COMMENT ON COLUMN medic.teams.ping_key IS 'The secret part of the team''s slug ping URLs';

CREATE TABLE medic.services (
    service_id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    heartbeat_name            text NOT NULL CHECK (length(heartbeat_name) BETWEEN 1 AND 200),
    name_key                  text NOT NULL UNIQUE,
    service_name              text NOT NULL CHECK (length(service_name) <= 200),
    slug                      text NOT NULL,
    ping_id                   uuid NOT NULL UNIQUE,
    team_id                   bigint REFERENCES medic.teams ON DELETE SET NULL,
    priority                  text NOT NULL CHECK (priority IN ('p1', 'p2', 'p3', 'p4', 'p5')),
    runbook                   text NOT NULL DEFAULT '',
    active                    boolean NOT NULL DEFAULT true,
    every_seconds             integer NOT NULL CHECK (every_seconds BETWEEN 10 AND 31536000),
    threshold                 integer NOT NULL DEFAULT 1 CHECK (threshold BETWEEN 1 AND 1000),
    grace_period_seconds      integer NOT NULL DEFAULT 0 CHECK (grace_period_seconds BETWEEN 0 AND 31536000),
    max_duration_ms           bigint CHECK (max_duration_ms > 0),
    failure_tolerance         integer NOT NULL DEFAULT 1 CHECK (failure_tolerance BETWEEN 1 AND 1000),
    reminder_interval_seconds integer CHECK (reminder_interval_seconds >= 60),
    alert_when_never_reported boolean NOT NULL DEFAULT true,
    muted_at                  timestamptz,
    muted_until               timestamptz,
    mute_reason               text,
    post_only                 boolean NOT NULL DEFAULT false,
    success_keywords          text[] NOT NULL DEFAULT '{}',
    failure_keywords          text[] NOT NULL DEFAULT '{}',
    start_keywords            text[] NOT NULL DEFAULT '{}',
    unmatched_body            text NOT NULL DEFAULT 'ignore' CHECK (unmatched_body IN ('ignore', 'fail')),
    inspects_pings            boolean NOT NULL GENERATED ALWAYS AS (
        post_only OR cardinality(success_keywords) + cardinality(failure_keywords) + cardinality(start_keywords) > 0
    ) STORED,
    created_at                timestamptz NOT NULL DEFAULT now(),
    updated_at                timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX services_slug_idx ON medic.services (team_id, slug);

-- The hot row: narrow, updated by every heartbeat.
CREATE TABLE medic.service_state (
    service_id           bigint PRIMARY KEY REFERENCES medic.services ON DELETE CASCADE,
    health               text NOT NULL CHECK (health IN ('new', 'up', 'degraded', 'down')),
    last_heartbeat_at    timestamptz,
    recent_heartbeats    timestamptz[] NOT NULL,
    silence_allowed      interval NOT NULL,
    alert_after          timestamptz,
    down_at              timestamptz,
    degraded             boolean NOT NULL DEFAULT false,
    extensions           timestamptz[] NOT NULL DEFAULT '{}',
    consecutive_failures integer NOT NULL DEFAULT 0,
    troubles             text[] NOT NULL DEFAULT '{}',
    unnamed_run          text,
    settled              boolean NOT NULL GENERATED ALWAYS AS (
        health IN ('up', 'degraded') AND consecutive_failures = 0 AND troubles = '{}' AND unnamed_run IS NULL
    ) STORED
) WITH (fillfactor = 70);
CREATE INDEX service_state_due_idx ON medic.service_state (alert_after) WHERE alert_after IS NOT NULL;
COMMENT ON COLUMN medic.service_state.recent_heartbeats IS 'The last `threshold` signs of life, newest first';
COMMENT ON COLUMN medic.service_state.silence_allowed IS 'Interval + grace, written by domain.watching.schedules';
COMMENT ON COLUMN medic.service_state.extensions IS
    'Pairs (since, until): a run was heard to start or to fail; the deadline is not before, unless a sign of life is newer';
COMMENT ON COLUMN medic.service_state.troubles IS
    'The kinds of its open alerts, repeated here because the row lock makes them sure: changed only with them';
COMMENT ON COLUMN medic.service_state.unnamed_run IS 'The run under way that was started without an id';
COMMENT ON COLUMN medic.service_state.settled IS 'A plain sign of life changes nothing but times';

CREATE SEQUENCE medic.heartbeat_id_seq;
-- No foreign key to services: it would lock and check a second row on every heartbeat. Rows of a deleted
-- service go with it (store.services) or, when they raced the deletion, with their partition.
CREATE TABLE medic.heartbeat_events (
    heartbeat_id   bigint NOT NULL DEFAULT nextval('medic.heartbeat_id_seq'),
    service_id     bigint NOT NULL,
    received_at    timestamptz NOT NULL,
    signal_id      uuid NOT NULL,
    kind           text NOT NULL CHECK (kind IN
                       ('UP', 'DOWN', 'DEGRADED', 'STARTED', 'COMPLETED', 'FAILED', 'LOG', 'IGNORED')),
    run_id         text,
    exit_status    smallint,
    body           bytea,
    remote_address text,
    user_agent     text,
    PRIMARY KEY (received_at, signal_id)
) PARTITION BY RANGE (received_at);
ALTER SEQUENCE medic.heartbeat_id_seq OWNED BY medic.heartbeat_events.heartbeat_id;
CREATE INDEX heartbeat_events_service_idx ON medic.heartbeat_events (service_id, received_at DESC);
-- Never a lost heartbeat because nobody made tomorrow's partition.
CREATE TABLE medic.heartbeat_events_default PARTITION OF medic.heartbeat_events DEFAULT;

CREATE TABLE medic.job_runs (
    job_run_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service_id   bigint NOT NULL REFERENCES medic.services ON DELETE CASCADE,
    run_id       text NOT NULL CHECK (length(run_id) BETWEEN 1 AND 200),
    named        boolean NOT NULL,
    started_at   timestamptz NOT NULL,
    completed_at timestamptz,
    duration_ms  bigint CHECK (duration_ms >= 0),
    exit_status  smallint,
    status       text NOT NULL CHECK (status IN ('STARTED', 'COMPLETED', 'FAILED')),
    UNIQUE (service_id, run_id),
    CHECK ((status = 'STARTED') = (completed_at IS NULL))
);
COMMENT ON COLUMN medic.job_runs.named IS 'Whether the client gave the run id; one without is closed by the next completion without';
-- A start without an id restarts the one that is under way.
CREATE UNIQUE INDEX job_runs_one_unnamed_idx ON medic.job_runs (service_id) WHERE status = 'STARTED' AND NOT named;
CREATE INDEX job_runs_open_idx ON medic.job_runs (service_id, started_at) WHERE status = 'STARTED';
CREATE INDEX job_runs_completed_idx ON medic.job_runs (service_id, completed_at DESC) WHERE completed_at IS NOT NULL;
