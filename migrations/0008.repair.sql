-- depends: 0007.routing
-- What cures it: playbooks, what starts them, what they did, and what stops them.

CREATE TABLE medic.playbooks (
    playbook_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    name_key    text NOT NULL,
    description text NOT NULL DEFAULT '',
    version     integer NOT NULL CHECK (version > 0),
    deleted_at  timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX playbooks_name_idx ON medic.playbooks (name_key) WHERE deleted_at IS NULL;
COMMENT ON COLUMN medic.playbooks.deleted_at IS 'Executions that are under way end by the version that they began with; so the row stays';

-- Written once: an execution runs the version that it started with.
CREATE TABLE medic.playbook_versions (
    playbook_id   bigint NOT NULL REFERENCES medic.playbooks,
    version       integer NOT NULL,
    yaml_content  text NOT NULL,
    sha256        text NOT NULL CHECK (length(sha256) = 64),
    approval_mode text NOT NULL CHECK (approval_mode IN ('none', 'required', 'timeout')),
    scripts       text[] NOT NULL DEFAULT '{}',
    secrets       text[] NOT NULL DEFAULT '{}',
    created_by    text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (playbook_id, version)
);

CREATE TABLE medic.playbook_triggers (
    trigger_id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    playbook_id          bigint NOT NULL REFERENCES medic.playbooks ON DELETE CASCADE,
    service_pattern      text NOT NULL CHECK (length(service_pattern) BETWEEN 1 AND 200),
    consecutive_failures integer NOT NULL DEFAULT 1 CHECK (consecutive_failures > 0),
    mode                 text NOT NULL DEFAULT 'run' CHECK (mode IN ('run', 'observe')),
    enabled              boolean NOT NULL DEFAULT true,
    version              integer NOT NULL DEFAULT 1,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX playbook_triggers_playbook_idx ON medic.playbook_triggers (playbook_id);
COMMENT ON COLUMN medic.playbook_triggers.service_pattern IS 'A glob on the service''s name (domain.repair.triggers)';

CREATE TABLE medic.playbook_executions (
    execution_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    playbook_id   bigint NOT NULL,
    version       integer NOT NULL,
    service_id    bigint REFERENCES medic.services ON DELETE SET NULL,
    alert_id      bigint REFERENCES medic.alerts ON DELETE SET NULL,
    trigger_id    bigint REFERENCES medic.playbook_triggers ON DELETE SET NULL,
    cause         text NOT NULL CHECK (cause IN ('alert', 'api', 'webhook')),
    started_by    text NOT NULL,
    status        text NOT NULL CHECK (status IN
                      ('pending_approval', 'running', 'waiting', 'completed', 'failed', 'cancelled')),
    outcome       text CHECK (outcome IN ('succeeded', 'cured', 'unverified', 'superseded', 'failed', 'escalated',
                      'unknown', 'timed_out', 'rejected', 'expired', 'cancelled', 'stopped')),
    because       text NOT NULL DEFAULT '',
    context       jsonb NOT NULL,
    scripts       jsonb NOT NULL DEFAULT '{}',
    current_step  integer NOT NULL DEFAULT 0,
    attempt       integer NOT NULL DEFAULT 1,
    progress      jsonb NOT NULL,
    seq           integer NOT NULL DEFAULT 0,
    directive     jsonb,
    engine_name   text NOT NULL UNIQUE,
    engine_runs   integer NOT NULL DEFAULT 1,
    expected_by   timestamptz,
    next_look_at  timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    started_at    timestamptz,
    completed_at  timestamptz,
    FOREIGN KEY (playbook_id, version) REFERENCES medic.playbook_versions,
    CHECK ((status IN ('completed', 'failed', 'cancelled')) = (completed_at IS NOT NULL)),
    CHECK ((completed_at IS NOT NULL) = (outcome IS NOT NULL)),
    CHECK ((completed_at IS NULL) = (next_look_at IS NOT NULL))
);
-- One repair of a kind at a time for a service.
CREATE UNIQUE INDEX playbook_executions_one_active_idx ON medic.playbook_executions (service_id, playbook_id)
    WHERE completed_at IS NULL AND service_id IS NOT NULL;
CREATE INDEX playbook_executions_service_idx ON medic.playbook_executions (service_id, created_at DESC);
CREATE INDEX playbook_executions_playbook_idx ON medic.playbook_executions (playbook_id, execution_id DESC);
CREATE INDEX playbook_executions_alert_idx ON medic.playbook_executions (alert_id) WHERE alert_id IS NOT NULL;
CREATE INDEX playbook_executions_look_idx ON medic.playbook_executions (next_look_at) WHERE next_look_at IS NOT NULL;
CREATE INDEX playbook_executions_ended_idx ON medic.playbook_executions (completed_at) WHERE completed_at IS NOT NULL;
COMMENT ON COLUMN medic.playbook_executions.scripts IS 'The versions of the scripts that it runs: {name: version}';
COMMENT ON COLUMN medic.playbook_executions.progress IS 'Where it stands (domain.repair.execution)';
COMMENT ON COLUMN medic.playbook_executions.seq IS 'Counts turns: a turn that is asked for again gets the directive that it had';
COMMENT ON COLUMN medic.playbook_executions.engine_name IS 'What the state machine calls its run of this; a former run is not listened to';
COMMENT ON COLUMN medic.playbook_executions.expected_by IS 'When the state machine should have come back at the latest';

CREATE TABLE medic.playbook_step_results (
    result_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    execution_id    bigint NOT NULL REFERENCES medic.playbook_executions ON DELETE CASCADE,
    step_index      integer NOT NULL CHECK (step_index >= 0),
    attempt         integer NOT NULL DEFAULT 1 CHECK (attempt >= 1),
    step_name       text NOT NULL,
    step_type       text NOT NULL CHECK (step_type IN
                        ('webhook', 'script', 'wait', 'condition', 'notify', 'approval')),
    status          text NOT NULL CHECK (status IN
                        ('pending', 'running', 'completed', 'failed', 'skipped', 'unknown')),
    output          text,
    error_message   text,
    sent_at         timestamptz,
    reported        jsonb,
    started_at      timestamptz NOT NULL,
    completed_at    timestamptz,
    UNIQUE (execution_id, step_index, attempt)
);
COMMENT ON COLUMN medic.playbook_step_results.sent_at IS 'From here on it may have had its effect';
COMMENT ON COLUMN medic.playbook_step_results.reported IS 'What the runner found, written before it answers the state machine';

CREATE TABLE medic.approval_requests (
    request_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    execution_id bigint NOT NULL REFERENCES medic.playbook_executions ON DELETE CASCADE,
    step_index   integer,
    approvers    text[] NOT NULL DEFAULT '{}',
    message      text NOT NULL DEFAULT '',
    requested_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    status       text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'rejected', 'expired', 'withdrawn')),
    decided_by   text,
    decided_at   timestamptz,
    reason       text NOT NULL DEFAULT '',
    notice_id    bigint REFERENCES medic.notices ON DELETE SET NULL,
    task_token   bytea,
    CHECK ((status = 'pending') = (decided_at IS NULL))
);
CREATE UNIQUE INDEX approval_requests_one_pending_idx ON medic.approval_requests (execution_id) WHERE status = 'pending';
CREATE INDEX approval_requests_pending_idx ON medic.approval_requests (expires_at) WHERE status = 'pending';
CREATE INDEX approval_requests_execution_idx ON medic.approval_requests (execution_id);
COMMENT ON COLUMN medic.approval_requests.step_index IS 'NULL: the playbook asks before its first step';
COMMENT ON COLUMN medic.approval_requests.task_token IS 'What lets the state machine go on; sealed';

CREATE TABLE medic.registered_scripts (
    script_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    name_key        text NOT NULL UNIQUE,
    version         integer NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);

-- Written once; kept when the script goes, for executions that run it.
CREATE TABLE medic.script_versions (
    script_id       bigint NOT NULL,
    name_key        text NOT NULL,
    version         integer NOT NULL,
    content         text NOT NULL CHECK (octet_length(content) BETWEEN 1 AND 65536),
    interpreter     text NOT NULL DEFAULT 'bash' CHECK (interpreter IN ('bash', 'python')),
    timeout_seconds integer NOT NULL DEFAULT 30 CHECK (timeout_seconds BETWEEN 1 AND 840),
    sha256          text NOT NULL CHECK (length(sha256) = 64),
    created_by      text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (script_id, version)
);

CREATE TABLE medic.secrets (
    secret_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z_][A-Za-z0-9_]{0,99}$'),
    description  text NOT NULL DEFAULT '',
    sealed       bytea NOT NULL,
    version      integer NOT NULL DEFAULT 1,
    updated_by   text NOT NULL,
    last_used_at timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN medic.secrets.sealed IS 'AES-256-GCM, bound to name and version (adapters.sealing)';

CREATE TABLE medic.kill_switches (
    kill_switch_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    level          text NOT NULL CHECK (level IN ('global', 'team', 'service', 'playbook')),
    subject_id     bigint,
    reason         text NOT NULL DEFAULT '',
    thrown_by      text NOT NULL,
    thrown_at      timestamptz NOT NULL DEFAULT now(),
    CHECK ((level = 'global') = (subject_id IS NULL)),
    UNIQUE NULLS NOT DISTINCT (level, subject_id)
);
COMMENT ON TABLE medic.kill_switches IS 'While there is a row, nothing that it is about is repaired';

-- Many services of a trigger failed at once: one question for all of them.
CREATE TABLE medic.repair_batches (
    batch_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    trigger_id  bigint NOT NULL REFERENCES medic.playbook_triggers ON DELETE CASCADE,
    status      text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'rejected', 'expired')),
    because     text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    decided_by  text,
    decided_at  timestamptz,
    CHECK ((status = 'pending') = (decided_at IS NULL))
);
CREATE UNIQUE INDEX repair_batches_one_pending_idx ON medic.repair_batches (trigger_id) WHERE status = 'pending';

-- A trigger fires once for an alert, whatever came of it.
CREATE TABLE medic.trigger_firings (
    firing_id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id             bigint NOT NULL REFERENCES medic.alerts ON DELETE CASCADE,
    trigger_id           bigint NOT NULL REFERENCES medic.playbook_triggers ON DELETE CASCADE,
    service_id           bigint REFERENCES medic.services ON DELETE SET NULL,
    consecutive_failures integer NOT NULL,
    decision             text NOT NULL CHECK (decision IN ('started', 'blocked', 'observed', 'held')),
    because              text NOT NULL,
    execution_id         bigint REFERENCES medic.playbook_executions ON DELETE SET NULL,
    batch_id             bigint REFERENCES medic.repair_batches ON DELETE SET NULL,
    plan                 jsonb,
    fired_at             timestamptz NOT NULL DEFAULT now(),
    UNIQUE (alert_id, trigger_id)
);
CREATE INDEX trigger_firings_trigger_idx ON medic.trigger_firings (trigger_id, firing_id DESC);
CREATE INDEX trigger_firings_batch_idx ON medic.trigger_firings (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX trigger_firings_execution_idx ON medic.trigger_firings (execution_id) WHERE execution_id IS NOT NULL;
COMMENT ON COLUMN medic.trigger_firings.plan IS 'Of one that only observes: what it would have done, secrets masked';

CREATE TABLE medic.remediation_audit_log (
    log_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    execution_id bigint,
    playbook_id  bigint,
    service_id   bigint REFERENCES medic.services ON DELETE SET NULL,
    action_type  text NOT NULL CHECK (action_type IN (
                     'execution_started', 'step_completed', 'step_failed', 'approval_requested', 'approved', 'rejected',
                     'execution_completed', 'execution_failed',
                     'execution_cancelled', 'execution_blocked', 'execution_held', 'execution_observed',
                     'execution_resumed', 'step_retried', 'step_skipped', 'step_unknown', 'escalated',
                     'approval_expired', 'approval_withdrawn', 'batch_held', 'batch_approved', 'batch_rejected',
                     'playbook_created', 'playbook_changed', 'playbook_deleted',
                     'trigger_created', 'trigger_changed', 'trigger_deleted',
                     'script_created', 'script_changed', 'script_deleted',
                     'secret_created', 'secret_changed', 'secret_deleted', 'secret_used', 'secrets_reencrypted',
                     'kill_switch_thrown', 'kill_switch_released')),
    details      jsonb NOT NULL DEFAULT '{}',
    actor        text,
    at           timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX remediation_audit_log_execution_idx ON medic.remediation_audit_log (execution_id, log_id)
    WHERE execution_id IS NOT NULL;
CREATE INDEX remediation_audit_log_service_idx ON medic.remediation_audit_log (service_id, log_id)
    WHERE service_id IS NOT NULL;
CREATE INDEX remediation_audit_log_at_idx ON medic.remediation_audit_log (at);
COMMENT ON TABLE medic.remediation_audit_log IS 'What repairs did and who had them do it, written with the change that it tells of';

ALTER TABLE medic.alerts ADD COLUMN considered_failures integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN medic.alerts.considered_failures IS 'Up to which count triggers were asked: what is above it was not considered yet';
-- What is open already is not repaired because of an upgrade.
UPDATE medic.alerts SET considered_failures = consecutive_failures;
CREATE INDEX alerts_unconsidered_idx ON medic.alerts (alert_id)
    WHERE resolved_at IS NULL AND told_at IS NOT NULL AND consecutive_failures > considered_failures;

ALTER TABLE medic.alert_events
    DROP CONSTRAINT alert_events_event_check,
    ADD CONSTRAINT alert_events_event_check CHECK (event IN
        ('opened', 'reminded', 'unmuted', 'flapping', 'acknowledged', 'snoozed', 'escalated', 'resolved'));

ALTER TABLE medic.notices
    DROP CONSTRAINT notices_kind_check,
    ADD CONSTRAINT notices_kind_check CHECK (kind IN ('maintenance_started', 'maintenance_ended', 'target_failing',
        'webhook_disabled', 'test', 'execution_started', 'execution_failed', 'execution_escalated',
        'execution_blocked', 'execution_held', 'approval_requested', 'playbook_message'));

ALTER TABLE medic.outbox
    DROP CONSTRAINT outbox_topic_check,
    ADD CONSTRAINT outbox_topic_check CHECK (topic IN ('notification', 'notice', 'start', 'stop', 'decision'));
